import { Meter } from '../meter';

/** Feed a steady rate at five values a second; returns the time and the bytes at its end. */
function feed(meter: Meter, from: number, to: number, speed: number, start = 0): number {
  let received = start;
  for (let step = 0; step <= (to - from) * 5; step += 1) {
    const time = from + step / 5;
    received = start + (time - from) * speed;
    meter.observe(time, received, 10_000, speed);
    meter.read(time);
  }
  return received;
}

test('nothing is said of the time left before five seconds of bytes', () => {
  const meter = new Meter();
  feed(meter, 0, 4.8, 100);
  expect(meter.read(6).left).toBeNull();
});

test('the time left follows from the mean and counts down between values', () => {
  const meter = new Meter();
  feed(meter, 0, 10, 100);
  expect(meter.read(11).left).toBeCloseTo(90 - 1, 0);
});

test('no bytes for five seconds are a stall', () => {
  const meter = new Meter();
  feed(meter, 0, 6, 100);
  expect(meter.read(10).stalled).toBe(false);
  expect(meter.read(12).stalled).toBe(true);
});

test('the time left falls at once', () => {
  const meter = new Meter();
  const received = feed(meter, 0, 20, 100);
  const before = meter.read(20.9).left!;
  feed(meter, 21, 24, 1000, received);
  expect(meter.read(25).left!).toBeLessThan(before - 20);
});

test('the time left rises only when it is a quarter larger for five seconds', () => {
  const meter = new Meter();
  const received = feed(meter, 0, 20, 100);
  const before = meter.read(20.9).left!;
  const later = feed(meter, 21, 24, 1, received);
  expect(meter.read(24.5).left!).toBeLessThanOrEqual(before);
  feed(meter, 25, 45, 1, later);
  expect(meter.read(46).left!).toBeGreaterThan(before);
});

test('a reading stands for a whole second', () => {
  const meter = new Meter();
  meter.observe(0, 0, 100, 5);
  const first = meter.read(1);
  meter.observe(1.5, 10, 100, 50);
  expect(meter.read(1.9)).toBe(first);
  expect(meter.read(2.1).rate).toBe(50);
});

test('a transfer that starts over starts a new series', () => {
  const meter = new Meter();
  feed(meter, 0, 10, 100);
  meter.observe(11, 0, 10_000, 0);
  expect(meter.read(12).left).toBeNull();
  expect(meter.history).toHaveLength(1);
});

test('a rate that varied by over 30 % in the last minute is unsteady', () => {
  const meter = new Meter();
  const received = feed(meter, 0, 10, 100);
  expect(meter.read(11).unsteady).toBe(false);
  feed(meter, 12, 15, 140, received);
  expect(meter.read(16).unsteady).toBe(true);
});

test('a rate that climbs at the start is not unsteady', () => {
  const meter = new Meter();
  for (let time = 0; time <= 12; time += 1) {
    meter.observe(time, time * 100, 10_000, Math.min(100, time * 20));
    meter.read(time);
  }
  expect(meter.read(13).unsteady).toBe(false);
});
