/**
 * What got done or failed, by the sessions' counts: a page that shows no task is told these, too.
 *
 * A first sight is no news. Failures are gathered over five seconds; what is done is told when
 * nothing moves in its session any more, so that a hundred files are one piece of news.
 */

import { IChange, IDisposer, Store } from './store';
import { ICounts, ITaskView } from './wire';
import { lookOf } from './words';

const GATHER = 5000;

/** What there is to tell of one session. */
export interface INews {
  session: string;
  kind: 'done' | 'failed';
  count: number;
  /** The one task that it is about, if it is one and known. */
  task: ITaskView | null;
}

interface IGathered {
  done: number;
  failed: number;
  /** Of those that were seen ending, the last of each kind. */
  last: { done: ITaskView | null; failed: ITaskView | null };
}

export class News {
  constructor(
    private _store: Store,
    private _tell: (news: INews) => void
  ) {
    this._stop = _store.subscribe(change => this._notice(change));
  }

  dispose(): void {
    this._stop();
    window.clearTimeout(this._timer);
  }

  private _notice({ session, after }: IChange): void {
    if (!this._store.counted) {
      return;
    }
    if (session === null) {
      this._store.sessions.forEach(view => this._count(view.identifier, view.counts));
      this._isFirst = false;
      return;
    }
    if (after) {
      this._remember(after);
      return;
    }
    const view = this._store.session(session);
    if (view) {
      this._count(session, view.counts);
    } else {
      this._counts.delete(session);
    }
  }

  private _remember(task: ITaskView): void {
    const look = lookOf(task);
    if (look === 'done' || look === 'failed') {
      const { last } = this._of(task.session);
      if ((task.completed_at ?? 0) >= (last[look]?.completed_at ?? 0)) {
        last[look] = task;
      }
    }
  }

  private _count(session: string, now: ICounts): void {
    const before = this._counts.get(session) ?? (this._isFirst ? now : { done: 0, failed: 0 });
    this._counts.set(session, now);
    const done = Math.max(0, now.done - before.done);
    const failed = Math.max(0, now.failed - before.failed);
    if (done + failed > 0) {
      const gathered = this._of(session);
      gathered.done += done;
      gathered.failed += failed;
      this._timer ||= window.setTimeout(() => this._look(), GATHER);
    }
  }

  private _of(session: string): IGathered {
    let gathered = this._gathered.get(session);
    if (!gathered) {
      gathered = { done: 0, failed: 0, last: { done: null, failed: null } };
      this._gathered.set(session, gathered);
    }
    return gathered;
  }

  /** Tell what is to be told, keep the rest. */
  private _look(): void {
    this._timer = 0;
    for (const [session, { done, failed, last }] of Array.from(this._gathered)) {
      const moves = (this._store.session(session)?.counts.running ?? 0) > 0;
      this._gathered.delete(session);
      if (failed > 0) {
        this._tell({
          session,
          kind: 'failed',
          count: failed,
          task: failed > 1 ? null : last.failed
        });
      }
      if (done > 0 && moves) {
        this._gathered.set(session, { done, failed: 0, last: { done: last.done, failed: null } });
      } else if (done > 0) {
        this._tell({ session, kind: 'done', count: done, task: done > 1 ? null : last.done });
      }
    }
    if (this._gathered.size > 0) {
      this._timer ||= window.setTimeout(() => this._look(), GATHER);
    }
  }

  private _isFirst = true;
  private _counts = new Map<string, Pick<ICounts, 'done' | 'failed'>>();
  private _gathered = new Map<string, IGathered>();
  private _timer = 0;
  private _stop: IDisposer;
}
