/**
 * One per page: what the panel, the output views and the widgets know about the transfers.
 *
 * It watches only what somebody looks at, keeps the newest values with their time, and tells its
 * listeners at once; components redraw by animation frame, so a hidden tab draws nothing.
 */

import { Channel, ChannelStatus, IEndpoint } from './channel';
import { Further } from './further';
import { IReading, Meter } from './meter';
import { State, Tasks } from './state';
import {
  IErrorView,
  IExplanation,
  ILaunchCell,
  ILogLine,
  ISessionView,
  ISpec,
  ITaskView,
  IUsageReport,
  ServerMessage
} from './wire';
import { isFinished } from './words';

/** The REST calls that the page makes; each rejects with {@link IErrorView}'s message. */
export interface IServer extends IEndpoint {
  act(session: string, number: number, verb: TaskVerb): Promise<ITaskView>;
  remove(session: string, number: number): Promise<void>;
  /** Null: there is no such task. */
  task(session: string, number: number): Promise<ITaskView | null>;
  explain(session: string, number: number): Promise<IExplanation>;
  /** Page by page; `completed`: those alone, or (false) the others; null: all. */
  tasks(session: string, completed: boolean | null): AsyncGenerator<ITaskView[]>;
  log(session: string, after: number): Promise<ILogLine[]>;
  runLaunchCell(session: string): Promise<void>;
  launchCell(session: string): Promise<ILaunchCell>;
  switchLaunch(session: string, enabled: boolean): Promise<void>;
  actOnAll(session: string, verb: SessionVerb): Promise<ISessionView>;
  submit(session: string, specs: ISpec[]): Promise<void>;
  usage(): Promise<IUsageReport>;
  cleanUp(): Promise<void>;
}

/** What a person can ask of a task. */
export type TaskVerb = 'resume' | 'suspend' | 'cancel' | 'retry';

/** What a person can ask of a whole session. */
export type SessionVerb = 'resume' | 'suspend' | 'redeliver';

/** Something that changed: a task, a session, or (null) anything. */
export interface IChange {
  session: string | null;
  before?: ITaskView;
  after?: ITaskView;
}

export interface IDisposer {
  (): void;
}

export class Store {
  constructor(private _server: IServer) {
    this._channel = new Channel(_server, {
      message: message => this._take(message),
      statusChanged: () => this._statusChanged()
    });
  }

  /** Whether the values are live. */
  get status(): ChannelStatus {
    return this._channel.status;
  }

  /** Milliseconds since the epoch at which the last values came; null: none ever. */
  get asOf(): number | null {
    return this._asOf;
  }

  get nextTry(): number | null {
    return this._channel.nextTry;
  }

  get sessions(): ISessionView[] {
    return this._state.sessions;
  }

  session(identifier: string): ISessionView | undefined {
    return this._state.session(identifier);
  }

  tasks(identifier: string): Tasks {
    return this._state.tasks(identifier);
  }

  task(identifier: string, number: number): ITaskView | undefined {
    return this._state.task(identifier, number);
  }

  /** True once the server said what there is: then a session that is unknown does not exist. */
  answered(session: string | null): boolean {
    return this._answered.has(session) || this._answered.has(null);
  }

  /** The folder that the file browser shows; null: not known (yet). */
  get root(): string | null {
    return this._root;
  }

  /** Rises with every change. */
  get version(): number {
    return this._version;
  }

  /** True once the server said which sessions there are, with their counts. */
  get counted(): boolean {
    return this._counted;
  }

  /** True while the session's tasks are up to date: somebody watches them, over this connection. */
  follows(session: string): boolean {
    return this._followed.has(session) || this._followed.has(null);
  }

