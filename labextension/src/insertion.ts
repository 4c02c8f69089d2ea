/** Writing a file's path where a person writes: in a notebook's cell, an editor or a console. */

import type { JupyterFrontEnd } from '@jupyterlab/application';
import { PathExt } from '@jupyterlab/coreutils';
import type { IDocumentWidget } from '@jupyterlab/docregistry';

import { contentsPath } from './paths';

/** JupyterLab's own; each is enabled while its kind of document is the current one. */
const REPLACE_SELECTION = [
  'notebook:replace-selection',
  'fileeditor:replace-selection',
  'console:replace-selection'
];

export class Insertion {
  constructor(private _app: Pick<JupyterFrontEnd, 'commands' | 'shell'>) {}

  /** Whether there is a cursor. */
  get isPossible(): boolean {
    return this._command() !== undefined;
  }

  /** At the cursor, instead of what is selected. */
  async insert(text: string): Promise<void> {
    const command = this._command();
    if (command) {
      await this._app.commands.execute(command, { text });
    }
  }

  /** A path on the server's disk, as the code of the current document should have it. */
  spell(path: string, root: string | null): string {
    const { context } = (this._app.shell.currentWidget ?? {}) as Partial<IDocumentWidget>;
    // A document of another drive, `drive:path`, has no folder here.
    const isHere = context !== undefined && !context.path.includes(':');
    return literal(isHere ? nearest(path, root, PathExt.dirname(context.path)) : path);
  }

  private _command(): string | undefined {
    const { commands } = this._app;
    return REPLACE_SELECTION.find(id => commands.hasCommand(id) && commands.isEnabled(id));
  }
}

/** Relative to a folder of the contents API if it lies below that, where kernels run; else whole. */
export function nearest(path: string, root: string | null, folder: string): string {
  const contents = root === null ? null : contentsPath(path, root);
  const parts = folder.split('/').filter(Boolean);
  const own = contents?.split('/') ?? [];
  const isBelow = own.length > parts.length && parts.every((part, i) => own[i] === part);
  return isBelow ? own.slice(parts.length).join('/') : path;
}

/** As Python, and most other languages, write text: JSON's escapes are among theirs. */
export function literal(text: string): string {
  return JSON.stringify(text);
}
