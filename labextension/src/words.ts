/** States, reasons and times in words; the only place (beside the components) with sentences. */

import {
  bytes,
  bytesOf,
  ceilToFiveMinutes,
  clock,
  countdown,
  day,
  daysAhead,
  NBSP,
  rate,
  roundDuration
} from './format';
import { IReading } from './meter';
import { ICounts, ISessionView, ITaskView } from './wire';

/** The part of a `TranslationBundle` that is used here. */
export interface ITexts {
  __(msgid: string, ...args: unknown[]): string;
  _n(msgid: string, plural: string, n: number, ...args: unknown[]): string;
}

/** What a task looks like: its glyph and colour follow from this alone. */
export type Look =
  | 'running'
  | 'finishing'
  | 'retry'
  | 'clock'
  | 'network'
  | 'disk'
  | 'key'
  | 'paused'
  | 'failed'
  | 'done'
  | 'cancelled';

export function lookOf(task: ITaskView): Look {
  switch (task.phase) {
    case 'running':
      return 'running';
    case 'finishing':
    case 'canceling':
      return 'finishing';
    case 'suspended':
      return 'paused';
    case 'completed':
      if (!task.error) {
        return 'done';
      }
      return task.error.code === 'cancelled' ? 'cancelled' : 'failed';
    case 'waiting':
      switch (task.waiting_for) {
        case 'retry':
          return 'retry';
        case 'network':
          return 'network';
        case 'disk_space':
          return 'disk';
        case 'credentials':
          return 'key';
        default:
          return 'clock';
      }
  }
}

/** Nobody has to do anything about it any more. */
export function isFinished(task: ITaskView): boolean {
  const look = lookOf(task);
  return look === 'done' || look === 'cancelled';
}

const ORDER: { [look in Look]: number } = {
  running: 0,
  finishing: 0,
  retry: 1,
  clock: 1,
  network: 1,
  disk: 1,
  key: 1,
  paused: 2,
  failed: 3,
  done: 4,
  cancelled: 4
};

/** Running, waiting, paused, failed, done; the newest done first, the rest as submitted. */
export function compareTasks(a: ITaskView, b: ITaskView): number {
  const [rankA, rankB] = [ORDER[lookOf(a)], ORDER[lookOf(b)]];
  if (rankA !== rankB) {
    return rankA - rankB;
  }
  if (rankA === ORDER.done) {
    const later = (b.completed_at ?? 0) - (a.completed_at ?? 0);
    return later || b.task_identifier - a.task_identifier;
  }
  return a.task_identifier - b.task_identifier;
}

export class Words {
  constructor(readonly trans: ITexts) {}

  /** What the server said to an upload: a status is no error, so it is shown. */
  answer(task: ITaskView): string {
    return this.trans.__('answered %1', task.response?.status_code ?? 0);
  }

  /** What of a session waits for somebody; null: nothing. */
  waits({ owner, undelivered, parked, launch }: ISessionView): string | null {
    const { trans } = this;
    if (launch?.running) {
      return trans.__('The launch cell runs in %1', launch.notebook.split('/').pop());
    }
    if (owner === null && undelivered > 0) {
      return trans._n('%1 event waits', '%1 events wait', undelivered, undelivered);
    }
    if (parked > 0) {
      return trans._n('%1 callback raised', '%1 callbacks raised', parked, parked);
    }
    return launch?.notice ? trans.__('The launch cell was not run') : null;
  }

  /** For the glyph: a name of the state. */
  look(look: Look, kind: ITaskView['kind'] = 'download'): string {
    const { trans } = this;
    switch (look) {
      case 'running':
        return kind === 'upload' ? trans.__('Sending') : trans.__('Running');
      case 'finishing':
        return trans.__('Finishing');
      case 'paused':
        return trans.__('Paused');
      case 'failed':
        return trans.__('Failed');
      case 'done':
        return kind === 'upload' ? trans.__('Sent') : trans.__('Done');
      case 'cancelled':
        return trans.__('Cancelled');
      default:
        return trans.__('Waiting');
    }
  }

  /** `3.2 of 12.4 GB`, or what is known of it. */
  progress(received: number, total: number | null, known = true): string {
    if (total === null || (!known && total <= received)) {
      return bytes(received);
    }
    const [part, whole] = bytesOf(received, total, known);
    return this.trans.__('%1 of %2', part, whole);
  }

