import { isAsking, isFiltering, matches, NO_FILTER } from '../filter';
import { aDoneTask, aTask } from './views';

test('every word has to be there, in any case', () => {
  const task = aTask({ name: 'ERA5_t2m.nc', host: 'cds.example.org', session: 'climate' });
  const found = (text: string) => matches(task, { ...NO_FILTER, text });
  expect(found('era5 CDS climate')).toBe(true);
  expect(found('era5 gpcp')).toBe(false);
  expect(found('')).toBe(true);
});

test('what is paused counts as waiting', () => {
  const paused = aTask({ state: 'suspended', phase: 'suspended' });
  expect(matches(paused, { text: '', group: 'waiting', order: 'state' })).toBe(true);
  expect(matches(paused, { text: '', group: 'running', order: 'state' })).toBe(false);
});

test('what failed is not done', () => {
  const failed = aDoneTask({ error: { code: 'http_status', message: 'no' } });
  expect(matches(failed, { text: '', group: 'done', order: 'state' })).toBe(false);
  expect(matches(failed, { text: '', group: 'failed', order: 'state' })).toBe(true);
});

test('spaces filter nothing', () => {
  expect(isFiltering(NO_FILTER)).toBe(false);
  expect(isFiltering({ text: '  ', group: 'all', order: 'state' })).toBe(false);
  expect(isFiltering({ text: '', group: 'done', order: 'state' })).toBe(true);
});

test('another order leaves nothing out, but wants to know all', () => {
  const sorted = { ...NO_FILTER, order: 'size' as const };
  expect(isFiltering(sorted)).toBe(false);
  expect(isAsking(sorted)).toBe(true);
  expect(isAsking(NO_FILTER)).toBe(false);
});
