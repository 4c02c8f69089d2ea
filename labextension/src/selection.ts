/** Tasks that a person has chosen together, to do the same with all of them. */

import * as React from 'react';

import { Store } from './store';
import { ITaskView } from './wire';

export interface ISelection {
  has(task: ITaskView): boolean;
  /** Choose a task, or leave it out again. */
  toggle(task: ITaskView): void;
  add(tasks: ITaskView[]): void;
}

/** Null: tasks can't be chosen here. */
export const Selection = React.createContext<ISelection | null>(null);

const keyOf = (task: ITaskView): string => `${task.task_identifier}/${task.session}`;

/** What is chosen, and of that the newest views of what there still is. */
export function useSelection(store: Store): {
  selection: ISelection;
  chosen: ITaskView[];
  clear: () => void;
} {
  const [keys, setKeys] = React.useState<ReadonlySet<string>>(new Set());
  const selection = React.useMemo(
    () => ({
      has: (task: ITaskView) => keys.has(keyOf(task)),
      toggle: (task: ITaskView) =>
        setKeys(old => {
          const others = Array.from(old).filter(key => key !== keyOf(task));
          return new Set(old.has(keyOf(task)) ? others : [...others, keyOf(task)]);
        }),
      add: (tasks: ITaskView[]) => setKeys(old => new Set([...old, ...tasks.map(keyOf)]))
    }),
    [keys]
  );
  const chosen = Array.from(keys).flatMap(key => {
    const slash = key.indexOf('/');
    return store.task(key.slice(slash + 1), Number(key.slice(0, slash))) ?? [];
  });
  const clear = React.useCallback(() => setKeys(new Set()), []);
  return { selection, chosen, clear };
}
