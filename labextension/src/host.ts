/** What every component is given: the store, the words, and what a person can do. */

import * as React from 'react';

import { paced } from './pace';
import { SessionVerb, Store } from './store';
import { ISessionView, ITaskView } from './wire';
import { Words } from './words';

/** A thing to do with a task, in the order of the menu. */
export type TaskAction = 'pause' | 'resume' | 'retry' | 'reveal' | 'cancel' | 'remove';

export interface IActions {
  /** What can be done with a task now, the most likely first. */
  available(task: ITaskView): TaskAction[];
  label(action: TaskAction): string;
  perform(task: ITaskView, action: TaskAction): void;
  /** The same with each, having asked once; of those that fail, the person hears of the first. */
  performTogether(tasks: ITaskView[], action: TaskAction): void;
  /** Open the menu with all actions at a point of the window. */
  menu(task: ITaskView, x: number, y: number): void;
  /** The path of its file as code of the current notebook; null: it has none (yet). */
  pathLiteral(task: ITaskView): string | null;
  /** Write that at the cursor, if there is one. */
  insertPath(task: ITaskView): void;
  /** Whether a notebook (absolute path) can be opened from here. */
  canOpen(path: string): boolean;
  open(path: string): void;
  /** Open a notebook by its path in the contents API. */
  openContents(path: string): void;
  runLaunchCell(session: string): void;
  /** Pause everything that these sessions have to do. */
  actOnAll(sessions: string[], verb: SessionVerb): void;
  /** Open the menu with all that can be done with a session at a point of the window. */
  sessionMenu(session: ISessionView, x: number, y: number): void;
  /** Ask for new downloads. */
  newDownload(): void;
  /** Ask, then forget so many completed tasks with what they hold. */
  cleanUp(removable: number): void;
  /** Tell the person if this fails. */
  attempt(work: Promise<void>): void;
  copy(text: string): void;
}

export interface IHost {
  store: Store;
  words: Words;
  actions: IActions;
}

const HostContext = React.createContext<IHost | null>(null);

export const HostProvider = HostContext.Provider;

export function useHost(): IHost {
  const host = React.useContext(HostContext);
  if (!host) {
    throw new Error('There is no HostProvider around this component');
  }
  return host;
}

/** Redraw when something changes: at its own pace, and never in a hidden tab. */
export function useStore(): Store {
  const { store } = useHost();
  const subscribe = React.useCallback(
    (redraw: () => void) => {
      const pace = paced(redraw);
      const stop = store.subscribe(pace.ask);
      return () => {
        pace.stop();
        stop();
      };
    },
    [store]
  );
  React.useSyncExternalStore(subscribe, () => store.version);
  return store;
}

/** Keep a session (null: all) up to date while the component is there. */
export function useWatch(session: string | null): void {
  const { store } = useHost();
  React.useEffect(() => store.watch(session), [store, session]);
}

/** As {@link useWatch}, while the page is in the foreground: else it is told counts alone. */
export function useWatchInSight(session: string | null): void {
  const { store } = useHost();
  React.useEffect(() => {
    let stop: (() => void) | null = null;
    const look = () => {
      if (document.hidden) {
        stop?.();
        stop = null;
      } else {
        stop ??= store.watch(session);
      }
    };
    look();
    document.addEventListener('visibilitychange', look);
    return () => {
      document.removeEventListener('visibilitychange', look);
      stop?.();
    };
  }, [store, session]);
}

/** Seconds since the epoch, once a second; stands still in a hidden tab. */
export function useNow(): number {
  const [now, setNow] = React.useState(() => Math.floor(Date.now() / 1000));
  React.useEffect(() => {
    const tick = () => {
      if (!document.hidden) {
        setNow(Math.floor(Date.now() / 1000));
      }
    };
    const timer = window.setInterval(tick, 1000);
    document.addEventListener('visibilitychange', tick);
    return () => {
      window.clearInterval(timer);
      document.removeEventListener('visibilitychange', tick);
    };
  }, []);
  return now;
}