  /**
   * Keep a session (null: all of them) up to date until the returned function is called; without
   * `tasks` its counts and rate alone, which cost a page next to nothing.
   */
  watch(session: string | null, tasks = true): IDisposer {
    this._channel.watch(session, tasks);
    let watching = true;
    return () => {
      if (watching) {
        watching = false;
        this._channel.unwatch(session, tasks);
        if (tasks && !this._channel.watches(session, true)) {
          this._answered.delete(session);
          this._followed.delete(session);
        }
      }
    };
  }

  /** Call `listener` on every change, at once. */
  subscribe(listener: (change: IChange) => void): IDisposer {
    this._listeners.add(listener);
    return () => this._listeners.delete(listener);
  }

  tryNow(): void {
    this._channel.tryNow();
  }

  /** Speed and time left of a task; null unless it runs and the values are live. */
  reading(task: ITaskView): IReading | null {
    const meter = this._meters.get(`${task.session}/${task.task_identifier}`);
    return meter && this.status === 'connected' ? meter.read(performance.now() / 1000) : null;
  }

  /** Rates of the last minute, a value a second, and the newest one; null: not live. */
  sessionReading(session: ISessionView): (IReading & { history: number[] }) | null {
    const meter = this._meters.get(session.identifier);
    if (!meter || this.status !== 'connected') {
      return null;
    }
    return { ...meter.read(performance.now() / 1000), history: meter.history };
  }

  async act(task: ITaskView, verb: TaskVerb): Promise<void> {
    this._putTasks([await this._server.act(task.session, task.task_identifier, verb)]);
  }

  async remove(task: ITaskView): Promise<void> {
    await this._server.remove(task.session, task.task_identifier);
    this._removed(task.session, task.task_identifier);
  }

  /** Fetch a task that a snapshot did not hold; false: there is none. */
  async fetchTask(session: string, number: number): Promise<boolean> {
    const view = await this._server.task(session, number);
    if (view) {
      this._putTasks([view]);
    }
    return view !== null;
  }

  /** Fetch all completed tasks of a session, page by page. */
  async fetchCompleted(session: string): Promise<void> {
    for await (const page of this._server.tasks(session, true)) {
      this._putTasks(page);
    }
  }

  /** Fetch all tasks of a session, page by page. */
  async fetchAll(session: string): Promise<void> {
    for await (const page of this._server.tasks(session, null)) {
      this._putTasks(page);
    }
  }

  /** Fetch some tasks that are not finished, or failed, and that nobody here knows yet. */
  fetchMore(session: string): Promise<void> {
    let further = this._further.get(session);
    if (!further) {
      further = new Further(this._unmet(session), page => {
        this._putTasks(page);
        return Array.from(this.tasks(session).values()).filter(task => !isFinished(task)).length;
      });
      this._further.set(session, further);
    }
    return further.fetch();
  }

  explain(task: ITaskView): Promise<IExplanation> {
    return this._server.explain(task.session, task.task_identifier);
  }

  log(session: string, after: number): Promise<ILogLine[]> {
    return this._server.log(session, after);
  }

  /** What comes of it is told by the channel. */
  runLaunchCell(session: string): Promise<void> {
    return this._server.runLaunchCell(session);
  }

  /** Only for who may run code. */
  launchCell(session: string): Promise<ILaunchCell> {
    return this._server.launchCell(session);
  }

  /** What comes of it is told by the channel. */
  switchLaunch(session: string, enabled: boolean): Promise<void> {
    return this._server.switchLaunch(session, enabled);
  }

  /** Pause or resume all that a session has to do, or deliver again what was parked. */
  async actOnAll(session: string, verb: SessionVerb): Promise<void> {
    this._putSessions([await this._server.actOnAll(session, verb)]);
  }

  /** All or none. What comes of it is told by the channel. */
  submit(session: string, specs: ISpec[]): Promise<void> {
    return this._server.submit(session, specs);
  }

  usage(): Promise<IUsageReport> {
    return this._server.usage();
  }

  /** What is forgotten is told by the channel. */
  cleanUp(): Promise<void> {
    return this._server.cleanUp();
  }

  dispose(): void {
    this._channel.dispose();
    this._listeners.clear();
  }

