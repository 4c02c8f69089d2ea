/** What the menu of a session has: only what can be done now. */

import { ISessionView } from './wire';

export type SessionEntry = 'suspend' | 'resume' | 'redeliver' | 'launch-cell' | 'run' | 'switch';

/** In groups, none of them empty. */
export function entriesOf({ counts, parked, launch }: ISessionView): SessionEntry[][] {
  const whole: SessionEntry[] = [];
  if (counts.running + counts.waiting > 0) {
    whole.push('suspend');
  }
  if (counts.suspended > 0) {
    whole.push('resume');
  }
  if (parked > 0) {
    whole.push('redeliver');
  }
  const cell: SessionEntry[] = [];
  if (launch) {
    cell.push('launch-cell');
    if (!launch.running) {
      cell.push('run');
    }
    cell.push('switch');
  }
  return [whole, cell].filter(group => group.length > 0);
}
