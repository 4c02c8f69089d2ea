/** A session in the panel: who listens, how far it is, when it is done, and its tasks. */

import * as React from 'react';

import { entriesOf } from '../entries';
import { IFilter, isAsking, matches } from '../filter';
import { useHost } from '../host';
import { COMPARE } from '../sorting';
import { ISessionView } from '../wire';
import { isFinished, total } from '../words';
import { Bar } from './Bar';
import { WaitingBand } from './Band';
import { figuresOf } from './figures';
import { Fold } from './Fold';
import { Glyph } from './Glyph';
import { IconButton } from './IconButton';
import { Plot } from './Plot';
import { TaskList, useResting, useRestingOrder } from './TaskList';

/** Finished tasks that stay in sight. */
const NEWEST = 2;

export interface ISessionGroupProps {
  session: ISessionView;
  now: number;
  live: boolean;
  position: number;
  size: number;
  filter: IFilter;
}

export function SessionGroup(props: ISessionGroupProps): React.JSX.Element {
  const { session, now, live, filter } = props;
  const host = useHost();
  const { actions, store, words } = host;
  const { trans } = words;
  const [open, setOpen] = React.useState(true);
  const [all, setAll] = React.useState(false);
  const { resting, handlers } = useResting();
  const sorted = React.useMemo(
    () => Array.from(store.tasks(session.identifier).values()).sort(COMPARE[filter.order]),
    // eslint-disable-next-line react-hooks/exhaustive-deps -- the map is new when a task is
    [store.tasks(session.identifier), filter.order]
  );
  const asks = isAsking(filter);
  const chosen = asks ? sorted.filter(task => matches(task, filter)) : sorted;
  // What is asked for is not folded.
  const finished = asks ? [] : sorted.filter(isFinished);
  const rows = useRestingOrder(
    [...chosen.filter(task => asks || !isFinished(task)), ...finished.slice(0, NEWEST)],
    resting
  );
  const older = finished.slice(NEWEST);
  const { counts } = session;
  const hidden = asks ? 0 : Math.max(older.length, counts.done + counts.cancelled - NEWEST);
  /** Of those that would stand among the rows: how many only the server knows. */
  const unmet = asks
    ? 0
    : Math.max(
        0,
        total(counts) - counts.done - counts.cancelled - (sorted.length - finished.length)
      );
  const figures = figuresOf(host, session, now);
  const hasMenu = live && entriesOf(session).length > 0;

  const openMenu = (node: HTMLElement) => {
    if (hasMenu) {
      const { right, bottom } = node.getBoundingClientRect();
      actions.sessionMenu(session, right - 24, bottom - 8);
    }
  };

  const isPartial = sorted.length < total(counts);
  React.useEffect(() => {
    if (asks && live && isPartial) {
      attempt(store.fetchAll(session.identifier));
    }
  }, [store, asks, live, isPartial, session.identifier]);

  const unfold = (wanted: boolean) => {
    setAll(wanted);
    if (wanted && hidden > older.length) {
      attempt(store.fetchCompleted(session.identifier));
    }
  };

  return (
    <div className="jp-bgdl-Group" role="none" data-session={session.identifier} {...handlers}>
      <div
        className="jp-bgdl-Head"
        role="treeitem"
        aria-level={1}
        aria-posinset={props.position}
        aria-setsize={props.size}
        aria-expanded={open}
        aria-label={session.identifier}
        tabIndex={-1}
        data-mood={figures.mood}
        onClick={() => setOpen(!open)}
        onContextMenu={event => {
          if (hasMenu) {
            event.preventDefault();
            event.stopPropagation();
            actions.sessionMenu(session, event.clientX, event.clientY);
          }
        }}
        onKeyDown={event => {
          if (event.key === 'ContextMenu' || (event.key === 'F10' && event.shiftKey)) {
            event.preventDefault();
            event.stopPropagation();
            openMenu(event.currentTarget);
            return;
          }
          const wanted = { Enter: !open, ' ': !open, ArrowRight: true, ArrowLeft: false }[
            event.key
          ];
          if (wanted !== undefined && wanted !== open) {
            event.preventDefault();
            event.stopPropagation();
            setOpen(wanted);
          }
        }}
      >
        <span className="jp-bgdl-Head-caret">
          <Glyph name={open ? 'down' : 'right'} />
        </span>
        <bdi className="jp-bgdl-Head-title" title={session.identifier}>
          {session.identifier}
        </bdi>
        <span className="jp-bgdl-Head-rate">
          {hasMenu && (
            <span className="jp-bgdl-Head-menu">
              <IconButton
                glyph="more"
                label={trans.__('More actions')}
                onClick={event => openMenu(event.currentTarget)}
              />
            </span>
          )}
          <Plot rates={figures.rates} label={trans.__('Rate of the last minute')} />
          {figures.rate}
        </span>
        <span className="jp-bgdl-Head-line">
          <span className="jp-bgdl-Head-who">
            {session.owner ? (
              <bdi>{trans.__('%1 listens', session.owner.name)}</bdi>
            ) : (
              trans.__('Nobody listens')
            )}
          </span>
          <span className="jp-bgdl-Head-done">{figures.done}</span>
        </span>
        <Bar
          label={session.identifier}
          text={trans.__('%1, %2', figures.done, figures.amount)}
          fraction={figures.fraction}
        />
        <span className="jp-bgdl-Head-line">
          <span className="jp-bgdl-Head-amount">{figures.amount}</span>
          <span className="jp-bgdl-Head-finish">{figures.finish}</span>
        </span>
      </div>
      {open && (
        <>
          <WaitingBand session={session} />
          <TaskList
            tasks={rows}
            size={rows.length + unmet}
            now={now}
            live={live}
            level={2}
            onEnd={() => live && unmet > 0 && attempt(store.fetchMore(session.identifier))}
          />
          {hidden > 0 && (
            <Fold
              open={all}
              level={2}
              text={trans._n('%1 more finished', '%1 more finished', hidden, hidden)}
              onToggle={unfold}
            />
          )}
          {all && <TaskList tasks={older} now={now} live={live} level={2} />}
        </>
      )}
    </div>
  );
}

/** What could not be fetched is not shown, and fetched when it is asked for again. */
function attempt(fetching: Promise<void>): void {
  fetching.catch(reason => {
    console.warn('jupyter-bgdl: the tasks could not be fetched', reason);
  });
}
