import { IServer, Store } from '../store';
import {
  ClientMessage,
  IExplanation,
  ILaunchCell,
  IServerInfo,
  ISessionView,
  ITaskView,
  IUsageReport,
  ServerMessage
} from '../wire';
import { aDoneTask, aSession, aTask } from './views';

/** A socket that the test holds the other end of. */
class Wire {
  readyState = 0;
  sent: ClientMessage[] = [];
  onopen?: () => void;
  onclose?: () => void;
  onmessage?: (event: { data: string }) => void;

  send(text: string): void {
    this.sent.push(JSON.parse(text) as ClientMessage);
  }

  close(): void {
    this.readyState = 3;
    this.onclose?.();
  }

  accept(): void {
    this.readyState = 1;
    this.onopen?.();
  }

  say(message: ServerMessage): void {
    this.onmessage?.({ data: JSON.stringify(message) });
  }
}

class FakeServer implements IServer {
  wires: Wire[] = [];
  asked = 0;
  alive = true;

  open(): WebSocket {
    this.wires.push(new Wire());
    return this.wire as unknown as WebSocket;
  }

  get wire(): Wire {
    return this.wires[this.wires.length - 1];
  }

  info(): Promise<IServerInfo> {
    this.asked += 1;
    const info = { name: 'jupyter_bgdl', version: '0', protocol: 1, root: '/home/me' } as const;
    return this.alive ? Promise.resolve(info) : Promise.reject(new Error('gone'));
  }

  act(): Promise<ITaskView> {
    return Promise.resolve(aTask({ phase: 'suspended', state: 'suspended', revision: 9 }));
  }

  remove(): Promise<void> {
    return Promise.resolve();
  }

  task(): Promise<ITaskView | null> {
    return Promise.resolve(null);
  }

  async *tasks(_session: string, completed: boolean | null): AsyncGenerator<ITaskView[]> {
    if (completed !== true) {
      yield await Promise.resolve([aTask()]);
      yield await Promise.resolve([aTask({ task_identifier: 2 }), aTask({ task_identifier: 3 })]);
      yield await Promise.resolve([aTask({ task_identifier: 4 })]);
    }
    if (completed !== false) {
      yield await Promise.resolve([aDoneTask({ task_identifier: 70 })]);
      yield await Promise.resolve([aDoneTask({ task_identifier: 71 })]);
    }
  }

  explain(): Promise<IExplanation> {
    const { name, state, phase, waiting_for } = aTask({ phase: 'waiting', waiting_for: 'turn' });
    const why = 'Waits its turn';
    return Promise.resolve({
      name,
      state,
      phase,
      waiting_for,
      why,
      since: 1,
      until: null,
      help: []
    });
  }

  runLaunchCell(): Promise<void> {
    return Promise.resolve();
  }

  launchCell(): Promise<ILaunchCell> {
    return Promise.reject(new Error('There is none.'));
  }

  switchLaunch(): Promise<void> {
    return Promise.resolve();
  }

  submit(): Promise<void> {
    return Promise.resolve();
  }

  usage(): Promise<IUsageReport> {
    return Promise.resolve({ sessions: [], disks: [], kept: 0, total: 0 });
  }

  cleanUp(): Promise<void> {
    return Promise.resolve();
  }

  actOnAll(): Promise<ISessionView> {
    const counts = { ...aSession().counts, running: 0, suspended: 1 };
    return Promise.resolve(aSession({ revision: 9, counts }));
  }

  log(): Promise<[]> {
    return Promise.resolve([]);
  }
}

const SNAPSHOT: ServerMessage = {
  type: 'snapshot',
  watch: 'era5',
  sessions: [aSession()],
  tasks: [aTask()]
};

let server: FakeServer;
let store: Store;

beforeEach(() => {
  jest.useFakeTimers();
  server = new FakeServer();
  store = new Store(server);
});

afterEach(() => {
  store.dispose();
  jest.useRealTimers();
});

