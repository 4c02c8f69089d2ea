/** A single task in a notebook's output: its own row. */

import * as React from 'react';

import { useHost, useNow, useStore, useWatch } from '../host';
import { ConnectionBand } from './Band';
import { TaskList } from './TaskList';
import { Tree } from './Tree';

export interface ITaskOutputProps {
  identifier: string;
  number: number;
}

export function TaskOutput({ identifier, number }: ITaskOutputProps): React.JSX.Element {
  const { words } = useHost();
  const { trans } = words;
  const store = useStore();
  const now = useNow();
  const [gone, setGone] = React.useState(false);
  useWatch(identifier);
  const task = store.task(identifier, number);
  const live = store.status === 'connected';
  const missing = !task && live && store.answered(identifier);

  // A snapshot holds only the newest finished tasks.
  React.useEffect(() => {
    if (!missing) {
      return;
    }
    let stopped = false;
    store
      .fetchTask(identifier, number)
      .then(found => {
        if (!stopped) {
          setGone(!found);
        }
      })
      .catch(reason => console.warn('jupyter-bgdl: the task could not be fetched', reason));
    return () => {
      stopped = true;
    };
  }, [missing, store, identifier, number]);

  return (
    <div
      className={live ? 'jp-bgdl-View jp-mod-task' : 'jp-bgdl-View jp-mod-task jp-mod-old'}
      data-session={identifier}
    >
      <ConnectionBand />
      {task && (
        <Tree label={trans.__('Transfer session %1', identifier)}>
          <div className="jp-bgdl-View-rows" role="none">
            <TaskList tasks={[task]} now={now} live={live} level={1} />
          </div>
        </Tree>
      )}
      {!task && gone && (
        <p className="jp-bgdl-View-none">
          {trans.__('This server has no task %1 in the transfer session %2.', number, identifier)}
        </p>
      )}
    </div>
  );
}
