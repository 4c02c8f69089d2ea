/** A line that asks for something, or says that the values are old. */

import * as React from 'react';

import { clock } from '../format';
import { useHost, useNow } from '../host';
import { ISessionView } from '../wire';
import { Glyph } from './Glyph';

/** "Not connected", with the time of the last values. Nothing while the values are live. */
export function ConnectionBand(): React.JSX.Element | null {
  const { store, words } = useHost();
  const { trans } = words;
  useNow();
  if (store.status !== 'lost') {
    return null;
  }
  const seconds = Math.ceil(((store.nextTry ?? 0) - Date.now()) / 1000);
  const text =
    store.asOf === null
      ? trans.__('Not connected.')
      : trans.__(
          'Not connected. As of %1; the downloads may be going on.',
          clock(store.asOf / 1000)
        );
  return (
    <div className="jp-bgdl-Band jp-mod-lost" role="status">
      <Glyph name="broken" />
      <span className="jp-bgdl-Band-text">{text}</span>
      <span className="jp-bgdl-Band-quiet">
        {seconds > 0 ? trans.__('next try in %1', `${seconds}\u00a0s`) : trans.__('trying')}
      </span>
      <button type="button" className="jp-bgdl-Button" onClick={() => store.tryNow()}>
        {trans.__('Try now')}
      </button>
    </div>
  );
}

/**
 * Events that nobody takes, and how to make somebody take them: an item of the tree, of which Enter
 * does what its first button does.
 */
export function WaitingBand({ session }: { session: ISessionView }): React.JSX.Element | null {
  const { actions, words } = useHost();
  const { trans } = words;
  const { owner, launch } = session;
  const waits = words.waits(session);
  if (waits === null) {
    return null;
  }
  const canRun = launch && !launch.running && owner === null && session.undelivered > 0;
  return (
    <div
      className="jp-bgdl-Band"
      role="treeitem"
      aria-level={2}
      aria-label={waits}
      tabIndex={-1}
      onKeyDown={event => {
        if (event.target === event.currentTarget && (event.key === 'Enter' || event.key === ' ')) {
          event.preventDefault();
          event.stopPropagation();
          event.currentTarget.querySelector('button')?.click();
        }
      }}
    >
      <span className="jp-bgdl-Band-text">
        {waits}
        {launch?.notice && <span className="jp-bgdl-Band-why">{launch.notice}</span>}
      </span>
      {session.parked > 0 && (
        <button
          type="button"
          className="jp-bgdl-Button"
          tabIndex={-1}
          onClick={() => actions.actOnAll([session.identifier], 'redeliver')}
        >
          {trans.__('Deliver again')}
        </button>
      )}
      {(canRun || launch?.notice) && (
        <button
          type="button"
          className="jp-bgdl-Button"
          tabIndex={-1}
          onClick={() => actions.runLaunchCell(session.identifier)}
        >
          {trans.__('Run launch cell')}
        </button>
      )}
      {owner?.notebook && actions.canOpen(owner.notebook) ? (
        <OpenNotebook onClick={() => actions.open(owner.notebook!)} />
      ) : (
        launch && <OpenNotebook onClick={() => actions.openContents(launch.notebook)} />
      )}
    </div>
  );
}

function OpenNotebook({ onClick }: { onClick: () => void }): React.JSX.Element {
  const { trans } = useHost().words;
  return (
    <button type="button" className="jp-bgdl-Button" tabIndex={-1} onClick={onClick}>
      {trans.__('Open notebook')}
    </button>
  );
}
