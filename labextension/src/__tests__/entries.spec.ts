import { entriesOf } from '../entries';
import { aSession } from './views';

const none = { suspended: 0, waiting: 0, running: 0, done: 3, failed: 0, cancelled: 0 };
const launch = {
  notebook: 'analysis.ipynb',
  target: null,
  enabled: true,
  running: false,
  fruitless: 0,
  until: null,
  last_run: null,
  notice: null
};

test('a session that is over has no menu', () =>
  expect(entriesOf(aSession({ counts: none }))).toEqual([]));

test('what is paused can be resumed, what moves paused', () => {
  const counts = { ...none, waiting: 1, suspended: 2 };
  expect(entriesOf(aSession({ counts }))).toEqual([['suspend', 'resume']]);
});

test('what raised can be delivered again', () =>
  expect(entriesOf(aSession({ counts: none, parked: 1 }))).toEqual([['redeliver']]));

test('a launch cell is not run twice at once', () => {
  const cell = (running: boolean) =>
    entriesOf(aSession({ counts: none, launch: { ...launch, running } }));
  expect(cell(false)).toEqual([['launch-cell', 'run', 'switch']]);
  expect(cell(true)).toEqual([['launch-cell', 'switch']]);
});
