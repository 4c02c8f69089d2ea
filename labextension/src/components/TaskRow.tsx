/** One task: the same height in every state, its numbers in fixed columns. */

import * as React from 'react';

import { bytes, rate as formatRate } from '../format';
import { TaskAction, useHost } from '../host';
import { ITaskView } from '../wire';
import { Look, lookOf } from '../words';
import { Bar } from './Bar';
import { Details } from './Details';
import { Glyph, GlyphName } from './Glyph';
import { IconButton } from './IconButton';
import { Name } from './Name';

export interface ITaskRowProps {
  task: ITaskView;
  /** Seconds since the epoch; rows are drawn again when it changes. */
  now: number;
  /** Whether the values are live; else no rate, no time left, no actions. */
  live: boolean;
  level: number;
  position: number;
  size: number;
  /** Whether its details are shown. */
  open: boolean;
  onToggle: (number: number, open: boolean) => void;
  /** Whether it is one of those that are chosen; undefined: here, none can be. */
  chosen: boolean | undefined;
  /** `extend`: with all from the one that was chosen before. */
  onChoose: (task: ITaskView, extend: boolean) => void;
}

const GLYPHS: { [look in Look]: GlyphName } = {
  running: 'download',
  finishing: 'finishing',
  retry: 'retry',
  clock: 'clock',
  network: 'network',
  disk: 'disk',
  key: 'key',
  paused: 'paused',
  failed: 'failed',
  done: 'done',
  cancelled: 'cancelled'
};

const ACTION_GLYPHS: { [action in TaskAction]: GlyphName } = {
  pause: 'paused',
  resume: 'resume',
  retry: 'retry',
  reveal: 'folder',
  cancel: 'close',
  remove: 'close'
};

export const TaskRow = React.memo(function TaskRow(props: ITaskRowProps): React.JSX.Element {
  const { task, live, open } = props;
  const { actions, words } = useHost();
  const setOpen = (wanted: boolean) => props.onToggle(task.task_identifier, wanted);
  const look = lookOf(task);
  const available = live ? actions.available(task) : [];

  const perform = (...wanted: TaskAction[]) => {
    const action = wanted.find(each => available.includes(each));
    if (action) {
      actions.perform(task, action);
    }
  };

  const onKeyDown = (event: React.KeyboardEvent<HTMLDivElement>) => {
    if (event.target !== event.currentTarget) {
      return;
    }
    const keys: { [key: string]: () => void } = {
      Enter: () => setOpen(!open),
      ' ': () => perform('pause', 'resume', 'retry'),
      Delete: () => perform('cancel', 'remove'),
      ContextMenu: () => openMenu(event.currentTarget)
    };
    if (props.chosen !== undefined && (event.ctrlKey || event.shiftKey)) {
      keys[' '] = () => props.onChoose(task, event.shiftKey);
    }
    if (open) {
      keys.ArrowLeft = keys.Escape = () => setOpen(false);
    } else {
      keys.ArrowRight = () => setOpen(true);
    }
    const act = event.key === 'F10' && event.shiftKey ? keys.ContextMenu : keys[event.key];
    if (act) {
      event.preventDefault();
      event.stopPropagation();
      act();
    }
  };

  const openMenu = (node: HTMLElement) => {
    if (available.length > 0) {
      const { right, bottom } = node.getBoundingClientRect();
      actions.menu(task, right - 24, bottom - 8);
    }
  };

  return (
    <div
      className="jp-bgdl-Task"
      role="treeitem"
      aria-level={props.level}
      aria-posinset={props.position}
      aria-setsize={props.size}
      aria-expanded={open}
      aria-label={task.name}
      tabIndex={-1}
      data-look={look}
      data-task={task.task_identifier}
      draggable={look === 'done' && task.path !== null}
      onDragStart={event => {
        event.dataTransfer.setData('text/plain', actions.pathLiteral(task) ?? '');
        event.dataTransfer.effectAllowed = 'copy';
      }}
      onKeyDown={onKeyDown}
      aria-selected={props.chosen}
      onMouseDown={event => {
        // Else the browser would select the text in between.
        if (event.shiftKey && props.chosen !== undefined) {
          event.preventDefault();
        }
      }}
      onClick={event => {
        const { ctrlKey, metaKey, shiftKey } = event;
        if (props.chosen !== undefined && (ctrlKey || metaKey || shiftKey)) {
          event.currentTarget.focus();
          props.onChoose(task, shiftKey);
        } else {
          setOpen(!open);
        }
      }}
      onContextMenu={event => {
        if (available.length > 0) {
          event.preventDefault();
          event.stopPropagation();
          actions.menu(task, event.clientX, event.clientY);
        }
      }}
    >
      <div className="jp-bgdl-Row">
        <span className="jp-bgdl-Row-glyph">
          <Glyph
            name={look === 'running' && task.kind === 'upload' ? 'upload' : GLYPHS[look]}
            label={words.look(look, task.kind)}
          />
        </span>
        <Name name={task.name} />
        <span className="jp-bgdl-Row-host">
          <bdi>{task.host}</bdi>
        </span>
        <Meta {...props} look={look} retry={() => perform('retry')} />
        <Progress task={task} look={look} />
        <span className="jp-bgdl-Row-actions">
          {available
            .filter(action => action !== 'reveal' || look === 'done')
            .slice(0, 2)
            .map(action => (
              <IconButton
                key={action}
                glyph={ACTION_GLYPHS[action]}
                label={actions.label(action)}
                onClick={() => perform(action)}
              />
            ))}
          {available.length > 0 && (
            <IconButton
              glyph="more"
              label={words.trans.__('More actions')}
              onClick={event => openMenu(event.currentTarget)}
            />
          )}
        </span>
      </div>
      {open && <Details task={task} now={props.now} />}
    </div>
  );
});

