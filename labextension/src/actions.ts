/** What a person can do with a task: the calls behind the buttons, the menu and the keys. */

import { Clipboard, Dialog, Notification, showDialog } from '@jupyterlab/apputils';
import { PageConfig, PathExt, URLExt } from '@jupyterlab/coreutils';
import { CommandRegistry } from '@lumino/commands';
import { Menu } from '@lumino/widgets';

import { confirmed, mustAsk } from './confirm';
import { IActions, TaskAction } from './host';
import { Insertion } from './insertion';
import { contentsPath } from './paths';
import { SessionMenu } from './sessionMenu';
import { SessionVerb, Store, TaskVerb } from './store';
import { ISessionView, ITaskView } from './wire';
import { Words } from './words';

/** What the application around us can do. */
export interface IApplication {
  commands: CommandRegistry;
  /** Whether there is a file browser on this page (in Notebook 7: only on the tree page). */
  hasFileBrowser: boolean;
  insertion: Insertion;
}

export class Actions implements IActions {
  constructor(
    private _store: Store,
    private _words: Words,
    private _application: IApplication
  ) {
    for (const action of ALL) {
      this._commands.addCommand(action, {
        label: () => this._menuLabel(action),
        execute: () => {
          if (this._chosen) {
            this.perform(this._chosen, action);
          }
        }
      });
    }
    const { trans } = this._words;
    this._commands.addCommand('insert-path', {
      label: trans.__('Insert path at cursor'),
      isEnabled: () => this._application.insertion.isPossible,
      execute: () => this._chosen && this.insertPath(this._chosen)
    });
    const copies: [string, string, (task: ITaskView) => string | null | undefined][] = [
      ['copy-address', trans.__('Copy address'), task => task.url],
      ['copy-path', trans.__('Copy path'), task => task.path],
      ['copy-error', trans.__('Copy error'), task => task.error?.message]
    ];
    for (const [command, label, text] of copies) {
      this._commands.addCommand(command, {
        label,
        execute: () => this.copy((this._chosen && text(this._chosen)) ?? '')
      });
    }
  }

  available(task: ITaskView): TaskAction[] {
    switch (task.phase) {
      case 'running':
      case 'waiting':
        return ['pause', 'cancel'];
      case 'suspended':
        return ['resume', 'cancel'];
      case 'finishing':
      case 'canceling':
        return [];
      case 'completed':
        if (task.error) {
          return ['retry', 'remove'];
        }
        return this._revealable(task) === null ? ['remove'] : ['reveal', 'remove'];
    }
  }

  label(action: TaskAction): string {
    const { trans } = this._words;
    return {
      pause: trans.__('Pause'),
      resume: trans.__('Resume'),
      retry: trans.__('Retry'),
      reveal: trans.__('Reveal in file browser'),
      cancel: trans.__('Cancel'),
      remove: trans.__('Remove from list')
    }[action];
  }

  perform(task: ITaskView, action: TaskAction): void {
    this.attempt(this._perform([task], action));
  }

  performTogether(tasks: ITaskView[], action: TaskAction): void {
    this.attempt(this._perform(tasks, action));
  }

  runLaunchCell(session: string): void {
    this.attempt(this._store.runLaunchCell(session));
  }

  actOnAll(sessions: string[], verb: SessionVerb): void {
    sessions.forEach(session => this.attempt(this._store.actOnAll(session, verb)));
  }

  sessionMenu(session: ISessionView, x: number, y: number): void {
    this._sessionMenu.open(session, x, y);
  }

  newDownload(): void {
    void this._application.commands.execute('jupyter-bgdl:new-download');
  }

  cleanUp(removable: number): void {
    this.attempt(this._cleanUp(removable));
  }

  attempt(work: Promise<void>): void {
    work.catch(reason => {
      const message = reason instanceof Error ? reason.message : String(reason);
      Notification.error(message, { autoClose: 8000 });
    });
  }

