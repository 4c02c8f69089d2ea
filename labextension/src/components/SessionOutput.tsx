/** A session in a notebook's output: a head, the rows that matter now, the rest on demand. */

import * as React from 'react';

import { daysAhead, clock, day } from '../format';
import { useHost, useNow, useStore, useWatch } from '../host';
import { ISessionView, ITaskView } from '../wire';
import { allVerified, compareTasks, isOver, lookOf, Words } from '../words';
import { Bar } from './Bar';
import { ConnectionBand, WaitingBand } from './Band';
import { figuresOf } from './figures';
import { Fold } from './Fold';
import { Glyph } from './Glyph';
import { Log } from './Log';
import { Plot } from './Plot';
import { TaskList, useResting, useRestingOrder } from './TaskList';
import { Tree } from './Tree';

/** Rows that are shown before *more*. */
const ROWS = 5;

export function SessionOutput({ identifier }: { identifier: string }): React.JSX.Element {
  const { words } = useHost();
  const store = useStore();
  useWatch(identifier);
  // Its counts may be known before: a head without rows would only jump.
  const answered = store.answered(identifier);
  const session = store.session(identifier);
  const live = store.status === 'connected';
  return (
    <div className={live ? 'jp-bgdl-View' : 'jp-bgdl-View jp-mod-old'} data-session={identifier}>
      <ConnectionBand />
      {session && answered && (
        <Tree label={words.trans.__('Transfer session %1', identifier)}>
          <Content session={session} live={live} />
        </Tree>
      )}
      {!session && answered && (
        <p className="jp-bgdl-View-none">
          {words.trans.__('This server has no transfer session %1.', identifier)}
        </p>
      )}
    </div>
  );
}

function Content({ session, live }: { session: ISessionView; live: boolean }): React.JSX.Element {
  const host = useHost();
  const { store } = host;
  const now = useNow();
  const over = isOver(session);
  const [chosen, setOpen] = React.useState<boolean | null>(null);
  const [all, setAll] = React.useState(false);
  const { resting, handlers } = useResting();
  const open = chosen ?? !over;
  const tasks = store.tasks(session.identifier);
  const sorted = React.useMemo(() => Array.from(tasks.values()).sort(compareTasks), [tasks]);
  const ordered = useRestingOrder(sorted, resting);
  const rows = over && session.counts.failed === 0 ? ordered : salient(ordered);
  const rest = ordered.filter(task => !rows.includes(task));

  const unfold = (wanted: boolean) => {
    setOpen(wanted);
    const { done, failed, cancelled } = session.counts;
    if (wanted && tasks.size < done + failed + cancelled) {
      store.fetchCompleted(session.identifier).catch(reason => {
        console.warn('jupyter-bgdl: the finished tasks could not be fetched', reason);
      });
    }
  };

  return (
    <div role="none" {...handlers}>
      <Head session={session} now={now} open={open} over={over} onToggle={unfold} />
      {/* Folded, too: it is when all is done that somebody has to hear of it. */}
      <WaitingBand session={session} />
      {open && (
        <>
          <div className="jp-bgdl-View-rows" role="none">
            <TaskList tasks={rows} now={now} live={live} level={2} />
          </div>
          {rest.length > 0 && (
            <Fold open={all} level={2} text={host.words.more(rest)} onToggle={setAll} />
          )}
          {all && (
            <div className="jp-bgdl-View-rows" role="none">
              <TaskList tasks={rest} now={now} live={live} level={2} />
            </div>
          )}
          <Log session={session.identifier} live={live} />
        </>
      )}
    </div>
  );
}

/** The rows that matter now, in their order: what is to come, but at least one that failed. */
export function salient(tasks: ITaskView[]): ITaskView[] {
  const failed = tasks.filter(task => lookOf(task) === 'failed');
  const unfinished = tasks.filter(task => task.phase !== 'completed');
  const finished = tasks.filter(task => task.phase === 'completed' && !failed.includes(task));
  const chosen = [...unfinished.slice(0, failed.length ? ROWS - 1 : ROWS), ...failed, ...finished];
  const kept = new Set(chosen.slice(0, ROWS));
  return tasks.filter(task => kept.has(task));
}

interface IHeadProps {
  session: ISessionView;
  now: number;
  open: boolean;
  over: boolean;
  onToggle: (open: boolean) => void;
}

/** One line, and the bar under it while something is to come. */
function Head({ session, now, open, over, onToggle }: IHeadProps): React.JSX.Element {
  const host = useHost();
  const { store, words } = host;
  const { trans } = words;
  const figures = figuresOf(host, session, now);
  const tasks = Array.from(store.tasks(session.identifier).values());
  const good = session.counts.failed === 0;
  return (
    <div
      className={over ? 'jp-bgdl-ViewHead jp-mod-over' : 'jp-bgdl-ViewHead'}
      role="treeitem"
      aria-level={1}
      aria-expanded={open}
      aria-label={session.identifier}
      tabIndex={-1}
      data-mood={figures.mood}
      onClick={() => onToggle(!open)}
      onKeyDown={event => {
        const wanted = { Enter: !open, ' ': !open, ArrowRight: true, ArrowLeft: false }[event.key];
        if (wanted !== undefined && wanted !== open) {
          event.preventDefault();
          event.stopPropagation();
          onToggle(wanted);
        }
      }}
    >
      <div className="jp-bgdl-ViewHead-line">
        <span className="jp-bgdl-ViewHead-glyph" data-look={good ? 'done' : 'failed'}>
          {over ? (
            <Glyph name={good ? 'done' : 'failed'} />
          ) : (
            <Glyph name={open ? 'down' : 'right'} />
          )}
        </span>
        <span className="jp-bgdl-ViewHead-title">
          <bdi title={session.identifier}>{session.identifier}</bdi>
          <span>{over ? words.summary(session, allVerified(session, tasks)) : figures.done}</span>
        </span>
        {!over && (
          <>
            <span className="jp-bgdl-ViewHead-plot">
              <Plot rates={figures.rates} label={trans.__('Rate of the last minute')} />
            </span>
            <span className="jp-bgdl-ViewHead-amount">{figures.amount}</span>
            <span className="jp-bgdl-ViewHead-rate">{figures.rate}</span>
          </>
        )}
        <span className="jp-bgdl-ViewHead-finish">
          {over ? finished(tasks, now, words) : figures.finish}
        </span>
        {over && (
          <span className="jp-bgdl-ViewHead-caret">
            <Glyph name={open ? 'down' : 'right'} />
          </span>
        )}
      </div>
      {!over && (
        <Bar
          label={session.identifier}
          text={trans.__('%1, %2', figures.done, figures.amount)}
          fraction={figures.fraction}
        />
      )}
    </div>
  );
}

/** `finished today at 02:04`. */
function finished(tasks: ITaskView[], now: number, words: Words): string {
  const last = Math.max(0, ...tasks.map(task => task.completed_at ?? 0));
  if (last === 0) {
    return '';
  }
  const { trans } = words;
  return daysAhead(last, now) === 0
    ? trans.__('finished today at %1', clock(last))
    : trans.__('finished on %1 at %2', day(last), clock(last));
}
