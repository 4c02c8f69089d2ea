import * as React from 'react';
import { createRoot, Root } from 'react-dom/client';

import { StatusLine } from '../components/StatusLine';
import { HostProvider, IActions } from '../host';
import { Store } from '../store';
import { trafficOf } from '../traffic';
import { ICounts, ISessionView } from '../wire';
import { aSession, words } from './views';

(globalThis as { IS_REACT_ACT_ENVIRONMENT?: boolean }).IS_REACT_ACT_ENVIRONMENT = true;

const { act } = React;

let node: HTMLElement;
let root: Root;

beforeEach(() => {
  node = document.body.appendChild(document.createElement('div'));
  root = createRoot(node);
});

afterEach(() => {
  act(() => root.unmount());
  node.remove();
});

function counting(counts: Partial<ICounts>, identifier = 'era5'): ISessionView {
  const none = { suspended: 0, waiting: 0, running: 0, done: 0, failed: 0, cancelled: 0 };
  return aSession({ identifier, counts: { ...none, ...counts } });
}

function storeOf(sessions: ISessionView[], status = 'connected', stalled = false): Store {
  return {
    sessions,
    status,
    version: 1,
    subscribe: () => () => undefined,
    sessionReading: ({ counts, rate }: ISessionView) =>
      counts.running > 0 && status === 'connected' ? { rate, stalled } : null
  } as unknown as Store;
}

function said(store: Store): string {
  const host = { store, words, actions: {} as IActions };
  act(() =>
    root.render(
      <HostProvider value={host}>
        <StatusLine onClick={() => undefined} />
      </HostProvider>
    )
  );
  return node.textContent ?? '';
}

test('it counts what runs in all sessions, and adds their rates', () => {
  const sessions = [counting({ running: 2 }), counting({ running: 1, waiting: 4 }, 'cmip6')];
  expect(said(storeOf(sessions))).toBe('3 · 96\u00a0MB/s');
});

test('a rate that stalls is none', () => {
  expect(said(storeOf([counting({ running: 2 })], 'connected', true))).toBe('2');
});

test('what failed is counted while its session has anything to do', () => {
  expect(said(storeOf([counting({ running: 1, failed: 3 })]))).toMatch(/3$/);
  expect(trafficOf(storeOf([counting({ done: 1, failed: 3 })])).failed).toBe(0);
});

test('what waits, and what is paused, is said in words', () => {
  expect(said(storeOf([counting({ waiting: 1 }), counting({ suspended: 5 }, 'b')]))).toBe(
    '1 waits'
  );
  expect(said(storeOf([counting({ suspended: 5 })]))).toBe('Paused');
});

test('without a connection nothing is claimed', () => {
  const store = storeOf([counting({ running: 1, failed: 3 })], 'lost');
  expect(said(store)).toBe('Not connected');
});
