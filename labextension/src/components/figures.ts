/** What a session's head shows, computed once for the panel and the output view. */

import { IHost } from '../host';
import { ISessionView } from '../wire';
import { isOver, total } from '../words';

export interface IFigures {
  amount: string;
  rate: string;
  rates: number[];
  finish: string;
  done: string;
  /** 0 to 1. */
  fraction: number;
  mood: 'moving' | 'resting' | 'over';
}

export function figuresOf(host: IHost, session: ISessionView, now: number): IFigures {
  const { store, words } = host;
  const { counts } = session;
  const live = store.status === 'connected';
  const reading = store.sessionReading(session);
  const over = isOver(session);
  const measurable =
    session.total > 0 && (session.total_is_known || session.total > session.received);
  const wanted = total(counts) - counts.cancelled;
  const share = measurable ? session.received / session.total : wanted ? counts.done / wanted : 0;
  const tasks = store.tasks(session.identifier).values();
  return {
    amount: over
      ? words.progress(session.received, null)
      : words.progress(session.received, session.total, session.total_is_known),
    rate: words.rate(reading),
    rates: reading?.history ?? [],
    finish: live ? words.finish(session, tasks, session.rate, now) : '',
    done: words.done(counts),
    fraction: share,
    mood: over && !counts.failed ? 'over' : live && counts.running > 0 ? 'moving' : 'resting'
  };
}
