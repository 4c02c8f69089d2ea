/**
 * The MIME bundle of a session's or a task's output: what may be believed of it, and the final
 * state that is written into it, so that the saved notebook shows it without us.
 */

import { bytes } from './format';
import { ISessionView, ITaskView } from './wire';
import { allVerified, isOver, lookOf, total, Words } from './words';

/** What an output names. */
export interface ISubject {
  session: string;
  /** Null: the whole session. */
  task: number | null;
}

const LONGEST = 255;
/**
 * A session of at most so many tasks is listed task by task. A snapshot holds as many finished
 * tasks, so every page that ever shows the session writes the same.
 */
const LISTED = 50;

/** 1–255 printable characters, no `/`. */
export function isIdentifier(value: unknown): value is string {
  return (
    typeof value === 'string' &&
    value.length > 0 &&
    Array.from(value).length <= LONGEST &&
    !/[/\p{C}\p{Zl}\p{Zp}]/u.test(value)
  );
}

/** The bundle's subject; null for anything that is not exactly as the kernel writes it. */
export function subjectOf(data: unknown): ISubject | null {
  if (typeof data !== 'object' || data === null) {
    return null;
  }
  const { version, session, task } = data as { [key: string]: unknown };
  if (version !== 1 || !isIdentifier(session)) {
    return null;
  }
  if (task === undefined || task === null) {
    return { session, task: null };
  }
  return Number.isSafeInteger(task) && (task as number) > 0
    ? { session, task: task as number }
    : null;
}

export interface IFinalState {
  html: string;
  text: string;
}

/** The final state of a session that is over; null while it is not, or not yet known. */
export function finalSession(
  session: ISessionView,
  tasks: ITaskView[],
  words: Words
): IFinalState | null {
  const count = total(session.counts);
  const listed = count <= LISTED;
  if (!isOver(session) || (listed && tasks.length < count)) {
    return null;
  }
  const last = Math.max(0, ...tasks.map(task => task.completed_at ?? 0));
  const verified = listed && allVerified(session, tasks);
  const summary = [words.summary(session, verified)];
  if (last > 0) {
    summary.push(words.trans.__('finished %1', stamp(last)));
  }
  const text = `${session.identifier}: ${summary.join(', ')}`;
  const head = `<p><b>${escape(session.identifier)}</b>: ${escape(summary.join(', '))}</p>`;
  const row = (task: ITaskView) =>
    `<tr><td>${escape(task.name)}</td><td>${escape(outcome(task, words))}</td></tr>`;
  return {
    html: listed ? `${head}<table>${tasks.map(row).join('')}</table>` : head,
    text
  };
}

/** The final state of a task that is over; null while it is not. */
export function finalTask(task: ITaskView, words: Words): IFinalState | null {
  if (task.phase !== 'completed') {
    return null;
  }
  const when = task.completed_at ? `, ${stamp(task.completed_at)}` : '';
  const said = `${outcome(task, words)}${when}`;
  return {
    html: `<p><b>${escape(task.name)}</b>: ${escape(said)}</p>`,
    text: `${task.name}: ${said}`
  };
}

function outcome(task: ITaskView, words: Words): string {
  switch (lookOf(task)) {
    case 'done': {
      if (task.kind === 'upload') {
        return words.trans.__('%1 sent, %2', bytes(task.received), words.answer(task));
      }
      return task.verified
        ? words.trans.__('%1, verified', bytes(task.received))
        : bytes(task.received);
    }
    case 'cancelled':
      return words.trans.__('cancelled');
    default:
      return words.failure(task);
  }
}

/** In UTC: the same for every reader of the notebook. */
function stamp(seconds: number): string {
  return `${new Date(seconds * 1000).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}

const ENTITIES: { [character: string]: string } = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;'
};

export function escape(text: string): string {
  return text.replace(/[&<>"']/g, character => ENTITIES[character]);
}
