import { State } from '../state';
import { aDoneTask, aSession, aTask } from './views';

test('an older or equal revision is ignored', () => {
  const state = new State();
  expect(state.putTask(aTask({ revision: 5, received: 50 }))).toBe(true);
  expect(state.putTask(aTask({ revision: 4, received: 40 }))).toBe(false);
  expect(state.putTask(aTask({ revision: 5, received: 45 }))).toBe(false);
  expect(state.task('era5', 1)?.received).toBe(50);
  expect(state.putSession(aSession({ revision: 2 }))).toBe(true);
  expect(state.putSession(aSession({ revision: 1 }))).toBe(false);
});

test('over another connection a smaller revision is the truth', () => {
  const state = new State();
  state.putTask(aTask({ revision: 50, received: 50 }));
  state.nextConnection();
  expect(state.putTask(aTask({ revision: 7, received: 40 }))).toBe(true);
  expect(state.task('era5', 1)?.received).toBe(40);
});

test('what a snapshot does not name is gone', () => {
  const state = new State();
  state.replace(null, [aSession(), aSession({ identifier: 'cmip6' })], [aTask()]);
  state.replace(null, [aSession()], []);
  expect(state.session('cmip6')).toBeUndefined();
  expect(state.task('era5', 1)).toBeUndefined();
});

test('a snapshot of one session says nothing of the others', () => {
  const state = new State();
  state.replace(null, [aSession(), aSession({ identifier: 'cmip6' })], [aTask()]);
  state.replace('cmip6', [], []);
  expect(state.session('cmip6')).toBeUndefined();
  expect(state.session('era5')).toBeDefined();
  expect(state.task('era5', 1)).toBeDefined();
});

test('finished tasks older than those of a full snapshot are kept', () => {
  const state = new State();
  state.putTask(aDoneTask({ task_identifier: 1 }));
  const fifty = Array.from({ length: 50 }, (_, i) => aDoneTask({ task_identifier: i + 2 }));
  state.replace('era5', [aSession()], fifty);
  expect(state.tasks('era5').size).toBe(51);
  state.replace('era5', [aSession()], fifty.slice(0, 3));
  expect(state.tasks('era5').size).toBe(3);
});

test('the list of tasks is the same until one changes', () => {
  const state = new State();
  state.putTask(aTask());
  const list = state.tasks('era5');
  state.putTask(aTask());
  expect(state.tasks('era5')).toBe(list);
  state.putTask(aTask({ revision: 2 }));
  expect(state.tasks('era5')).not.toBe(list);
});
