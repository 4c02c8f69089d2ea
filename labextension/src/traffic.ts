/** What all sessions together do, by their counts alone: nothing here knows a single task. */

import { Store } from './store';
import { ISessionView } from './wire';

export interface ITraffic {
  running: number;
  waiting: number;
  paused: number;
  /** In sessions that have anything to do still. */
  failed: number;
  /** Bytes a second. */
  rate: number;
}

/** Something moves, or will by itself. */
export function isActive({ counts }: ISessionView): boolean {
  return counts.running + counts.waiting > 0;
}

export function trafficOf(store: Store): ITraffic {
  const traffic = { running: 0, waiting: 0, paused: 0, failed: 0, rate: 0 };
  for (const session of store.sessions) {
    const { running, waiting, suspended, failed } = session.counts;
    traffic.running += running;
    traffic.waiting += waiting;
    traffic.paused += suspended;
    traffic.failed += running + waiting > 0 ? failed : 0;
    const reading = store.sessionReading(session);
    traffic.rate += reading && !reading.stalled ? reading.rate : 0;
  }
  return traffic;
}
