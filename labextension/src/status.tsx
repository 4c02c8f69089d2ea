/** The status bar's item: how many transfers are active and how fast; gone when none is. */

import type { IStatusBar } from '@jupyterlab/statusbar';
import { ReactWidget } from '@jupyterlab/ui-components';
import { Signal } from '@lumino/signaling';
import * as React from 'react';

import { StatusLine } from './components/StatusLine';
import { HostProvider, IHost } from './host';
import { Settings } from './settings';
import { trafficOf } from './traffic';

class StatusWidget extends ReactWidget {
  constructor(
    private _host: IHost,
    private _open: () => void
  ) {
    super();
    this.addClass('jp-bgdl');
    this.addClass('jp-bgdl-Status');
  }

  protected render(): React.ReactElement | null {
    return this.isVisible ? (
      <HostProvider value={this._host}>
        <StatusLine onClick={this._open} />
      </HostProvider>
    ) : null;
  }

  protected override onAfterShow(): void {
    this.update();
  }

  protected override onAfterHide(): void {
    this.update();
  }
}

/** Add the item; it shows itself while it has something to say and is switched on. */
export function addStatusItem(
  bar: IStatusBar,
  host: IHost,
  settings: Settings,
  open: () => void
): void {
  const item = new StatusWidget(host, open);
  const changed = new Signal<StatusWidget, void>(item);
  const isWanted = () => {
    const { running, waiting, paused } = trafficOf(host.store);
    return settings.isOn('statusBar') && running + waiting + paused > 0;
  };
  let isShown = false;
  const look = () => {
    if (isWanted() !== isShown) {
      isShown = !isShown;
      changed.emit();
    }
  };
  host.store.subscribe(look);
  settings.changed.connect(look);
  bar.registerStatusItem('jupyter-bgdl:status', {
    item,
    align: 'left',
    rank: 10,
    isActive: () => isShown,
    activeStateChanged: changed
  });
}
