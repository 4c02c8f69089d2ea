/** Asking before much is lost: cancelling loses what was moved, removing a failed download too. */

import { Dialog, showDialog } from '@jupyterlab/apputils';

import { bytes } from './format';
import { TaskAction } from './host';
import { ITaskView } from './wire';
import { Words } from './words';

/** Losing more than this asks first. */
const ASK_FROM = 1e9;

/** Bytes that have to be moved again after this. */
function loss(tasks: ITaskView[], action: TaskAction): number {
  const loses = (task: ITaskView) =>
    action === 'cancel' || (action === 'remove' && task.error !== null && task.kind === 'download');
  return tasks.filter(loses).reduce((sum, task) => sum + task.received, 0);
}

export function mustAsk(tasks: ITaskView[], action: TaskAction): boolean {
  return loss(tasks, action) > ASK_FROM;
}

/** True if the person agrees, or need not be asked. */
export async function confirmed(
  tasks: ITaskView[],
  action: TaskAction,
  words: Words
): Promise<boolean> {
  if (!mustAsk(tasks, action)) {
    return true;
  }
  const [title, body, verb] = question(tasks, action, words);
  const result = await showDialog({
    title,
    body,
    buttons: [
      Dialog.cancelButton({ label: words.trans.__('Keep') }),
      Dialog.warnButton({ label: verb })
    ],
    defaultButton: 0
  });
  return result.button.accept;
}

function question(
  tasks: ITaskView[],
  action: TaskAction,
  { trans }: Words
): [title: string, body: string, verb: string] {
  const amount = bytes(loss(tasks, action));
  const [{ name, kind }] = tasks;
  if (tasks.length > 1) {
    const body = trans.__('%1 that were moved are lost.', amount);
    return action === 'remove'
      ? [trans.__('Remove %1 tasks?', tasks.length), body, trans.__('Remove')]
      : [trans.__('Cancel %1 tasks?', tasks.length), body, trans.__('Cancel tasks')];
  }
  if (kind === 'upload') {
    return [
      trans.__('Cancel this upload?'),
      trans.__('%1 of “%2” were sent and will have to be sent again.', amount, name),
      trans.__('Cancel upload')
    ];
  }
  const body = trans.__('%1 of “%2” were fetched and will be deleted.', amount, name);
  return action === 'remove'
    ? [trans.__('Remove this download?'), body, trans.__('Remove')]
    : [trans.__('Cancel this download?'), body, trans.__('Cancel download')];
}
