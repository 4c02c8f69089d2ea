/**
 * The newest view of every session and task that this page has heard of, and nothing older.
 *
 * Pure data: no socket, no clock, no component. A view replaces another one if its revision is
 * larger, or if it came over a newer connection (a restarted server may have forgotten the
 * progress that it had not written down).
 */

import { ISessionView, ITaskView } from './wire';

interface IEntry<T> {
  view: T;
  connection: number;
}

/** A session's tasks, by identifier. */
export type Tasks = ReadonlyMap<number, ITaskView>;

/** How many finished tasks of a session a snapshot holds at most. */
const SNAPSHOT_FINISHED = 50;

const isOver = (view: ITaskView): boolean => view.phase === 'completed';

const NO_TASKS: Tasks = new Map();

export class State {
  /** Views that arrive from now on come over another connection. */
  nextConnection(): void {
    this._connection += 1;
  }

  get sessions(): ISessionView[] {
    return Array.from(this._sessions.values(), entry => entry.view).sort(
      (a, b) => b.created_at - a.created_at || (a.identifier < b.identifier ? -1 : 1)
    );
  }

  session(identifier: string): ISessionView | undefined {
    return this._sessions.get(identifier)?.view;
  }

  /** The same map until one of the session's tasks changes. */
  tasks(identifier: string): Tasks {
    const cached = this._lists.get(identifier);
    if (cached) {
      return cached;
    }
    const entries = this._tasks.get(identifier);
    if (!entries) {
      return NO_TASKS;
    }
    const list = new Map(Array.from(entries, ([number, entry]) => [number, entry.view]));
    this._lists.set(identifier, list);
    return list;
  }

  task(identifier: string, number: number): ITaskView | undefined {
    return this._tasks.get(identifier)?.get(number)?.view;
  }

  /** Returns false for a view that is not newer. */
  putSession(view: ISessionView): boolean {
    const old = this._sessions.get(view.identifier);
    if (old && old.connection === this._connection && old.view.revision >= view.revision) {
      return false;
    }
    this._sessions.set(view.identifier, { view, connection: this._connection });
    return true;
  }

  /** Returns false for a view that is not newer. */
  putTask(view: ITaskView): boolean {
    let tasks = this._tasks.get(view.session);
    if (!tasks) {
      this._tasks.set(view.session, (tasks = new Map<number, IEntry<ITaskView>>()));
    }
    const old = tasks.get(view.task_identifier);
    if (old && old.connection === this._connection && old.view.revision >= view.revision) {
      return false;
    }
    tasks.set(view.task_identifier, { view, connection: this._connection });
    this._lists.delete(view.session);
    return true;
  }

  /**
   * A snapshot names everything unfinished that there is, and the newest finished tasks: what it
   * does not name is gone, except older finished tasks. Without tasks (null) it says nothing of them.
   */
  replace(watch: string | null, sessions: ISessionView[], tasks: ITaskView[] | null): void {
    const alive = new Set(sessions.map(view => view.identifier));
    for (const identifier of watch === null ? Array.from(this._sessions.keys()) : [watch]) {
      if (!alive.has(identifier)) {
        this.forget(identifier);
      }
    }
    sessions.forEach(view => this.putSession(view));
    if (tasks === null) {
      return;
    }
    const named = new Set(tasks.map(view => `${view.session}/${view.task_identifier}`));
    for (const identifier of alive) {
      const finished = tasks.filter(view => view.session === identifier && isOver(view)).length;
      for (const [number, { view }] of this._tasks.get(identifier) ?? []) {
        const mayBeOlder = isOver(view) && finished >= SNAPSHOT_FINISHED;
        if (!mayBeOlder && !named.has(`${identifier}/${number}`)) {
          this.remove(identifier, number);
        }
      }
    }
    tasks.forEach(view => this.putTask(view));
  }

  remove(identifier: string, number: number): void {
    this._tasks.get(identifier)?.delete(number);
    this._lists.delete(identifier);
  }

  forget(identifier: string): void {
    this._sessions.delete(identifier);
    this._tasks.delete(identifier);
    this._lists.delete(identifier);
  }

  private _connection = 0;
  private _sessions = new Map<string, IEntry<ISessionView>>();
  private _tasks = new Map<string, Map<number, IEntry<ITaskView>>>();
  private _lists = new Map<string, Tasks>();
}
