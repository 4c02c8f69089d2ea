import { finalSession, finalTask, isIdentifier, subjectOf } from '../bundle';
import { aDoneTask, aSession, aTask, words } from './views';

const OVER = { suspended: 0, waiting: 0, running: 0, done: 1, failed: 0, cancelled: 0 };

test.each(['era5', 'My Session', 'données', 'a'.repeat(255), '<b>'])('%s is an identifier', value =>
  expect(isIdentifier(value)).toBe(true)
);

test.each(['', 'a/b', 'a'.repeat(256), 'a\nb', 'a\u202eb', 7, null, undefined, {}])(
  '%p is no identifier',
  value => expect(isIdentifier(value)).toBe(false)
);

test('a bundle is believed only if it is exactly ours', () => {
  expect(subjectOf({ version: 1, session: 'era5' })).toEqual({ session: 'era5', task: null });
  expect(subjectOf({ version: 1, session: 'era5', task: 3 })).toEqual({ session: 'era5', task: 3 });
  expect(subjectOf({ version: 2, session: 'era5' })).toBeNull();
  expect(subjectOf({ version: 1, session: '../x' })).toBeNull();
  expect(subjectOf({ version: 1, session: 'era5', task: '3' })).toBeNull();
  expect(subjectOf({ version: 1, session: 'era5', task: -1 })).toBeNull();
  expect(subjectOf('era5')).toBeNull();
  expect(subjectOf(undefined)).toBeNull();
});

test('nothing final is written while something is to come', () => {
  expect(finalSession(aSession(), [aTask()], words)).toBeNull();
  expect(finalTask(aTask(), words)).toBeNull();
  expect(finalSession(aSession({ counts: OVER }), [], words)).toBeNull();
});

test('the final state is the same at every look', () => {
  const session = aSession({ counts: OVER, received: 12.4e9 });
  const state = finalSession(session, [aDoneTask({ verified: true })], words);
  expect(state?.text).toBe(
    'era5: 1 file, 12.4\u00a0GB, all verified, finished 1970-01-01 00:33 UTC'
  );
  expect(state).toEqual(finalSession(session, [aDoneTask({ verified: true })], words));
});

test('an upload was sent, and answered', () => {
  const response = { url: '', status_code: 201, headers: {} };
  const task = aDoneTask({ kind: 'upload', name: 'result.nc', received: 5e6, response });
  expect(finalTask(task, words)!.text).toMatch(/^result\.nc: 5\.0.MB sent, answered 201/);
});

test('T17: names are escaped in what is saved', () => {
  const name = `<img src=x onerror="alert('1')">&.csv`;
  const escaped = '&lt;img src=x onerror=&quot;alert(&#39;1&#39;)&quot;&gt;&amp;.csv';
  const session = aSession({ identifier: '<script>', counts: OVER });
  const html = finalSession(session, [aDoneTask({ name })], words)!.html;
  expect(html).toContain(escaped);
  expect(html).toContain('<b>&lt;script&gt;</b>');
  expect(html).not.toContain('<img');
  expect(finalTask(aDoneTask({ name }), words)!.html).toContain(escaped);
});
