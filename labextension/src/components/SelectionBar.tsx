/** How many tasks are chosen, and what can be done with them together. */

import * as React from 'react';

import { TaskAction, useHost } from '../host';
import { ITaskView } from '../wire';
import { IconButton } from './IconButton';

const TOGETHER: TaskAction[] = ['pause', 'resume', 'retry', 'cancel', 'remove'];

export interface ISelectionBarProps {
  chosen: ITaskView[];
  live: boolean;
  onClear: () => void;
}

export function SelectionBar(props: ISelectionBarProps): React.JSX.Element {
  const { chosen, live, onClear } = props;
  const { actions, words } = useHost();
  const { trans } = words;
  const fit = (action: TaskAction) =>
    chosen.filter(task => actions.available(task).includes(action));
  return (
    <div className="jp-bgdl-Band" role="toolbar" aria-label={trans.__('Selected tasks')}>
      <span className="jp-bgdl-Band-text" role="status">
        {trans._n('%1 selected', '%1 selected', chosen.length, chosen.length)}
      </span>
      {live &&
        TOGETHER.filter(action => fit(action).length > 0).map(action => (
          <button
            key={action}
            type="button"
            className="jp-bgdl-Link"
            onClick={() => actions.performTogether(fit(action), action)}
          >
            {actions.label(action)}
          </button>
        ))}
      <IconButton glyph="close" label={trans.__('Clear selection')} onClick={onClear} />
    </div>
  );
}
