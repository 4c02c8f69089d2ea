import { INews, News } from '../news';
import { IChange, Store } from '../store';
import { ICounts, ISessionView } from '../wire';
import { aDoneTask, aSession, aTask } from './views';

let sessions: ISessionView[];
let change: (change: IChange) => void;
let told: INews[];
let news: News;

function count(counts: Partial<ICounts>, identifier = 'era5'): void {
  const none = { suspended: 0, waiting: 0, running: 0, done: 0, failed: 0, cancelled: 0 };
  sessions = sessions.filter(session => session.identifier !== identifier);
  sessions.push(aSession({ identifier, counts: { ...none, ...counts } }));
  change({ session: identifier });
}

beforeEach(() => {
  jest.useFakeTimers();
  sessions = [];
  told = [];
  news = new News(
    {
      counted: true,
      get sessions() {
        return sessions;
      },
      session: (identifier: string) => sessions.find(view => view.identifier === identifier),
      subscribe: (listener: typeof change) => {
        change = listener;
        return () => undefined;
      }
    } as unknown as Store,
    each => told.push(each)
  );
});

afterEach(() => {
  news.dispose();
  jest.useRealTimers();
});

function begin(counts: Partial<ICounts>): void {
  count(counts);
  told = [];
  change({ session: null });
}

const failed = aDoneTask({ error: { code: 'http_status', message: '' }, completed_at: 3000 });

test('what was so at first sight is no news', () => {
  begin({ done: 9, failed: 2 });
  jest.advanceTimersByTime(10_000);
  expect(told).toEqual([]);
});

test('failures are gathered over five seconds', () => {
  begin({ running: 3 });
  count({ running: 2, failed: 1 });
  jest.advanceTimersByTime(4000);
  count({ running: 1, failed: 2 });
  expect(told).toEqual([]);
  jest.advanceTimersByTime(1000);
  expect(told).toEqual([{ session: 'era5', kind: 'failed', count: 2, task: null }]);
});

test('what is done is told together when nothing moves any more', () => {
  begin({ running: 3 });
  count({ running: 2, done: 1 });
  jest.advanceTimersByTime(12_000);
  count({ running: 1, done: 2 });
  jest.advanceTimersByTime(12_000);
  expect(told).toEqual([]);
  count({ done: 3 });
  jest.advanceTimersByTime(5000);
  expect(told).toEqual([{ session: 'era5', kind: 'done', count: 3, task: null }]);
});

test('a single task is named, whichever of the two the server tells first', () => {
  begin({ running: 2 });
  change({ session: 'era5', after: aDoneTask() });
  count({ running: 1, done: 1 });
  count({ done: 1, failed: 1 });
  change({ session: 'era5', before: aTask(), after: failed });
  jest.advanceTimersByTime(5000);
  expect(told.map(({ kind, task }) => [kind, task?.completed_at])).toEqual([
    ['failed', 3000],
    ['done', 2000]
  ]);
});

test('a session that appears later begins with nothing done', () => {
  begin({ running: 1 });
  count({ done: 2 }, 'quick');
  jest.advanceTimersByTime(5000);
  expect(told).toEqual([{ session: 'quick', kind: 'done', count: 2, task: null }]);
});

test('a count that falls is no news, and counts anew from there', () => {
  begin({ done: 5, failed: 1 });
  count({ done: 4, running: 1 });
  count({ done: 4, failed: 1 });
  jest.advanceTimersByTime(5000);
  expect(told.map(({ kind, count: number }) => [kind, number])).toEqual([['failed', 1]]);
});

test('what happened while the connection was lost is told after it', () => {
  begin({ running: 2 });
  sessions = [aSession({ counts: { ...aSession().counts, running: 0, done: 2 } })];
  change({ session: null });
  jest.advanceTimersByTime(5000);
  expect(told.map(({ kind, count: number }) => [kind, number])).toEqual([['done', 2]]);
});
