import * as React from 'react';
import { createRoot, Root } from 'react-dom/client';

import { Name } from '../components/Name';
import { keepOrder, TaskList } from '../components/TaskList';
import { salient } from '../components/SessionOutput';
import { merge } from '../components/Log';
import { SelectionBar } from '../components/SelectionBar';
import { Tree } from '../components/Tree';
import { HostProvider, IActions, IHost, TaskAction } from '../host';
import { Selection } from '../selection';
import { Store } from '../store';
import { ITaskView } from '../wire';
import { aDoneTask, aTask, words } from './views';

(globalThis as { IS_REACT_ACT_ENVIRONMENT?: boolean }).IS_REACT_ACT_ENVIRONMENT = true;

const { act } = React;

let node: HTMLElement;
let root: Root;
let performed: [number, TaskAction][];

const actions = {
  available: (task: ITaskView): TaskAction[] =>
    task.phase === 'completed' ? ['retry', 'remove'] : ['pause', 'cancel'],
  label: (action: TaskAction) => action,
  perform: (task: ITaskView, action: TaskAction) => performed.push([task.task_identifier, action])
} as unknown as IActions;

beforeEach(() => {
  performed = [];
  node = document.body.appendChild(document.createElement('div'));
  root = createRoot(node);
});

afterEach(() => {
  act(() => root.unmount());
  node.remove();
});

function show(...tasks: ITaskView[]): HTMLElement[] {
  const host: IHost = { store: { reading: () => null } as unknown as Store, words, actions };
  act(() =>
    root.render(
      <HostProvider value={host}>
        <Tree label="tasks">
          <TaskList tasks={tasks} now={3000} live level={1} />
        </Tree>
      </HostProvider>
    )
  );
  return Array.from(node.querySelectorAll<HTMLElement>('[role="treeitem"]'));
}

function press(item: HTMLElement, key: string): void {
  act(() => {
    item.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true }));
  });
}

test('T16: a hostile name, reason, host and address are text', () => {
  const html = '<img src=x onerror=alert(1)>';
  const error = { code: 'http_status', message: html };
  const [item] = show(aDoneTask({ name: html, host: html, url: html, reason: html, error }));
  press(item, 'Enter');
  expect(node.querySelector('img')).toBeNull();
  expect(node.querySelectorAll('a')).toHaveLength(0);
  expect(item.textContent).toContain(html);
});

test('T25: a task whose certificates are not checked says so', () => {
  const [checked, unchecked] = show(aTask(), aTask({ task_identifier: 2, verify: false }));
  press(checked, 'Enter');
  press(unchecked, 'Enter');
  expect(checked.textContent).not.toContain('Certificate');
  expect(unchecked.textContent).toContain('Certificatenot checked');
});

test('T16: a name that turns the writing direction is isolated, and disguises nothing', () => {
  act(() => root.render(<Name name={'invoice\u202efdp.exe-and-more'} />));
  expect(Array.from(node.querySelectorAll('bdi'), part => part.textContent).join('')).toBe(
    'invoice\ufffdfdp.exe-and-more'
  );
});

test('the bar has a name and its value in words', () => {
  const [item] = show(aTask());
  const bar = item.querySelector('[role="progressbar"]')!;
  expect(bar.getAttribute('aria-label')).toBe('era5_t2m_2023.nc');
  expect(bar.getAttribute('aria-valuetext')).toBe('3.2 of 12.4\u00a0GB');
  expect(bar.getAttribute('aria-valuenow')).toBe('25');
});

test('one row can be reached by the tab key, the arrows go on from there', () => {
  const items = show(aTask(), aTask({ task_identifier: 2 }), aTask({ task_identifier: 3 }));
  expect(items.map(item => item.tabIndex)).toEqual([0, -1, -1]);
  act(() => items[0].focus());
  press(items[0], 'ArrowDown');
  expect(document.activeElement).toBe(items[1]);
  press(items[1], 'End');
  expect(document.activeElement).toBe(items[2]);
  expect(items.map(item => item.tabIndex)).toEqual([-1, -1, 0]);
});

test('Space pauses, Delete cancels or removes, Enter shows details', () => {
  const failed = aDoneTask({ task_identifier: 2, error: { code: 'http_status', message: 'no' } });
  const items = show(aTask(), failed);
  press(items[0], ' ');
  press(items[0], 'Delete');
  press(items[1], 'Delete');
  expect(performed).toEqual([
    [1, 'pause'],
    [1, 'cancel'],
    [2, 'remove']
  ]);
  press(items[0], 'Enter');
  expect(items[0].getAttribute('aria-expanded')).toBe('true');
  expect(items[0].textContent).toContain('/home/me/data/');
});

