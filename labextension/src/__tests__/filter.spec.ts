import { isFiltering, matches, NO_FILTER } from '../filter';
import { aDoneTask, aTask } from './views';

test('every word has to be there, in any case', () => {
  const task = aTask({ name: 'ERA5_t2m.nc', host: 'cds.example.org', session: 'climate' });
  const found = (text: string) => matches(task, { text, group: 'all' });
  expect(found('era5 CDS climate')).toBe(true);
  expect(found('era5 gpcp')).toBe(false);
  expect(found('')).toBe(true);
});

test('what is paused counts as waiting', () => {
  const paused = aTask({ state: 'suspended', phase: 'suspended' });
  expect(matches(paused, { text: '', group: 'waiting' })).toBe(true);
  expect(matches(paused, { text: '', group: 'running' })).toBe(false);
});

test('what failed is not done', () => {
  const failed = aDoneTask({ error: { code: 'http_status', message: 'no' } });
  expect(matches(failed, { text: '', group: 'done' })).toBe(false);
  expect(matches(failed, { text: '', group: 'failed' })).toBe(true);
});

test('spaces filter nothing', () => {
  expect(isFiltering(NO_FILTER)).toBe(false);
  expect(isFiltering({ text: '  ', group: 'all' })).toBe(false);
  expect(isFiltering({ text: '', group: 'done' })).toBe(true);
});
