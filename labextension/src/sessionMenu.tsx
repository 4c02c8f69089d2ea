/** What a person can do with a whole session: pause it, look at its launch cell, run it. */

import { Dialog, ReactWidget, showDialog } from '@jupyterlab/apputils';
import { CommandRegistry } from '@lumino/commands';
import { Menu } from '@lumino/widgets';
import * as React from 'react';

import { entriesOf, SessionEntry } from './entries';
import { clock, day, daysAhead } from './format';
import { IActions } from './host';
import { Store } from './store';
import { ILaunchCell, ILaunchView, ISessionView } from './wire';
import { Words } from './words';

export class SessionMenu {
  constructor(
    private _store: Store,
    private _words: Words,
    private _actions: Pick<IActions, 'actOnAll' | 'runLaunchCell' | 'attempt'>
  ) {
    const { trans } = _words;
    const add = (
      entry: SessionEntry,
      label: string | (() => string),
      act: (chosen: ISessionView) => void
    ) =>
      this._commands.addCommand(entry, {
        label,
        execute: () => this._chosen && act(this._chosen)
      });
    for (const verb of ['suspend', 'resume', 'redeliver'] as const) {
      const label = {
        suspend: trans.__('Pause all'),
        resume: trans.__('Resume all'),
        redeliver: trans.__('Deliver again')
      }[verb];
      add(verb, label, ({ identifier }) => _actions.actOnAll([identifier], verb));
    }
    add('launch-cell', trans.__('Launch cell…'), chosen => _actions.attempt(this._show(chosen)));
    add('run', trans.__('Run launch cell'), ({ identifier }) => _actions.runLaunchCell(identifier));
    add(
      'switch',
      () =>
        this._chosen?.launch?.enabled
          ? trans.__('Don’t launch by itself')
          : trans.__('Launch by itself'),
      chosen => _actions.attempt(this._switch(chosen))
    );
  }

  open(session: ISessionView, x: number, y: number): void {
    this._chosen = session;
    const menu = new Menu({ commands: this._commands });
    menu.addClass('jp-bgdl-Menu');
    for (const group of entriesOf(session)) {
      group.forEach(command => menu.addItem({ command }));
      menu.addItem({ type: 'separator' });
    }
    menu.open(x, y);
  }

  private _switch({ identifier, launch }: ISessionView): Promise<void> {
    return this._store.switchLaunch(identifier, !launch?.enabled);
  }

  private async _show(session: ISessionView): Promise<void> {
    const { trans } = this._words;
    const cell = await this._store.launchCell(session.identifier);
    const switches = session.launch?.enabled ? trans.__('Disable') : trans.__('Enable');
    const answer = await showDialog({
      title: trans.__('Launch cell of %1', session.identifier),
      body: ReactWidget.create(
        <LaunchCell cell={cell} launch={session.launch} words={this._words} />
      ),
      buttons: [
        Dialog.createButton({ label: switches, accept: false, actions: ['switch'] }),
        Dialog.cancelButton({ label: trans.__('Close') }),
        Dialog.okButton({ label: trans.__('Run now') })
      ],
      defaultButton: 1
    });
    if (answer.button.actions.includes('switch')) {
      await this._switch(session);
    } else if (answer.button.accept) {
      this._actions.runLaunchCell(session.identifier);
    }
  }

  private _commands = new CommandRegistry();
  private _chosen: ISessionView | null = null;
}

interface ILaunchCellProps {
  cell: ILaunchCell;
  launch: ILaunchView | null;
  words: Words;
}

/** Which notebook's kernel runs what, and when it did last. */
function LaunchCell({ cell, launch, words }: ILaunchCellProps): React.JSX.Element {
  const { trans } = words;
  return (
    <div className="jp-bgdl jp-bgdl-LaunchCell">
      <p>
        {launch?.enabled
          ? trans.__('When events wait and nobody listens, the server runs this in the kernel of:')
          : trans.__('Disabled: the server does not run this by itself in the kernel of:')}
        <br />
        <bdi>{cell.notebook}</bdi>
      </p>
      <pre tabIndex={0} aria-label={trans.__('Source of the launch cell')}>
        {cell.source ?? cell.target}
      </pre>
      <p className="jp-bgdl-quiet">{lastRun(launch?.last_run ?? null, words)}</p>
    </div>
  );
}

function lastRun(time: number | null, { trans }: Words): string {
  if (time === null) {
    return trans.__('It has not been launched yet.');
  }
  return daysAhead(time, Date.now() / 1000) === 0
    ? trans.__('Last launched today at %1; what it printed is in the log.', clock(time))
    : trans.__('Last launched on %1 at %2; what it printed is in the log.', day(time), clock(time));
}
