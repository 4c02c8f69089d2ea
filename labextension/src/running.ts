/** The entry in JupyterLab's list of what runs: sessions that have anything to do still. */

import type { IRunningSessions } from '@jupyterlab/running';
import { LabIcon } from '@jupyterlab/ui-components';
import { Signal } from '@lumino/signaling';

import { figuresOf } from './components/figures';
import { IHost } from './host';
import { downloadIcon, pauseIcon } from './icon';
import { isActive } from './traffic';
import { ISessionView } from './wire';
import { total } from './words';

/** Milliseconds between two looks at the numbers: the list is drawn anew each time. */
const INTERVAL = 1000;

class Item implements IRunningSessions.IRunningItem {
  constructor(
    private _host: IHost,
    private _session: ISessionView,
    readonly open: () => void
  ) {}

  icon(): LabIcon {
    return downloadIcon;
  }

  label(): string {
    return this._session.identifier;
  }

  labelTitle(): string {
    const { done, amount, rate } = figuresOf(this._host, this._session, Date.now() / 1000);
    const said = [done, amount, rate].filter(Boolean).join(', ');
    return `${this._session.identifier}\n${said}`;
  }

  /** Short: it has half the width of a sidebar. */
  detail(): string {
    const { counts } = this._session;
    const wanted = total(counts) - counts.cancelled;
    return this._host.words.trans.__('%1 of %2', counts.done, wanted);
  }

  shutdown(): void {
    this._host.actions.actOnAll([this._session.identifier], 'suspend');
  }
}

export class Running implements IRunningSessions.IManager {
  constructor(
    private _host: IHost,
    private _open: () => void
  ) {
    const { trans } = _host.words;
    this.name = trans.__('Background downloads');
    this.shutdownLabel = trans.__('Pause');
    this.shutdownAllLabel = trans.__('Pause All');
    this.shutdownAllConfirmationText = trans.__('Pause all background transfers?');
    _host.store.subscribe(() => {
      this._timer ||= window.setTimeout(() => {
        this._timer = 0;
        this.refreshRunning();
      }, INTERVAL);
    });
  }

  readonly name: string;
  readonly shutdownLabel: string;
  readonly shutdownAllLabel: string;
  readonly shutdownAllConfirmationText: string;
  readonly shutdownItemIcon = pauseIcon;
  readonly runningChanged = new Signal<Running, void>(this);

  running(): IRunningSessions.IRunningItem[] {
    return this._active().map(session => new Item(this._host, session, this._open));
  }

  refreshRunning(): void {
    this.runningChanged.emit();
  }

  shutdownAll(): void {
    this._host.actions.actOnAll(
      this._active().map(({ identifier }) => identifier),
      'suspend'
    );
  }

  private _active(): ISessionView[] {
    return this._host.store.sessions.filter(isActive);
  }

  private _timer = 0;
}
