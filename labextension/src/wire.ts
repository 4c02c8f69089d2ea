/**
 * The wire: what the server sends and takes. The types are generated from its OpenAPI document
 * (`jlpm types`); these are the names that the page uses. Times are seconds since the epoch (UTC),
 * sizes bytes, rates bytes a second.
 */

import { components } from './wire.generated';

type Schemas = components['schemas'];

/** The public states, as `URLSessionTask.State`. */
export type TaskState = Schemas['TaskState'];

/** Where a task is in its life; finer than its state. */
export type Phase = Schemas['Phase'];

/** Why a task in phase *waiting* does not run. */
export type WaitingFor = Schemas['WaitingFor'];

/** Why something failed; `message` is for a person. */
export type IErrorView = Schemas['ErrorView'];

/** The final response's head; the URL is redacted. */
export type IResponseView = Schemas['ResponseView'];

/** A task; a newer view has a larger `revision`. */
export type ITaskView = Schemas['TaskView'];

/** Why a task is where it is, at the moment that it was asked. */
export type IExplanation = Schemas['Explanation'];

/** The kernel (or script) that a session's events go to. */
export type IOwnerView = Schemas['OwnerView'];

/** A session's launch cell: what the server runs in a fresh kernel if nobody is there. */
export type ILaunchView = Schemas['LaunchView'];

/** How many tasks of a session are in each condition. */
export type ICounts = Schemas['Counts'];

/** A session; a newer view has a larger `revision`. */
export type ISessionView = Schemas['SessionView'];

/** A page of tasks, ascending; pass `next` as `after` for the following one. */
export type ITaskPage = Schemas['TaskPage'];

/** Answer of `GET /bgdl`. */
export type IServerInfo = Schemas['ServerInfo'];

/** A line of a session's log. */
export type ILogLine = Schemas['LogLine'];

export type ILogPage = Schemas['LogPage'];

/** What transfers hold on the disk, and what is to come. */
export type IUsageReport = Schemas['UsageReport'];

/** A session's launch cell with its code; only for who may run code. */
export type ILaunchCell = Schemas['LaunchCell'];

/** A task that is handed in; what is left out is as by default. */
export type ISpec = Partial<Omit<Schemas['TaskSpec'], 'request'>> & { request: { url: string } };

/** Body of every error answer. */
export type IFailure = Schemas['Failure'];

/** What a browser says on the channel. */
export type ClientMessage = Schemas['Hello'] | Schemas['Watch'] | Schemas['Unwatch'];

/** What the server says on the channel to somebody who only watches. */
export type ServerMessage =
  Schemas['Snapshot'] | Schemas['State'] | Schemas['Removed'] | Schemas['Refused'];

/** The MIME type of a session's (or a task's) output. */
export const MIME_TYPE = 'application/vnd.jupyter-bgdl.session+json';