  /** Why a task does not run, or what it does after its bytes. */
  reason(task: ITaskView, now: number): string {
    const { trans } = this;
    if (task.phase === 'suspended') {
      return trans.__('Paused');
    }
    if (task.phase === 'finishing') {
      return trans.__('Checking');
    }
    if (task.phase === 'canceling') {
      return trans.__('Stops');
    }
    if (task.phase === 'completed') {
      return lookOf(task) === 'cancelled' ? trans.__('Cancelled') : this.failure(task);
    }
    switch (task.waiting_for) {
      case 'earliest_begin_date':
        return task.until === null
          ? trans.__('Starts later')
          : trans.__('Starts %1', this.moment(task.until, now));
      case 'conditions':
        return trans.__('Waits for a quiet moment');
      case 'network':
        return trans.__('Waits for the network');
      case 'retry':
        return this._retry(task, now);
      case 'disk_space':
        return task.reason ? upperFirst(task.reason) : trans.__('Disk is full');
      case 'credentials':
        return task.reason
          ? trans.__('Needs credentials: %1', task.reason)
          : trans.__('Needs credentials');
      default:
        return trans.__('Waits its turn');
    }
  }

  private _retry(task: ITaskView, now: number): string {
    const { trans } = this;
    const reason = task.reason && lowerFirst(task.reason);
    const soon = task.until === null || task.until - now <= 0;
    const when = soon
      ? trans.__('Retry now')
      : trans.__('Retry in %1', countdown(task.until! - now));
    return reason ? trans.__('%1, %2', when, reason) : when;
  }

  /** Why a task failed, in at most five words. */
  failure(task: ITaskView): string {
    const { trans } = this;
    if (task.reason) {
      return upperFirst(task.reason);
    }
    switch (task.error?.code) {
      case 'checksum_mismatch':
        return trans.__('Checksum doesn’t match');
      case 'source_changed':
        return trans.__('File changed meanwhile');
      case 'unexpected_content':
        return trans.__('Web page, not a file');
      case 'destination_exists':
        return trans.__('File exists already');
      case 'destination_not_allowed':
        return trans.__('Not writable there');
      case 'transfer_timeout':
        return trans.__('Took too long');
      case 'http_status':
        return task.response
          ? trans.__('Server answered %1', task.response.status_code)
          : trans.__('Server refused');
      default:
        return trans.__('Failed');
    }
  }

  /** `48 MB/s`, `stalled`; empty before the first byte. */
  rate(reading: IReading | null): string {
    if (!reading) {
      return '';
    }
    if (reading.stalled) {
      return this.trans.__('stalled');
    }
    return reading.rate > 0 ? rate(reading.rate) : '';
  }

  /** `3 min left`. */
  left(reading: IReading | null): string {
    if (!reading || reading.left === null || reading.stalled) {
      return '';
    }
    const { trans } = this;
    const { unit, value, about } = roundDuration(reading.left);
    if (unit === 'moment') {
      return trans.__('a few seconds left');
    }
    const duration = {
      second: () => `${value}${NBSP}s`,
      minute: () => `${value}${NBSP}min`,
      hour: () => `${value}${NBSP}h`,
      day: () => trans._n('%1 day', '%1 days', value, value).replace(' ', NBSP)
    }[unit]();
    return about || reading.unsteady
      ? trans.__('about %1 left', duration)
      : trans.__('%1 left', duration);
  }

  /** `tonight at 02:00`, `at 15:30`, `tomorrow at 09:00`, `on 3 Dec at 09:00`. */
  moment(then: number, now: number): string {
    const { trans } = this;
    const hour = new Date(then * 1000).getHours();
    const soon = then - now < 18 * 3600;
    if (soon && (hour < 6 || hour >= 20)) {
      return trans.__('tonight at %1', clock(then));
    }
    switch (daysAhead(then, now)) {
      case 0:
        return trans.__('at %1', clock(then));
      case 1:
        return trans.__('tomorrow at %1', clock(then));
      default:
        return trans.__('on %1 at %2', day(then), clock(then));
    }
  }

  /** `14:02`, or the day if that was another one. */
  past(then: number, now: number): string {
    return daysAhead(then, now) === 0 ? clock(then) : day(then);
  }

