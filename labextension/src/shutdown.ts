/** JupyterLab's *Shut Down* asks first: that question is where a person wants to hear what pauses. */

import { Dialog } from '@jupyterlab/apputils';
import { CommandRegistry } from '@lumino/commands';

import { IHost } from './host';
import { trafficOf } from './traffic';

const SHUT_DOWN = 'filemenu:shutdown';

/** Add a sentence to the question, if anything would pause. The command stays JupyterLab's own. */
export function explainShutDown(commands: CommandRegistry, { store, words }: IHost): void {
  commands.commandExecuted.connect((_, { id }) => {
    const { running, waiting } = trafficOf(store);
    const active = running + waiting;
    if (id !== SHUT_DOWN || active === 0) {
      return;
    }
    let asked: Dialog<unknown> | undefined;
    Dialog.tracker.forEach(dialog => (asked = dialog));
    const sentence = document.createElement('p');
    sentence.className = 'jp-bgdl-ShutDown';
    sentence.textContent = words.trans._n(
      '%1 background transfer pauses, and goes on when the server is started again.',
      '%1 background transfers pause, and go on when the server is started again.',
      active,
      active
    );
    asked?.node.querySelector('.jp-Dialog-body')?.append(sentence);
  });
}
