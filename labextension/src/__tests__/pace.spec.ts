import { IPace, paced } from '../pace';

let pace: IPace;
let drawn: number[];
let cost: number;

beforeEach(() => {
  jest.useFakeTimers();
  drawn = [];
  cost = 0;
  let spent = 0;
  jest.spyOn(performance, 'now').mockImplementation(() => Date.now() + spent);
  pace = paced(() => {
    drawn.push(Date.now());
    spent += cost;
  });
});

afterEach(() => {
  pace.stop();
  jest.restoreAllMocks();
  jest.useRealTimers();
});

/** Ask every 10 ms for so many. */
function askFor(milliseconds: number): void {
  for (let time = 0; time < milliseconds; time += 10) {
    pace.ask();
    jest.advanceTimersByTime(10);
  }
}

test('what changes within a frame is drawn once, and what is quickly drawn in each', () => {
  askFor(1000);
  expect(drawn.length).toBeGreaterThan(25);
  expect(drawn.length).toBeLessThanOrEqual(1000 / 16);
});

test('what takes 100 ms is drawn about once in 800 ms, the last change included', () => {
  cost = 100;
  askFor(2000);
  expect(drawn.length).toBe(3);
  jest.advanceTimersByTime(5000);
  expect(drawn.length).toBe(4);
});

test('nothing is drawn when it was stopped', () => {
  pace.ask();
  pace.stop();
  jest.advanceTimersByTime(1000);
  expect(drawn).toEqual([]);
});