interface IMetaProps extends ITaskRowProps {
  look: Look;
  retry: () => void;
}

/** The second line (from 640 px on, the columns): bytes, rate and time left, or the reason. */
function Meta({ task, now, live, look, retry }: IMetaProps): React.JSX.Element {
  const { store, words } = useHost();
  const { trans } = words;
  const progress = words.progress(task.received, task.total);
  if (look === 'running') {
    const reading = live ? store.reading(task) : null;
    const left = task.total === null ? trans.__('size unknown') : words.left(reading);
    return (
      <span className="jp-bgdl-Meta">
        <span className="jp-bgdl-Meta-amount">{progress}</span>
        <span className="jp-bgdl-Meta-rate">
          {words.rate(reading) || (live && task.rate > 0 ? formatRate(task.rate) : '')}
        </span>
        <span className="jp-bgdl-Meta-end">{live ? left : ''}</span>
      </span>
    );
  }
  if (look === 'done') {
    return (
      <span className="jp-bgdl-Meta">
        <span className="jp-bgdl-Meta-amount">{bytes(task.received)}</span>
        <span className="jp-bgdl-Meta-verified">
          {task.verified && (
            <>
              <Glyph name="check" />
              <span>{trans.__('verified')}</span>
            </>
          )}
          {task.kind === 'upload' && words.answer(task)}
        </span>
        <span className="jp-bgdl-Meta-end">{words.past(task.completed_at ?? now, now)}</span>
      </span>
    );
  }
  if (look === 'failed') {
    return (
      <span className="jp-bgdl-Meta">
        <span className="jp-bgdl-Meta-why">{words.failure(task)}</span>
        <span className="jp-bgdl-Meta-end">
          {live && (
            <button
              type="button"
              className="jp-bgdl-Link"
              tabIndex={-1}
              onClick={event => {
                event.stopPropagation();
                retry();
              }}
            >
              {trans.__('Retry')}
            </button>
          )}
        </span>
      </span>
    );
  }
  const size = task.received > 0 ? progress : task.total === null ? '' : bytes(task.total);
  return (
    <span className="jp-bgdl-Meta">
      <span className="jp-bgdl-Meta-why">{words.reason(task, now)}</span>
      <span className="jp-bgdl-Meta-end">{look === 'cancelled' ? '' : size}</span>
    </span>
  );
}

/** A bar where there is something to measure; a task that never began needs none. */
function Progress({ task, look }: { task: ITaskView; look: Look }): React.JSX.Element | null {
  const { words } = useHost();
  const over = look === 'done' || look === 'failed' || look === 'cancelled';
  if (over || (look !== 'running' && task.received === 0)) {
    return null;
  }
  const known = task.total !== null && task.total > 0;
  if (!known && look !== 'running') {
    return null;
  }
  return (
    <Bar
      label={task.name}
      text={words.progress(task.received, task.total)}
      fraction={known ? task.received / task.total! : null}
    />
  );
}