test('a click on a button does not unfold the row', () => {
  const [item] = show(aTask());
  act(() => item.querySelector<HTMLElement>('button[aria-label="pause"]')!.click());
  expect(performed).toEqual([[1, 'pause']]);
  expect(item.getAttribute('aria-expanded')).toBe('false');
});

test('while somebody points at the rows they keep their places, and new ones go to the end', () => {
  const tasks = [3, 4, 1, 2].map(task_identifier => aTask({ task_identifier }));
  expect(keepOrder(tasks, [1, 2, 3]).map(task => task.task_identifier)).toEqual([1, 2, 3, 4]);
});

test('a failed task is in sight, however many others there are', () => {
  const many = Array.from({ length: 9 }, (_, i) => aTask({ task_identifier: i + 1 }));
  const failed = aDoneTask({ task_identifier: 10, error: { code: 'http_status', message: '' } });
  const done = aDoneTask({ task_identifier: 11 });
  const chosen = (...tasks: ITaskView[]) => salient(tasks).map(task => task.task_identifier);
  expect(chosen(...many, failed, done)).toEqual([1, 2, 3, 4, 10]);
  expect(chosen(...many, done)).toEqual([1, 2, 3, 4, 5]);
  expect(chosen(many[0], failed, done)).toEqual([1, 10, 11]);
});

test('a line of the log is there once', () => {
  const line = (number: number) => ({ number, time: 0, source: 'server' as const, text: '' });
  const merged = merge([line(1), line(2)], [line(2), line(3)]);
  expect(merged.map(each => each.number)).toEqual([1, 2, 3]);
});

test('Ctrl chooses one task more, Shift all from there, and neither unfolds', () => {
  const tasks = [1, 2, 3, 4].map(task_identifier => aTask({ task_identifier }));
  const heard: number[][] = [];
  const selection = {
    has: (task: ITaskView) => task.task_identifier === 4,
    toggle: (task: ITaskView) => heard.push([task.task_identifier]),
    add: (several: ITaskView[]) => heard.push(several.map(task => task.task_identifier))
  };
  const host: IHost = { store: { reading: () => null } as unknown as Store, words, actions };
  act(() =>
    root.render(
      <HostProvider value={host}>
        <Selection.Provider value={selection}>
          <Tree label="tasks">
            <TaskList tasks={tasks} now={3000} live level={1} />
          </Tree>
        </Selection.Provider>
      </HostProvider>
    )
  );
  const items = Array.from(node.querySelectorAll<HTMLElement>('[role="treeitem"]'));
  const click = (item: HTMLElement, keys: MouseEventInit) =>
    act(() => void item.dispatchEvent(new MouseEvent('click', { bubbles: true, ...keys })));
  click(items[2], { ctrlKey: true });
  click(items[0], { shiftKey: true });
  expect(heard).toEqual([[3], [1, 2, 3]]);
  expect(items.map(item => item.getAttribute('aria-selected'))).toEqual([
    'false',
    'false',
    'false',
    'true'
  ]);
  expect(items.every(item => item.getAttribute('aria-expanded') === 'false')).toBe(true);
});

test('what is chosen together is done with those that it fits', () => {
  const failed = aDoneTask({ task_identifier: 2, error: { code: 'http_status', message: 'no' } });
  const together: [number[], TaskAction][] = [];
  const doing = {
    ...actions,
    performTogether: (tasks: ITaskView[], action: TaskAction) =>
      together.push([tasks.map(task => task.task_identifier), action])
  } as IActions;
  const host: IHost = { store: {} as Store, words, actions: doing };
  const chosen = [aTask(), failed, aTask({ task_identifier: 3 })];
  act(() =>
    root.render(
      <HostProvider value={host}>
        <SelectionBar chosen={chosen} live onClear={() => undefined} />
      </HostProvider>
    )
  );
  const buttons = Array.from(node.querySelectorAll<HTMLElement>('.jp-bgdl-Link'));
  expect(buttons.map(button => button.textContent)).toEqual(['pause', 'retry', 'cancel', 'remove']);
  act(() => buttons.forEach(button => button.click()));
  expect(together).toEqual([
    [[1, 3], 'pause'],
    [[2], 'retry'],
    [[1, 3], 'cancel'],
    [[2], 'remove']
  ]);
});
