/** In which order a person wants to see the tasks of a session. */

import { ITaskView } from './wire';
import { compareTasks } from './words';

export type Order = 'state' | 'name' | 'size' | 'newest';

type Compare = (a: ITaskView, b: ITaskView) => number;

/** `part-9` comes before `part-10`. */
const names = new Intl.Collator(undefined, { numeric: true });

const newest: Compare = (a, b) => b.task_identifier - a.task_identifier;

const sizeOf = ({ total, received }: ITaskView): number => total ?? received;

/** Of each order; where two tasks are equal, the newer one comes first. */
export const COMPARE: { [order in Order]: Compare } = {
  state: compareTasks,
  name: (a, b) => names.compare(a.name, b.name) || newest(a, b),
  size: (a, b) => sizeOf(b) - sizeOf(a) || newest(a, b),
  newest
};
