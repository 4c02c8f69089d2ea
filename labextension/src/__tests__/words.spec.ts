import { IReading } from '../meter';
import { compareTasks } from '../words';
import { aDoneTask, aSession, aTask, words } from './views';

const NOW = new Date(2026, 10, 23, 14, 0).getTime() / 1000;
const plain = (text: string) => text.replace(/\u00a0/g, ' ');
const reading = (changes: Partial<IReading>): IReading => ({
  rate: 48e6,
  stalled: false,
  left: 180,
  unsteady: false,
  ...changes
});
const at = (hour: number, minute = 0, days = 0) =>
  new Date(2026, 10, 23 + days, hour, minute).getTime() / 1000;

test.each([
  ['earliest_begin_date', at(2, 0, 1), '', 'Starts tonight at 02:00'],
  ['earliest_begin_date', at(16, 30), '', 'Starts at 16:30'],
  ['earliest_begin_date', at(9, 0, 1), '', 'Starts tomorrow at 09:00'],
  ['earliest_begin_date', at(9, 0, 3), '', 'Starts on 26 Nov at 09:00'],
  ['retry', NOW + 42, 'Server busy', 'Retry in 0:42, server busy'],
  ['retry', NOW + 42, 'TLS error', 'Retry in 0:42, TLS error'],
  ['retry', NOW - 1, '', 'Retry now'],
  ['disk_space', null, 'Disk is 21 GB short', 'Disk is 21 GB short'],
  ['conditions', null, '', 'Waits for a quiet moment'],
  ['network', null, '', 'Waits for the network'],
  ['credentials', null, 'ESGF_TOKEN', 'Needs credentials: ESGF_TOKEN'],
  ['turn', null, '', 'Waits its turn']
] as const)('waiting for %s until %s (%s): %s', (waiting_for, until, reason, text) =>
  expect(words.reason(aTask({ phase: 'waiting', waiting_for, until, reason }), NOW)).toBe(text)
);

test('paused and finishing tasks say so', () => {
  expect(words.reason(aTask({ phase: 'suspended' }), NOW)).toBe('Paused');
  expect(words.reason(aTask({ phase: 'finishing' }), NOW)).toBe('Checking');
});

test('an upload is sending, then sent', () => {
  expect(words.look('running', 'upload')).toBe('Sending');
  expect(words.look('done', 'upload')).toBe('Sent');
  expect(words.look('paused', 'upload')).toBe('Paused');
  expect(words.look('running')).toBe('Running');
});

test('progress in the unit of the total, or only what is there', () => {
  expect(plain(words.progress(3.2e9, 12.4e9))).toBe('3.2 of 12.4 GB');
  expect(plain(words.progress(842e6, null))).toBe('842 MB');
  expect(plain(words.progress(52e9, 83.6e9, false))).toBe('52.0 of 83.6+ GB');
});

test('time left, about it where the rate varies, and nothing where it can not be told', () => {
  expect(plain(words.left(reading({})))).toBe('3 min left');
  expect(plain(words.left(reading({ unsteady: true })))).toBe('about 3 min left');
  expect(plain(words.left(reading({ left: 1500 })))).toBe('about 25 min left');
  expect(plain(words.left(reading({ left: 4 })))).toBe('a few seconds left');
  expect(words.left(reading({ left: null }))).toBe('');
  expect(words.left(null)).toBe('');
});

test('a rate, or that there is none', () => {
  expect(plain(words.rate(reading({})))).toBe('48 MB/s');
  expect(words.rate(reading({ stalled: true }))).toBe('stalled');
  expect(words.rate(null)).toBe('');
});

test('the finish time is rounded up and honest about what is unknown', () => {
  const tasks = [aTask({ received: 0, total: 48e6 * 61 })];
  const finish = (session: Parameters<typeof aSession>[0], list = tasks, rate = 48e6) =>
    words.finish(aSession(session), list, rate, NOW);
  expect(finish({})).toBe('done about 14:05');
  expect(finish({ total_is_known: false })).toBe('not before 14:05');
  expect(finish({}, tasks, 0)).toBe('no finish time yet');
  const short = aTask({ task_identifier: 2, phase: 'waiting', waiting_for: 'disk_space' });
  expect(finish({}, [...tasks, short])).toBe('no finish time yet');
  const later = aTask({
    task_identifier: 2,
    phase: 'waiting',
    waiting_for: 'earliest_begin_date',
    until: at(16, 31)
  });
  expect(finish({}, [...tasks, later])).toBe('done about 16:35');
  const none = { suspended: 2, waiting: 0, running: 0, done: 3, failed: 0, cancelled: 0 };
  expect(finish({ counts: none }, [])).toBe('');
});

test('what was cancelled is not to be done', () => {
  const counts = { suspended: 1, waiting: 2, running: 3, done: 9, failed: 1, cancelled: 4 };
  expect(words.done(counts)).toBe('9 of 16 done, 1 failed');
});

test('rows run from running to done, the newest done first', () => {
  const failed = aDoneTask({
    task_identifier: 1,
    error: { code: 'checksum_mismatch', message: '' }
  });
  const old = aDoneTask({ task_identifier: 2, completed_at: 10 });
  const recent = aDoneTask({ task_identifier: 3, completed_at: 20 });
  const paused = aTask({ task_identifier: 4, phase: 'suspended' });
  const waiting = aTask({ task_identifier: 5, phase: 'waiting', waiting_for: 'turn' });
  const running = aTask({ task_identifier: 6 });
  const order = [failed, old, recent, paused, waiting, running].sort(compareTasks);
  expect(order.map(task => task.task_identifier)).toEqual([6, 5, 4, 1, 3, 2]);
});

test('a failure without words of the server has ours', () => {
  const fail = (code: string) => words.failure(aDoneTask({ error: { code, message: 'long' } }));
  expect(fail('checksum_mismatch')).toBe('Checksum doesn’t match');
  expect(fail('never heard of')).toBe('Failed');
});

test('a reason of the server begins with a capital', () => {
  const error = { code: 'destination_exists', message: '' };
  expect(words.failure(aDoneTask({ reason: 'file already exists', error }))).toBe(
    'File already exists'
  );
});

test('the fold says what is in it', () => {
  const tasks = [aTask(), aTask({ phase: 'suspended' }), aDoneTask(), aDoneTask()];
  expect(words.more(tasks)).toBe('4 more: 1 runs, 1 paused, 2 done');
});

test('what waits for somebody', () => {
  const launch = {
    notebook: 'work/analysis.ipynb',
    target: null,
    enabled: true,
    running: false,
    fruitless: 0,
    last_run: null,
    until: null,
    notice: null
  };
  expect(words.waits(aSession())).toBeNull();
  expect(words.waits(aSession({ undelivered: 2 }))).toBeNull();
  expect(words.waits(aSession({ owner: null, undelivered: 2 }))).toBe('2 events wait');
  expect(words.waits(aSession({ parked: 1 }))).toBe('1 callback raised');
  expect(words.waits(aSession({ launch }))).toBeNull();
  const running = aSession({ owner: null, undelivered: 2, launch: { ...launch, running: true } });
  expect(words.waits(running)).toBe('The launch cell runs in analysis.ipynb');
  const told = aSession({ launch: { ...launch, notice: 'The kernel has run something.' } });
  expect(words.waits(told)).toBe('The launch cell was not run');
});
