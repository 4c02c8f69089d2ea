import { COMPARE, Order } from '../sorting';
import { aDoneTask, aTask } from './views';

const tasks = [
  aDoneTask({ task_identifier: 1, name: 'part-10', total: null, received: 5 }),
  aTask({ task_identifier: 2, name: 'part-9', total: 3, received: 0 }),
  aTask({ task_identifier: 3, name: 'Äther', total: 5, received: 0 }),
  aTask({ task_identifier: 4, name: 'part-9', total: null, received: 0 })
];

test.each<[Order, number[]]>([
  ['state', [2, 3, 4, 1]],
  ['name', [3, 4, 2, 1]],
  ['size', [3, 1, 2, 4]],
  ['newest', [4, 3, 2, 1]]
])('by %s, the newer of equals first', (order, expected) => {
  const sorted = [...tasks].sort(COMPARE[order]);
  expect(sorted.map(task => task.task_identifier)).toEqual(expected);
});
