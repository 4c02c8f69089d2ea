/** What is shown of the transfers outside their panel: each where JupyterLab has a place for it. */

import { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { IRunningSessionManagers } from '@jupyterlab/running';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { IStatusBar } from '@jupyterlab/statusbar';

import { Notifications } from './notifications';
import { OPEN } from './panel';
import { Running } from './running';
import { Settings } from './settings';
import { explainShutDown } from './shutdown';
import { addStatusItem } from './status';
import { ITransferSessions } from './token';

export const AROUND = 'jupyter-bgdl:around';

export const around: JupyterFrontEndPlugin<void> = {
  id: AROUND,
  description: 'Status bar, notifications, the running list, and what a shut down pauses.',
  autoStart: true,
  requires: [ITransferSessions],
  optional: [ISettingRegistry, IStatusBar, IRunningSessionManagers],
  activate: (
    app: JupyterFrontEnd,
    host: ITransferSessions,
    registry: ISettingRegistry | null,
    statusBar: IStatusBar | null,
    running: IRunningSessionManagers | null
  ): void => {
    const settings = new Settings(registry, AROUND);
    const open = () => void app.commands.execute(OPEN);
    new Notifications(host, settings, open);
    explainShutDown(app.commands, host);
    running?.add(new Running(host, open));
    if (statusBar) {
      addStatusItem(statusBar, host, settings, open);
    }
  }
};
