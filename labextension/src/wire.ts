/**
 * The wire: what the server sends and takes, as `jupyter_bgdl/model.py` and `messages.py` define
 * it. Times are seconds since the epoch (UTC), sizes bytes, rates bytes a second.
 */

/** The public states, as `URLSessionTask.State`. */
export type TaskState = 'running' | 'suspended' | 'canceling' | 'completed';

/** Where a task is in its life; finer than its state. */
export type Phase = 'suspended' | 'waiting' | 'running' | 'finishing' | 'canceling' | 'completed';

/** Why a task in phase *waiting* does not run. */
export type WaitingFor =
  | 'earliest_begin_date'
  | 'conditions'
  | 'network'
  | 'retry'
  | 'disk_space'
  | 'credentials'
  | 'turn';

/** Why something failed; `message` is for a person. */
export interface IErrorView {
  code: string;
  message: string;
}

/** The final response's head; the URL is redacted. */
export interface IResponseView {
  url: string;
  status_code: number;
  headers: { [name: string]: string };
}

/** A task; a newer view has a larger `revision`. */
export interface ITaskView {
  session: string;
  task_identifier: number;
  /** Of an upload, `received` are the bytes that were sent. */
  kind: 'download' | 'upload';
  generation: number;
  revision: number;
  state: TaskState;
  phase: Phase;
  waiting_for: WaitingFor | null;
  until: number | null;
  reason: string;
  name: string;
  host: string;
  url: string;
  description: string;
  method?: string;
  /** 0 to 1. */
  priority?: number;
  earliest_begin_date?: number | null;
  count_of_bytes_client_expects_to_send?: number | null;
  count_of_bytes_client_expects_to_receive?: number | null;
  /** Bytes that came with resume data. */
  resumed_at?: number | null;
  destination: string | null;
  path: string | null;
  received: number;
  total: number | null;
  rate: number;
  attempts: number;
  checksum: string | null;
  verified: boolean;
  error: IErrorView | null;
  response: IResponseView | null;
  created_at: number;
  completed_at: number | null;
}

/** Why a task is where it is, at the moment that it was asked. */
export interface IExplanation {
  why: string;
  since: number;
  until: number | null;
  /** What would change it. */
  help: string[];
}

/** The kernel (or script) that a session's events go to. */
export interface IOwnerView {
  name: string;
  kernel_id: string | null;
  notebook: string | null;
}

/** A session's launch cell: what the server runs in a fresh kernel if nobody is there. */
export interface ILaunchView {
  /** As the contents API writes it. */
  notebook: string;
  target: string | null;
  enabled: boolean;
  running: boolean;
  /** Launches in a row after which no event had been delivered. */
  fruitless: number;
  until: number | null;
  /** Why a person is to run it. */
  notice: string | null;
}

/** How many tasks of a session are in each condition. */
export interface ICounts {
  suspended: number;
  waiting: number;
  running: number;
  done: number;
  failed: number;
  cancelled: number;
}

/** A session; a newer view has a larger `revision`. */
export interface ISessionView {
  identifier: string;
  revision: number;
  owner: IOwnerView | null;
  counts: ICounts;
  received: number;
  total: number;
  total_is_known: boolean;
  rate: number;
  undelivered: number;
  parked: number;
  /** Missing in a bundle that was saved by an earlier version. */
  launch?: ILaunchView | null;
  created_at: number;
}

/** A page of tasks, ascending; pass `next` as `after` for the following one. */
export interface ITaskPage {
  tasks: ITaskView[];
  next: number | null;
}

/** Answer of `GET /bgdl`. */
export interface IServerInfo {
  name: 'jupyter_bgdl';
  version: string;
  protocol: number;
  /** Absolute path, symlinks resolved, of the folder that the file browser shows. */
  root: string | null;
}

/** A line of a session's log. */
export interface ILogLine {
  number: number;
  time: number;
  source: 'callback' | 'server';
  text: string;
}

export interface ILogPage {
  lines: ILogLine[];
}

/** Body of every error answer. */
export interface IFailure {
  error: IErrorView;
}

/** What a browser says on the channel. */
export type ClientMessage =
  | { type: 'hello'; incarnation: null }
  | { type: 'watch'; session: string | null; tasks: boolean }
  | { type: 'unwatch'; session: string | null; tasks: boolean };

/** What the server says on the channel to somebody who only watches. */
export type ServerMessage =
  | {
      type: 'snapshot';
      watch: string | null;
      sessions: ISessionView[];
      /** Null: it was watched without them. */
      tasks: ITaskView[] | null;
    }
  | { type: 'state'; sessions: ISessionView[]; tasks: ITaskView[] }
  /** Without a task, the session itself is gone. */
  | { type: 'removed'; session: string; task_identifier: number | null }
  | { type: 'refused'; code: string; message: string };

/** The MIME type of a session's (or a task's) output. */
export const MIME_TYPE = 'application/vnd.jupyter-bgdl.session+json';
