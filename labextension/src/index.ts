/** The plugins of JupyterLab and Notebook 7. */

import { ILayoutRestorer, JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { IDefaultFileBrowser } from '@jupyterlab/filebrowser';
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import { IJupyterWidgetRegistry } from '@jupyter-widgets/base';

import { Actions } from './actions';
import { Announcer } from './announcer';
import { around } from './around';
import { commands } from './commands';
import { IHost } from './host';
import { downloadIcon } from './icon';
import { Insertion } from './insertion';
import { OPEN, PANEL_ID, PanelWidget } from './panel';
import { OutputRenderer } from './renderer';
import { Server } from './server';
import { Store } from './store';
import { ITransferSessions } from './token';
import { MODULE, MODULE_VERSION, SessionModel, sessionView } from './widget';
import { MIME_TYPE } from './wire';
import { Words } from './words';

export { ITransferSessions } from './token';

const sessions: JupyterFrontEndPlugin<ITransferSessions> = {
  id: 'jupyter-bgdl:sessions',
  description: 'Provides the background transfers of this server.',
  autoStart: true,
  provides: ITransferSessions,
  optional: [ITranslator, IDefaultFileBrowser],
  activate: (
    app: JupyterFrontEnd,
    translator: ITranslator | null,
    browser: IDefaultFileBrowser | null
  ): IHost => {
    const words = new Words((translator ?? nullTranslator).load('jupyter_bgdl'));
    const store = new Store(new Server(app.serviceManager.serverSettings));
    const insertion = new Insertion(app);
    const { commands } = app;
    const application = { commands, hasFileBrowser: browser !== null, insertion };
    new Announcer(store, words);
    // From the page's start: a browser opens one websocket to a host at a time, and the one of a
    // notebook whose kernel is busy can take a minute.
    store.watch(null, false);
    return { store, words, actions: new Actions(store, words, application) };
  }
};

const panel: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-bgdl:panel',
  description: 'The sidebar panel of the background downloads.',
  autoStart: true,
  requires: [ITransferSessions],
  optional: [ICommandPalette, ILayoutRestorer],
  activate: (
    app: JupyterFrontEnd,
    host: ITransferSessions,
    palette: ICommandPalette | null,
    restorer: ILayoutRestorer | null
  ): void => {
    const { trans } = host.words;
    const widget = new PanelWidget(host);
    app.shell.add(widget, 'left', { rank: 400, type: 'Background downloads' });
    restorer?.add(widget, PANEL_ID);
    app.commands.addCommand(OPEN, {
      label: trans.__('Background downloads'),
      caption: trans.__('Show the background downloads'),
      icon: downloadIcon,
      execute: () => app.shell.activateById(PANEL_ID)
    });
    palette?.addItem({ command: OPEN, category: trans.__('Downloads') });
  }
};

const output: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-bgdl:output',
  description: 'The output view of transfer sessions and tasks.',
  autoStart: true,
  requires: [ITransferSessions, IRenderMimeRegistry],
  activate: (
    _: JupyterFrontEnd,
    host: ITransferSessions,
    rendermime: IRenderMimeRegistry
  ): void => {
    rendermime.addFactory(
      {
        safe: true,
        mimeTypes: [MIME_TYPE],
        defaultRank: -20,
        createRenderer: () => new OutputRenderer(host)
      },
      -20
    );
  }
};

const widget: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-bgdl:widget',
  description: 'The ipywidget of transfer sessions.',
  autoStart: true,
  requires: [ITransferSessions],
  optional: [IJupyterWidgetRegistry],
  activate: (
    _: JupyterFrontEnd,
    host: ITransferSessions,
    registry: IJupyterWidgetRegistry | null
  ): void => {
    registry?.registerWidget({
      name: MODULE,
      version: MODULE_VERSION,
      exports: { SessionModel, SessionView: sessionView(host) }
    });
  }
};

export default [sessions, panel, output, widget, around, commands];
