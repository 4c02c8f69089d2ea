/** The commands of the palette and of the file browser's menu; `docs/extending.md` lists them. */

import { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { IDefaultFileBrowser } from '@jupyterlab/filebrowser';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';

import { downloadIcon } from './icon';
import { newDownload } from './newDownload';
import { OPEN } from './panel';
import { isActive } from './traffic';
import { ITransferSessions } from './token';

export const NEW_DOWNLOAD = 'jupyter-bgdl:new-download';
const DOWNLOAD_HERE = 'jupyter-bgdl:download-here';
const PAUSE_ALL = 'jupyter-bgdl:pause-all';
const INSERT_PATH = 'jupyter-bgdl:insert-path';
const RESUME_ALL = 'jupyter-bgdl:resume-all';

const LISTING = '.jp-DirListing-content';

export const commands: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-bgdl:commands',
  description: 'Commands, and the file browser’s menu entry.',
  autoStart: true,
  requires: [ITransferSessions],
  optional: [ICommandPalette, IDefaultFileBrowser],
  activate: (
    app: JupyterFrontEnd,
    host: ITransferSessions,
    palette: ICommandPalette | null,
    browser: IDefaultFileBrowser | null
  ): void => {
    const { trans } = host.words;

    const order = async (given: ReadonlyPartialJSONObject, folder: string) => {
      const { urls, session } = given;
      const taken = await newDownload(host, {
        folder: typeof given.folder === 'string' ? given.folder : folder,
        ...(Array.isArray(urls) && { urls: urls.filter(isText).join('\n') }),
        ...(isText(session) && { session })
      });
      if (taken && app.commands.hasCommand(OPEN)) {
        await app.commands.execute(OPEN);
      }
    };
    const named = ({ session }: ReadonlyPartialJSONObject): string[] =>
      isText(session) ? [session] : host.store.sessions.map(({ identifier }) => identifier);

    app.commands.addCommand(NEW_DOWNLOAD, {
      label: trans.__('New download…'),
      caption: trans.__('Download in the background, whatever becomes of this page'),
      icon: downloadIcon,
      execute: given => order(given, browser?.model.path ?? '')
    });
    app.commands.addCommand(DOWNLOAD_HERE, {
      label: trans.__('Download here in the background…'),
      icon: downloadIcon,
      execute: () => {
        const [item] = Array.from(browser?.selectedItems() ?? []);
        const path = item?.type === 'directory' ? item.path : browser?.model.path;
        return order({}, path ?? '');
      }
    });
    app.commands.addCommand(PAUSE_ALL, {
      label: trans.__('Pause all downloads'),
      isEnabled: () => host.store.sessions.some(isActive),
      execute: given => host.actions.actOnAll(named(given), 'suspend')
    });
    app.commands.addCommand(RESUME_ALL, {
      label: trans.__('Resume all downloads'),
      isEnabled: () => host.store.sessions.some(({ counts }) => counts.suspended > 0),
      execute: given => host.actions.actOnAll(named(given), 'resume')
    });
    app.commands.addCommand(INSERT_PATH, {
      label: trans.__('Insert path of a downloaded file'),
      execute: async ({ session, task }) => {
        const number = Number(task);
        if (isText(session) && (await host.store.fetchTask(session, number))) {
          host.actions.insertPath(host.store.task(session, number)!);
        }
      }
    });
    for (const command of [NEW_DOWNLOAD, PAUSE_ALL, RESUME_ALL]) {
      palette?.addItem({ command, category: trans.__('Downloads') });
    }
    if (browser) {
      app.contextMenu.addItem({ command: DOWNLOAD_HERE, selector: LISTING, rank: 20 });
    }
  }
};

function isText(value: unknown): value is string {
  return typeof value === 'string';
}