function connect(): void {
  server.wire.accept();
  server.wire.say(SNAPSHOT);
}

test('no socket is open while nobody watches', () => {
  expect(server.wires).toHaveLength(0);
  const stop = store.watch('era5');
  connect();
  expect(store.status).toBe('connected');
  stop();
  expect(store.status).toBe('idle');
  expect(server.wire.readyState).toBe(3);
});

test('one socket for all, and one watch for each session', () => {
  const stops = [store.watch('era5'), store.watch('era5'), store.watch(null)];
  connect();
  expect(server.wires).toHaveLength(1);
  expect(server.wire.sent).toEqual([
    { type: 'hello', incarnation: null },
    { type: 'watch', session: 'era5', tasks: true },
    { type: 'watch', session: null, tasks: true }
  ]);
  stops[0]();
  stops[0]();
  expect(server.wire.sent).toHaveLength(3);
  stops[1]();
  expect(server.wire.sent[3]).toEqual({ type: 'unwatch', session: 'era5', tasks: true });
});

test('it is connected when values came, not when a socket opened', () => {
  store.watch('era5');
  server.wire.accept();
  expect(store.status).toBe('connecting');
  server.wire.say(SNAPSHOT);
  expect(store.status).toBe('connected');
});

test('a lost connection keeps the values with their time, and is tried again', () => {
  store.watch('era5');
  connect();
  const asOf = store.asOf;
  server.wire.close();
  expect(store.status).toBe('lost');
  expect(store.asOf).toBe(asOf);
  expect(store.reading(aTask())).toBeNull();
  expect(store.task('era5', 1)).toBeDefined();
  jest.advanceTimersByTime(2000);
  expect(server.wires).toHaveLength(2);
  expect(store.status).toBe('lost');
  connect();
  expect(store.status).toBe('connected');
});

test('pauses grow, and "try now" does not wait for them', () => {
  store.watch('era5');
  for (let round = 0; round < 6; round += 1) {
    server.wire.close();
    store.tryNow();
  }
  expect(server.wires).toHaveLength(7);
  server.wire.close();
  const first = store.nextTry! - Date.now();
  jest.advanceTimersByTime(first);
  server.wire.close();
  expect(store.nextTry! - Date.now()).toBeGreaterThan(first);
});

test('the folder that the file browser shows is asked for once', async () => {
  store.watch('era5');
  expect(store.root).toBeNull();
  connect();
  await jest.advanceTimersByTimeAsync(0);
  expect(store.root).toBe('/home/me');
  server.wire.close();
  store.tryNow();
  connect();
  expect(server.asked).toBe(1);
});

test('silence while bytes should move is doubted', async () => {
  store.watch('era5');
  connect();
  server.alive = false;
  await jest.advanceTimersByTimeAsync(9000);
  expect(server.asked).toBe(1);
  await jest.advanceTimersByTimeAsync(3000);
  expect(server.asked).toBe(2);
  expect(store.status).toBe('lost');
});

test('an answer of the server counts at once', async () => {
  store.watch('era5');
  connect();
  await store.act(aTask(), 'suspend');
  expect(store.task('era5', 1)?.phase).toBe('suspended');
});

test('a session that does not exist is told apart by the order of the answers', () => {
  const stops = [store.watch('era5'), store.watch('nothing')];
  server.wire.accept();
  server.wire.say(SNAPSHOT);
  server.wire.say({ type: 'refused', code: 'not_found', message: 'no' });
  expect(store.answered('nothing')).toBe(true);
  expect(store.session('nothing')).toBeUndefined();
  stops.push(store.watch('nothing'));
  expect(server.wire.sent[3]).toEqual({ type: 'watch', session: 'nothing', tasks: true });
});

test('a removed task is gone', () => {
  store.watch('era5');
  connect();
  server.wire.say({ type: 'removed', session: 'era5', task_identifier: 1 });
  expect(store.task('era5', 1)).toBeUndefined();
});

