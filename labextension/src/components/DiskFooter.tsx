/** One line on the disk: what is to come, what is free, what unfinished files hold. */

import * as React from 'react';

import { bytes } from '../format';
import { useHost } from '../host';
import { ISessionView, IUsageReport } from '../wire';
import { Glyph } from './Glyph';

/** Seconds between two looks while bytes move. */
const PACE = 30;

export interface IDiskFooterProps {
  sessions: ISessionView[];
  now: number;
  live: boolean;
}

export function DiskFooter({ sessions, now, live }: IDiskFooterProps): React.JSX.Element | null {
  const { actions, words } = useHost();
  const { trans } = words;
  const usage = useUsage(sessions, now, live);
  if (!usage) {
    return null;
  }
  const disk = usage.disks.find(({ to_come }) => to_come > 0);
  const removable = usage.sessions.reduce((sum, one) => sum + one.removable, 0);
  if (!disk && usage.total === 0 && removable === 0) {
    return null;
  }
  const isShort = disk !== undefined && disk.free < disk.to_come;
  return (
    <footer className={isShort ? 'jp-bgdl-Foot jp-mod-short' : 'jp-bgdl-Foot'}>
      <Glyph name="disk" label={isShort ? trans.__('The disk is short') : trans.__('Disk')} />
      <span className="jp-bgdl-Foot-text" title={disk?.folder}>
        {disk
          ? trans.__('%1 to come, %2 free', bytes(disk.to_come), bytes(disk.free))
          : trans.__('Nothing to come')}
      </span>
      <span className="jp-bgdl-Foot-quiet">
        {usage.total > 0 && trans.__('Parts hold %1', bytes(usage.total))}
      </span>
      {removable > 0 && live && (
        <button type="button" className="jp-bgdl-Link" onClick={() => actions.cleanUp(removable)}>
          {trans.__('Clean up…')}
        </button>
      )}
    </footer>
  );
}

/** Looked at when the panel opens, when a task ends or comes, and now and then while bytes move. */
function useUsage(sessions: ISessionView[], now: number, live: boolean): IUsageReport | null {
  const { store } = useHost();
  const [usage, setUsage] = React.useState<IUsageReport | null>(null);
  const tasks = sessions.map(({ counts }) => Object.values(counts).join()).join(';');
  const moves = sessions.some(({ rate }) => rate > 0);
  const turn = moves ? Math.floor(now / PACE) : 0;
  React.useEffect(() => {
    let wanted = live;
    if (live) {
      store
        .usage()
        .then(found => wanted && setUsage(found))
        .catch(reason => console.warn('jupyter-bgdl: the disks could not be looked at', reason));
    }
    return () => {
      wanted = false;
    };
  }, [store, live, tasks, turn]);
  return usage;
}
