import { Announcer } from '../announcer';
import { IChange, Store } from '../store';
import { aDoneTask, aTask, words } from './views';

let tell: (change: IChange) => void;
let announcer: Announcer;

beforeEach(() => {
  jest.useFakeTimers();
  const store = {
    subscribe: (listener: typeof tell) => {
      tell = listener;
      return () => undefined;
    }
  } as unknown as Store;
  announcer = new Announcer(store, words);
});

afterEach(() => {
  announcer.dispose();
  jest.useRealTimers();
});

const said = () => document.querySelector('[aria-live="polite"]')!.textContent;
const failed = aDoneTask({ error: { code: 'http_status', message: '' } });

test('what got done or failed within five seconds is told in one sentence', () => {
  for (const after of [aDoneTask(), aDoneTask(), failed]) {
    tell({ session: 'era5', before: aTask(), after });
  }
  expect(said()).toBe('');
  jest.advanceTimersByTime(5000);
  expect(said()).toBe('era5: 2 done, 1 failed');
});

test('a task that waits for somebody is told', () => {
  const after = aTask({ phase: 'waiting', waiting_for: 'credentials' });
  tell({ session: 'era5', before: aTask(), after });
  jest.advanceTimersByTime(5000);
  expect(said()).toBe('era5: 1 needs you');
});

test('progress is never told, nor what was so at first sight', () => {
  tell({ session: 'era5', before: aTask(), after: aTask({ received: 4e9 }) });
  tell({ session: 'era5', after: aDoneTask() });
  jest.advanceTimersByTime(5000);
  expect(said()).toBe('');
});
