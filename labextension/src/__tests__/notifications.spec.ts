import { Notifications } from '../notifications';
import { IHost, TaskAction } from '../host';
import { Settings } from '../settings';
import { IChange, Store } from '../store';
import { ICounts, ISessionView, ITaskView } from '../wire';
import { aDoneTask, aSession, words } from './views';

interface IShown {
  message: string;
  type: string;
  actions: { label: string; callback: () => void }[];
}

const mockShown = new Map<string, IShown>();

jest.mock('@jupyterlab/apputils', () => ({
  Notification: {
    manager: { has: (id: string) => mockShown.has(id) },
    dismiss: (id: string) => mockShown.delete(id),
    emit: (message: string, type: string, options: object) => {
      const id = String(mockShown.size + 1);
      mockShown.set(id, { message, type, ...options } as IShown);
      return id;
    },
    update: ({ id, ...rest }: { id: string }) => {
      const known = mockShown.has(id);
      if (known) {
        mockShown.set(id, rest as unknown as IShown);
      }
      return known;
    }
  }
}));

const NONE = { suspended: 0, waiting: 0, running: 0, done: 0, failed: 0, cancelled: 0 };

let session: ISessionView;
let change: ((change: IChange) => void)[];
let off: string[];
let performed: [string, TaskAction][];
let opened: number;

function count(counts: Partial<ICounts>): void {
  session = aSession({ identifier: 'era5', counts: { ...NONE, ...counts } });
  change.forEach(each => each({ session: 'era5' }));
}

function end(task: ITaskView): void {
  change.forEach(each => each({ session: task.session, after: task }));
}

/** What stands there after everything that was gathered has been told. */
function shown(): IShown[] {
  jest.advanceTimersByTime(10_000);
  return Array.from(mockShown.values());
}

beforeEach(() => {
  jest.useFakeTimers();
  mockShown.clear();
  change = [];
  off = ['notifyProgress'];
  performed = [];
  opened = 0;
  const store = {
    counted: true,
    status: 'connected',
    get sessions() {
      return [session];
    },
    session: () => session,
    tasks: () => new Map(),
    sessionReading: () => null,
    subscribe: (listener: (change: IChange) => void) => change.push(listener)
  } as unknown as Store;
  const actions = {
    available: () => ['reveal', 'remove'],
    label: (action: TaskAction) => action,
    perform: (task: ITaskView, action: TaskAction) => performed.push([task.name, action])
  };
  const settings = {
    isOn: (name: string) => !off.includes(name),
    changed: { connect: () => true }
  };
  document.elementFromPoint = () => null;
  new Notifications(
    { store, words, actions } as unknown as IHost,
    settings as unknown as Settings,
    () => (opened += 1)
  );
  count({ running: 2 });
});

afterEach(() => {
  jest.useRealTimers();
});

test('one file that is done is named, and can be revealed', () => {
  end(aDoneTask({ session: 'era5', name: 'a.nc' }));
  count({ done: 1 });
  const [{ message, type, actions }] = shown();
  expect([message, type]).toEqual(['\u2068a.nc\u2069 is done', 'success']);
  actions[0].callback();
  expect(performed).toEqual([['a.nc', 'reveal']]);
});

test('one failure says why and offers another try; more are counted in its place', () => {
  const error = { code: 'http_status', message: 'The server answered 404.' };
  end(aDoneTask({ session: 'era5', name: 'a.nc', error }));
  count({ running: 1, failed: 1 });
  const [one] = shown();
  expect(one.message).toContain('\u2068a.nc\u2069 failed');
  expect(one.actions.map(action => action.label)).toEqual(['retry', 'Show']);
  one.actions[0].callback();
  expect(performed).toEqual([['a.nc', 'retry']]);

  end(aDoneTask({ session: 'era5', name: 'b.nc', task_identifier: 2, error }));
  count({ failed: 2 });
  const [both, ...others] = shown();
  expect(others).toEqual([]);
  expect(both.message).toBe('\u2068era5\u2069: 2 failed');
  both.actions[0].callback();
  expect(opened).toBe(1);
});

test('a failure that was dealt with is not shown any more', () => {
  count({ running: 1, failed: 1 });
  expect(shown()).toHaveLength(1);
  count({ running: 2 });
  expect(shown()).toEqual([]);
});

test.each(['notifyDone', 'notifyFailed'])('what %s switches off is not told', setting => {
  off.push(setting);
  count({ done: 1, failed: 1 });
  expect(shown().map(each => each.type)).toEqual([setting === 'notifyDone' ? 'error' : 'success']);
});

test('progress is shown where it is wanted, until nothing moves', () => {
  count({ running: 2 });
  expect(shown()).toEqual([]);
  off = ['notifyDone'];
  count({ running: 1, done: 1 });
  expect(shown().map(each => [each.type, each.message])).toEqual([
    ['in-progress', '\u2068era5\u2069: 1 of 2 done']
  ]);
  count({ done: 2 });
  expect(shown()).toEqual([]);
});
