/** The sidebar panel: every session of the server, the newest first. */

import * as React from 'react';

import { useHost, useNow, useStore, useWatch } from '../host';
import { isActive } from '../traffic';
import { ConnectionBand } from './Band';
import { DiskFooter } from './DiskFooter';
import { Empty } from './Empty';
import { IconButton } from './IconButton';
import { SessionGroup } from './SessionGroup';
import { Tree } from './Tree';

export function Panel(): React.JSX.Element {
  const { actions, words } = useHost();
  const { trans } = words;
  const store = useStore();
  const now = useNow();
  useWatch(null);
  const { sessions } = store;
  const live = store.status === 'connected';
  const moving = sessions.filter(isActive).map(({ identifier }) => identifier);
  return (
    <section
      className={live ? 'jp-bgdl-Panel' : 'jp-bgdl-Panel jp-mod-old'}
      aria-label={trans.__('Background downloads')}
    >
      <header className="jp-bgdl-Panel-top">
        <h2>{trans.__('Background downloads')}</h2>
        {live && (
          <IconButton
            glyph="add"
            label={trans.__('New download…')}
            onClick={() => actions.newDownload()}
          />
        )}
        {live && moving.length > 0 && (
          <IconButton
            glyph="paused"
            label={trans.__('Pause all')}
            onClick={() => actions.actOnAll(moving, 'suspend')}
          />
        )}
      </header>
      <ConnectionBand />
      <div className="jp-bgdl-Panel-scroll">
        {sessions.length > 0 && store.answered(null) && (
          <Tree label={trans.__('Transfer sessions')}>
            {sessions.map((session, index) => (
              <SessionGroup
                key={session.identifier}
                session={session}
                now={now}
                live={live}
                position={index + 1}
                size={sessions.length}
              />
            ))}
          </Tree>
        )}
        {sessions.length === 0 && live && store.answered(null) && <Empty />}
      </div>
      <DiskFooter sessions={sessions} now={now} live={live} />
    </section>
  );
}