  private async *_unmet(session: string): AsyncGenerator<ITaskView[], void> {
    yield* this._server.tasks(session, false);
    yield* this._server.tasks(session, true);
  }

  private _take(message: ServerMessage): void {
    if (message.type === 'refused') {
      console.warn(`jupyter-bgdl: the server refused (${message.code}): ${message.message}`);
      return;
    }
    this._asOf = Date.now();
    if (message.type === 'removed') {
      this._removed(message.session, message.task_identifier);
      return;
    }
    if (message.type === 'snapshot') {
      this._counted ||= message.watch === null;
      if (message.tasks !== null) {
        this._answered.add(message.watch);
        this._followed.add(message.watch);
      }
      // It forgets what further pages held.
      this._further.clear();
      this._state.replace(message.watch, message.sessions, message.tasks);
      message.tasks?.forEach(view => this._measureTask(view));
      message.sessions.forEach(view => this._measureSession(view));
      this._changed({ session: message.watch });
    } else {
      this._putTasks(message.tasks);
      this._putSessions(message.sessions);
    }
    this._channel.expecting = this._state.sessions.some(view => view.rate > 0);
  }

  private _putSessions(views: ISessionView[]): void {
    for (const view of views) {
      if (this._state.putSession(view)) {
        this._measureSession(view);
        this._changed({ session: view.identifier });
      }
    }
  }

  private _putTasks(views: ITaskView[]): void {
    for (const view of views) {
      const before = this._state.task(view.session, view.task_identifier);
      if (this._state.putTask(view)) {
        this._measureTask(view);
        this._changed({ session: view.session, before, after: view });
      }
    }
  }

  private _removed(session: string, number: number | null): void {
    if (number === null) {
      this._state.forget(session);
    } else {
      this._state.remove(session, number);
      this._meters.delete(`${session}/${number}`);
    }
    this._changed({ session });
  }

  private _measureTask(view: ITaskView): void {
    const key = `${view.session}/${view.task_identifier}`;
    if (view.phase === 'running') {
      this._measure(key, view.received, view.total, view.rate);
    } else {
      this._meters.delete(key);
    }
  }

  private _measureSession(view: ISessionView): void {
    if (view.counts.running > 0) {
      const total = view.total_is_known ? view.total : null;
      this._measure(view.identifier, view.received, total, view.rate);
    } else {
      this._meters.delete(view.identifier);
    }
  }

  private _measure(key: string, received: number, total: number | null, rate: number): void {
    let meter = this._meters.get(key);
    if (!meter) {
      this._meters.set(key, (meter = new Meter()));
    }
    meter.observe(performance.now() / 1000, received, total, rate);
  }

  private _statusChanged(): void {
    if (this.status === 'connected' && this._root === null) {
      this._learnRoot();
    }
    if (this.status === 'lost') {
      this._state.nextConnection();
      this._followed.clear();
      this._meters.clear();
      this._channel.expecting = false;
    }
    this._changed({ session: null });
  }

  private _learnRoot(): void {
    this._server
      .info()
      .then(({ root }) => {
        this._root = root;
        this._changed({ session: null });
      })
      .catch(reason => console.warn('jupyter-bgdl: the server did not say who it is', reason));
  }

  private _changed(change: IChange): void {
    this._version += 1;
    for (const listener of this._listeners) {
      listener(change);
    }
  }

  private _state = new State();
  private _channel: Channel;
  private _meters = new Map<string, Meter>();
  private _answered = new Set<string | null>();
  private _further = new Map<string, Further>();
  private _followed = new Set<string | null>();
  private _counted = false;
  private _listeners = new Set<(change: IChange) => void>();
  private _asOf: number | null = null;
  private _root: string | null = null;
  private _version = 0;
}

/** An error answer of the server, as something to throw. */
export class ServerError extends Error {
  constructor(readonly view: IErrorView) {
    super(view.message);
  }
}
