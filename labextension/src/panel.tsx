/** The sidebar panel as a widget: it watches the server only while it is in sight. */

import { ReactWidget } from '@jupyterlab/ui-components';
import type { Message } from '@lumino/messaging';
import * as React from 'react';

import { Panel } from './components/Panel';
import { HostProvider, IHost } from './host';
import { downloadIcon } from './icon';

export const PANEL_ID = 'jupyter-bgdl-panel';
/** The command that shows it. */
export const OPEN = 'jupyter-bgdl:open';

export class PanelWidget extends ReactWidget {
  constructor(private _host: IHost) {
    super();
    const { trans } = _host.words;
    this.id = PANEL_ID;
    this.addClass('jp-bgdl');
    this.addClass('jp-bgdl-PanelWidget');
    this.title.icon = downloadIcon;
    this.title.caption = trans.__('Background downloads');
    this.node.setAttribute('role', 'region');
    this.node.setAttribute('aria-label', trans.__('Background downloads'));
  }

  protected override onAfterShow(message: Message): void {
    super.onAfterShow(message);
    this.update();
  }

  protected override onAfterHide(message: Message): void {
    super.onAfterHide(message);
    this.update();
  }

  protected render(): React.ReactElement | null {
    return this.isVisible ? (
      <HostProvider value={this._host}>
        <Panel />
      </HostProvider>
    ) : null;
  }
}