test('a removed session is gone, with its tasks', () => {
  store.watch('era5');
  connect();
  server.wire.say({ type: 'removed', session: 'era5', task_identifier: null });
  expect(store.session('era5')).toBeUndefined();
  expect(store.tasks('era5').size).toBe(0);
});

test('all pages of finished tasks are fetched', async () => {
  store.watch('era5');
  connect();
  await store.fetchCompleted('era5');
  expect([...store.tasks('era5').keys()]).toEqual([1, 70, 71]);
});

test('each call for more brings unfinished tasks that were not known, until all are', async () => {
  store.watch('era5');
  connect();
  const more = async () => {
    await Promise.all([store.fetchMore('era5'), store.fetchMore('era5')]);
    return [...store.tasks('era5').keys()];
  };
  expect(await more()).toEqual([1, 2, 3]);
  expect(await more()).toEqual([1, 2, 3, 4]);
  expect(await more()).toEqual([1, 2, 3, 4, 70, 71]);
});

test('after a new snapshot, which forgot them, they are fetched again', async () => {
  store.watch('era5');
  connect();
  await store.fetchMore('era5');
  const only = {
    type: 'snapshot',
    watch: 'era5',
    sessions: [aSession()],
    tasks: [aTask()]
  } as const;
  server.wire.say({ ...only, sessions: [...only.sessions], tasks: [...only.tasks] });
  expect([...store.tasks('era5').keys()]).toEqual([1]);
  await store.fetchMore('era5');
  expect([...store.tasks('era5').keys()]).toEqual([1, 2, 3]);
});

test('listeners hear of what changed, before and after', () => {
  store.watch('era5');
  connect();
  const heard: (number | undefined)[] = [];
  store.subscribe(change => heard.push(change.before?.received, change.after?.received));
  const news = aTask({ revision: 2, received: 4e9 });
  server.wire.say({ type: 'state', sessions: [], tasks: [news] });
  server.wire.say({ type: 'state', sessions: [], tasks: [aTask({ revision: 1 })] });
  expect(heard).toEqual([3.2e9, 4e9]);
});

test('counts alone are watched beside tasks, over the same socket, and tell nothing of tasks', () => {
  store.watch(null, false);
  const stop = store.watch(null);
  server.wire.accept();
  expect(server.wire.sent.slice(1)).toEqual([
    { type: 'watch', session: null, tasks: false },
    { type: 'watch', session: null, tasks: true }
  ]);
  server.wire.say({ type: 'snapshot', watch: null, sessions: [aSession()], tasks: null });
  expect(store.status).toBe('connected');
  expect(store.counted).toBe(true);
  expect(store.answered(null)).toBe(false);
  server.wire.say({ type: 'snapshot', watch: null, sessions: [aSession()], tasks: [aTask()] });
  expect(store.follows('era5')).toBe(true);
  stop();
  expect(server.wire.sent[3]).toEqual({ type: 'unwatch', session: null, tasks: true });
  expect(store.follows('era5')).toBe(false);
  expect(server.wires).toHaveLength(1);
  server.wire.say({ type: 'snapshot', watch: null, sessions: [aSession()], tasks: null });
  expect(store.task('era5', 1)).toBeDefined();
});

test('tasks are not followed over a lost connection until they come again', () => {
  store.watch(null, false);
  store.watch('era5');
  connect();
  expect(store.follows('era5')).toBe(true);
  server.wire.close();
  store.tryNow();
  server.wire.accept();
  server.wire.say({ type: 'snapshot', watch: null, sessions: [aSession()], tasks: null });
  expect(store.status).toBe('connected');
  expect(store.follows('era5')).toBe(false);
  server.wire.say(SNAPSHOT);
  expect(store.follows('era5')).toBe(true);
});

test('a session that was paused is shown so at once', async () => {
  store.watch('era5');
  connect();
  await store.actOnAll('era5', 'suspend');
  expect(store.session('era5')?.counts.suspended).toBe(1);
});
