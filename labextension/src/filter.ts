/** Which tasks of the panel a person wants to see, and in which order. */

import { Order } from './sorting';
import { ITaskView } from './wire';
import { Look, lookOf } from './words';

export type Group = 'all' | 'running' | 'waiting' | 'failed' | 'done';

export interface IFilter {
  text: string;
  group: Group;
  order: Order;
}

export const NO_FILTER: IFilter = { text: '', group: 'all', order: 'state' };

/** *Waiting* includes what is paused. */
const GROUPS: { [look in Look]: Group } = {
  running: 'running',
  finishing: 'running',
  retry: 'waiting',
  clock: 'waiting',
  network: 'waiting',
  disk: 'waiting',
  key: 'waiting',
  paused: 'waiting',
  failed: 'failed',
  done: 'done',
  cancelled: 'done'
};

/** Whether some tasks may be left out. */
export function isFiltering({ text, group }: IFilter): boolean {
  return text.trim() !== '' || group !== 'all';
}

/** Whether all tasks have to be known, and none is folded away. */
export function isAsking(filter: IFilter): boolean {
  return isFiltering(filter) || filter.order !== NO_FILTER.order;
}

/** Whether a task is of the group and has all words in its name, host or session. */
export function matches(task: ITaskView, { text, group }: IFilter): boolean {
  const whole = `${task.name} ${task.host} ${task.session}`.toLowerCase();
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  return (
    (group === 'all' || GROUPS[lookOf(task)] === group) && words.every(word => whole.includes(word))
  );
}
