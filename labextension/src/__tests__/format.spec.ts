import {
  bytes,
  bytesOf,
  ceilToFiveMinutes,
  countdown,
  daysAhead,
  rate,
  roundDuration,
  shownName,
  splitName
} from '../format';

const plain = (text: string) => text.replace(/\u00a0/g, ' ');

test.each([
  [0, '0 B'],
  [999, '999 B'],
  [1000, '1 kB'],
  [18_400, '18 kB'],
  [999_400, '999 kB'],
  [999_960, '1.0 MB'],
  [842e6, '842 MB'],
  [99.94e6, '99.9 MB'],
  [99.96e6, '100 MB'],
  [999.6e6, '1.0 GB'],
  [12.4e9, '12.4 GB'],
  [291e9, '291 GB'],
  [3.2e12, '3.2 TB']
])('%d bytes are %s', (value, text) => expect(plain(bytes(value))).toBe(text));

test('a number and its unit never part', () => expect(bytes(12.4e9)).toBe('12.4\u00a0GB'));

test.each([
  [3.2e9, 12.4e9, true, '3.2 of 12.4 GB'],
  [842e6, 12.4e9, true, '0.8 of 12.4 GB'],
  [213e9, 291e9, true, '213 of 291 GB'],
  [52e9, 83.6e9, false, '52.0 of 83.6+ GB'],
  [100, 500, true, '100 of 500 B']
])('%d of %d (known: %s) is %s in the unit of the total', (part, whole, known, text) =>
  expect(plain(bytesOf(part, whole, known).join(' of '))).toBe(text)
);

test.each([
  [512e3, '512 kB/s'],
  [9.84e6, '9.8 MB/s'],
  [9.96e6, '10 MB/s'],
  [48.4e6, '48 MB/s'],
  [1.24e9, '1.2 GB/s']
])('%d bytes a second are %s', (value, text) => expect(plain(rate(value))).toBe(text));

test.each([
  [3, 'moment', 0, false],
  [9.9, 'moment', 0, false],
  [10, 'second', 10, false],
  [26, 'second', 30, false],
  [54, 'second', 50, false],
  [56, 'minute', 1, false],
  [170, 'minute', 3, false],
  [569, 'minute', 9, false],
  [600, 'minute', 10, true],
  [1000, 'minute', 15, true],
  [3500, 'hour', 1, true],
  [5400, 'hour', 1.5, true],
  [23 * 3600, 'hour', 23, true],
  [26 * 3600, 'day', 1, true],
  [60 * 3600, 'day', 3, true]
])('%d s left are shown in %ss: %d (about: %s)', (seconds, unit, value, about) =>
  expect(roundDuration(seconds)).toEqual({ unit, value, about })
);

test('a countdown has minutes and seconds, and hours if need be', () => {
  expect(countdown(42)).toBe('0:42');
  expect(countdown(727)).toBe('12:07');
  expect(countdown(3727)).toBe('1:02:07');
  expect(countdown(-3)).toBe('0:00');
});

test('a finish time is rounded up to five minutes', () => {
  expect(ceilToFiveMinutes(601)).toBe(900);
  expect(ceilToFiveMinutes(600)).toBe(600);
});

test('days are counted by the calendar, not by 24 hours', () => {
  const late = new Date(2026, 10, 22, 23, 50).getTime() / 1000;
  const early = new Date(2026, 10, 23, 0, 10).getTime() / 1000;
  expect(daysAhead(early, late)).toBe(1);
  expect(daysAhead(late, early)).toBe(-1);
  expect(daysAhead(late, late)).toBe(0);
});

test('a name keeps its last eleven characters, whole ones', () => {
  expect(splitName('reanalysis-era5-0007_v03.nc')).toEqual(['reanalysis-era5-', '0007_v03.nc']);
  expect(splitName('short.nc')).toEqual(['short.nc', '']);
  const [head, tail] = splitName('aaaaaa👩‍🔬bbbbbbbbbb');
  expect(head + tail).toBe('aaaaaa👩‍🔬bbbbbbbbbb');
  expect(tail).toBe('👩‍🔬bbbbbbbbbb');
});

test('a name that runs from right to left is not cut', () => {
  const name = 'بيانات_الطقس_2023.csv';
  expect(splitName(name)).toEqual([name, '']);
});

test('a name cannot disguise its extension', () =>
  expect(shownName('gnp.\u202egnp.exe')).toBe('gnp.\ufffdgnp.exe'));