  /** `done about 02:05`, `not before 02:05`, `no finish time yet`; empty if nothing is to come. */
  finish(session: ISessionView, tasks: Iterable<ITaskView>, rate: number, now: number): string {
    const { trans } = this;
    const { counts } = session;
    if (counts.running + counts.waiting === 0) {
      return '';
    }
    let toCome = 0;
    let start = now;
    let known = session.total_is_known;
    let seen = 0;
    for (const task of tasks) {
      if (task.phase === 'completed' || task.phase === 'suspended') {
        continue;
      }
      seen += 1;
      known &&= task.total !== null;
      toCome += Math.max(0, (task.total ?? task.received) - task.received);
      if (task.phase === 'waiting' && task.waiting_for !== 'turn') {
        if (task.until === null) {
          return trans.__('no finish time yet');
        }
        start = Math.max(start, task.until);
      }
    }
    if (seen < counts.running + counts.waiting) {
      toCome = Math.max(toCome, session.total - session.received);
    }
    if (rate <= 0) {
      return trans.__('no finish time yet');
    }
    const end = clock(ceilToFiveMinutes(Math.max(start, now + toCome / rate)));
    return known ? trans.__('done about %1', end) : trans.__('not before %1', end);
  }

  /** `9 of 15 done, 1 failed`. What was cancelled is not to be done. */
  done(counts: ICounts): string {
    const { trans } = this;
    const wanted = total(counts) - counts.cancelled;
    const text = trans.__('%1 of %2 done', counts.done, wanted);
    return counts.failed ? trans.__('%1, %2 failed', text, counts.failed) : text;
  }

  /** `54 files, 291 GB, all verified`. */
  summary(session: ISessionView, verified: boolean): string {
    const { trans } = this;
    const { done, failed, cancelled } = session.counts;
    const parts = [trans._n('%1 file', '%1 files', done, done), bytes(session.received)];
    if (verified && done > 0) {
      parts.push(trans.__('all verified'));
    }
    if (failed) {
      parts.push(trans.__('%1 failed', failed));
    }
    if (cancelled) {
      parts.push(trans.__('%1 cancelled', cancelled));
    }
    return parts.join(', ');
  }

  /** `50 more: 1 runs, 2 wait, 1 failed, 46 done`. */
  more(tasks: ITaskView[]): string {
    const { trans } = this;
    const count = (...looks: Look[]) => tasks.filter(task => looks.includes(lookOf(task))).length;
    const runs = count('running', 'finishing');
    const waits = count('retry', 'clock', 'network', 'disk', 'key');
    const parts: [number, string][] = [
      [runs, trans._n('%1 runs', '%1 run', runs, runs)],
      [waits, trans._n('%1 waits', '%1 wait', waits, waits)],
      [count('paused'), trans.__('%1 paused', count('paused'))],
      [count('failed'), trans.__('%1 failed', count('failed'))],
      [count('done'), trans.__('%1 done', count('done'))],
      [count('cancelled'), trans.__('%1 cancelled', count('cancelled'))]
    ];
    const said = parts.filter(([number]) => number > 0).map(([, text]) => text);
    return trans.__('%1 more: %2', tasks.length, said.join(', '));
  }
}

export function total(counts: ICounts): number {
  const { suspended, waiting, running, done, failed, cancelled } = counts;
  return suspended + waiting + running + done + failed + cancelled;
}

/** Nothing is to come: everything is done, failed or cancelled. */
export function isOver(session: ISessionView): boolean {
  const { suspended, waiting, running } = session.counts;
  return suspended + waiting + running === 0 && total(session.counts) > 0;
}

/** Every file that is done had a checksum, and all of them are in `tasks`. */
export function allVerified(session: ISessionView, tasks: ITaskView[]): boolean {
  const done = tasks.filter(task => lookOf(task) === 'done');
  return done.length === session.counts.done && done.every(task => task.verified);
}

/** A reason within a sentence; an abbreviation keeps its capitals. */
function lowerFirst(text: string): string {
  return /^\p{Lu}\p{Ll}/u.test(text) ? text[0].toLowerCase() + text.slice(1) : text;
}

/** A reason at the beginning of a line. */
function upperFirst(text: string): string {
  return text[0].toUpperCase() + text.slice(1);
}