  menu(task: ITaskView, x: number, y: number): void {
    const menu = new Menu({ commands: this._commands });
    menu.addClass('jp-bgdl-Menu');
    this._chosen = task;
    for (const command of this.available(task)) {
      menu.addItem({ command });
    }
    menu.addItem({ type: 'separator' });
    menu.addItem({ command: 'copy-address' });
    if (task.path !== null) {
      menu.addItem({ command: 'copy-path' });
      menu.addItem({ command: 'insert-path' });
    }
    if (task.error) {
      menu.addItem({ command: 'copy-error' });
    }
    menu.open(x, y);
  }

  pathLiteral({ path }: ITaskView): string | null {
    return path === null ? null : this._application.insertion.spell(path, this._store.root);
  }

  insertPath(task: ITaskView): void {
    const text = this.pathLiteral(task);
    if (text !== null) {
      this.attempt(this._application.insertion.insert(text));
    }
  }

  canOpen(path: string): boolean {
    return this._contentsPath(path) !== null;
  }

  open(path: string): void {
    const local = this._contentsPath(path);
    if (local !== null) {
      this.openContents(local);
    }
  }

  openContents(path: string): void {
    void this._application.commands.execute('docmanager:open', { path });
  }

  copy(text: string): void {
    Clipboard.copyToSystem(text);
  }

  private async _perform(tasks: ITaskView[], action: TaskAction): Promise<void> {
    if (action === 'reveal') {
      return this._reveal(tasks[0]);
    }
    if (await confirmed(tasks, action, this._words)) {
      const act = (task: ITaskView) =>
        action === 'remove' ? this._store.remove(task) : this._store.act(task, VERBS[action]);
      const results = await Promise.allSettled(tasks.map(act));
      const failed = results.find(result => result.status === 'rejected');
      if (failed) {
        throw failed.reason;
      }
    }
  }

  private _menuLabel(action: TaskAction): string {
    const label = this.label(action);
    return this._chosen && mustAsk([this._chosen], action) ? `${label}…` : label;
  }

  private _revealable(task: ITaskView): string | null {
    return task.path === null ? null : this._contentsPath(task.path);
  }

  private _contentsPath(path: string): string | null {
    const { root } = this._store;
    return root === null ? null : contentsPath(path, root);
  }

  private async _reveal(task: ITaskView): Promise<void> {
    const path = this._revealable(task);
    if (path === null) {
      return;
    }
    if (this._application.hasFileBrowser) {
      await this._application.commands.execute('filebrowser:go-to-path', { path });
      return;
    }
    const folder = URLExt.encodeParts(PathExt.dirname(path));
    window.open(URLExt.join(PageConfig.getBaseUrl(), 'tree', folder), '_blank', 'noopener');
  }

  private async _cleanUp(removable: number): Promise<void> {
    const { trans } = this._words;
    const answer = await showDialog({
      title: trans.__('Clean up?'),
      body: trans._n(
        '%1 task that is over, and of which everybody was told, goes from the list, with what was fetched of it if it failed. Files that arrived stay.',
        '%1 tasks that are over, and of which everybody was told, go from the list, with what was fetched of those that failed. Files that arrived stay.',
        removable,
        removable
      ),
      buttons: [
        Dialog.cancelButton({ label: trans.__('Keep') }),
        Dialog.warnButton({ label: trans.__('Clean up') })
      ],
      defaultButton: 0
    });
    if (answer.button.accept) {
      await this._store.cleanUp();
    }
  }

  private _commands = new CommandRegistry();
  private _sessionMenu = new SessionMenu(this._store, this._words, this);
  private _chosen: ITaskView | null = null;
}

const ALL: TaskAction[] = ['pause', 'resume', 'retry', 'reveal', 'cancel', 'remove'];

const VERBS: { [action in 'pause' | 'resume' | 'retry' | 'cancel']: TaskVerb } = {
  pause: 'suspend',
  resume: 'resume',
  retry: 'retry',
  cancel: 'cancel'
};
