/**
 * JupyterLab's notifications: what got done or failed while this page is open, and, if a person
 * wants it, progress. One for each session and kind, which is updated while it stands.
 */

import { Notification } from '@jupyterlab/apputils';

import { figuresOf } from './components/figures';
import { shownName } from './format';
import { IHost } from './host';
import { INews, News } from './news';
import { Settings } from './settings';
import { isInSight } from './sight';
import { ISessionView, ITaskView } from './wire';
import { isOver, Words } from './words';

const PROGRESS_INTERVAL = 3000;
/** Milliseconds that good news stays in sight; JupyterLab's list of notifications keeps it. */
const DONE_STAYS = 8000;
/** JupyterLab shows 140 characters of a notification: a name must leave room for what it did. */
const LONGEST_NAME = 60;
const NAME_END = 11;

interface IStanding {
  id: string;
  count: number;
}

export class Notifications {
  constructor(
    private _host: IHost,
    private _settings: Settings,
    open: () => void
  ) {
    this._show = { label: _host.words.trans.__('Show'), callback: open };
    new News(_host.store, news => this._tell(news));
    _host.store.subscribe(() => this._schedule());
    _settings.changed.connect(() => this._schedule());
  }

  private _tell(news: INews): void {
    const wanted = this._settings.isOn(news.kind === 'done' ? 'notifyDone' : 'notifyFailed');
    if (wanted && !isInSight(news.session)) {
      if (news.kind === 'done') {
        this._tellDone(news);
      } else {
        this._tellFailed(news);
      }
    }
  }

  private _tellDone({ session, task }: INews): void {
    const { actions, store, words } = this._host;
    const reveal = task && actions.available(task).includes('reveal');
    const action = reveal
      ? {
          label: words.trans.__('Reveal'),
          caption: actions.label('reveal'),
          callback: () => actions.perform(task, 'reveal')
        }
      : this._show;
    const message = task
      ? taskDone(task, words)
      : sessionDone(session, store.session(session), words);
    const options = { actions: [action], autoClose: DONE_STAYS };
    this._done.set(session, put(this._done.get(session), message, 'success', options));
  }

  /** It stays until somebody has seen it; what fails later in that session is added to it. */
  private _tellFailed(news: INews): void {
    const { session } = news;
    const { actions, words } = this._host;
    const old = this._failed.get(session);
    const count = news.count + (old && Notification.manager.has(old.id) ? old.count : 0);
    const task = count === 1 ? news.task : null;
    const retry = task && {
      label: actions.label('retry'),
      callback: () => actions.perform(task, 'retry')
    };
    const message = task
      ? words.trans.__('%1 failed: %2', shown(task.name), words.failure(task))
      : words.trans.__('%1: %2 failed', shown(session), count);
    const options = {
      actions: retry ? [retry, this._show] : [this._show],
      autoClose: false as const
    };
    this._failed.set(session, { id: put(old?.id, message, 'error', options), count });
  }

  /** Look at the sessions soon: progress is told every few seconds, and only if wanted. */
  private _schedule(): void {
    this._timer ||= window.setTimeout(() => {
      this._timer = 0;
      this._lookAround();
    }, PROGRESS_INTERVAL);
  }

  private _lookAround(): void {
    const { store } = this._host;
    for (const [session, { id }] of this._failed) {
      // Dealt with, or seen where more can be done about it.
      if ((store.session(session)?.counts.failed ?? 0) === 0 || isInSight(session)) {
        Notification.dismiss(id);
        this._failed.delete(session);
      }
    }
    const wanted = this._settings.isOn('notifyProgress') && store.status === 'connected';
    const moving = store.sessions.filter(({ counts }) => wanted && counts.running > 0);
    for (const session of moving) {
      this._showProgress(session);
    }
    const still = new Set(moving.map(({ identifier }) => identifier));
    for (const [session, id] of this._progress) {
      if (!still.has(session)) {
        Notification.dismiss(id);
        this._progress.delete(session);
      }
    }
  }

  private _showProgress(session: ISessionView): void {
    const { identifier } = session;
    const id = this._progress.get(identifier);
    if (id !== undefined && !Notification.manager.has(id)) {
      return; // A person closed it: not again until the session has come to rest.
    }
    if (isInSight(identifier)) {
      if (id !== undefined) {
        Notification.dismiss(id);
        this._progress.delete(identifier);
      }
      return;
    }
    const { trans } = this._host.words;
    const { done, rate, fraction } = figuresOf(this._host, session, Date.now() / 1000);
    const told = rate ? trans.__('%1, %2', done, rate) : done;
    const message = trans.__('%1: %2', shown(identifier), told);
    const options = { actions: [this._show], autoClose: false as const, progress: fraction };
    this._progress.set(identifier, put(id, message, 'in-progress', options));
  }

  private _show: Notification.IAction;
  private _failed = new Map<string, IStanding>();
  private _done = new Map<string, string>();
  private _progress = new Map<string, string>();
  private _timer = 0;
}

function sessionDone(name: string, session: ISessionView | undefined, words: Words): string {
  const { trans } = words;
  if (!session) {
    return trans.__('%1 is done', shown(name));
  }
  return isOver(session)
    ? trans.__('%1 is done: %2', shown(name), words.summary(session, false))
    : trans.__('%1: %2', shown(name), words.done(session.counts));
}

function taskDone({ name, kind }: ITaskView, { trans }: Words): string {
  return kind === 'upload'
    ? trans.__('%1 is sent', shown(name))
    : trans.__('%1 is done', shown(name));
}

/** Show it in place of the one with that identifier, or anew. */
function put(
  id: string | undefined,
  message: string,
  type: Notification.TypeOptions,
  options: Notification.IOptions<null>
): string {
  if (id !== undefined && Notification.update({ id, message, type, ...options })) {
    return id;
  }
  return Notification.emit(message, type, options);
}

/** A name in a sentence: it gives way in the middle, and its direction stays its own. */
function shown(name: string): string {
  const whole = shownName(name);
  const letters = Array.from(whole);
  const text =
    letters.length <= LONGEST_NAME
      ? whole
      : `${letters.slice(0, LONGEST_NAME - NAME_END - 1).join('')}…${letters.slice(-NAME_END).join('')}`;
  return `\u2068${text}\u2069`;
}
