/** A line that asks for something, or says that the values are old. */

import * as React from 'react';

import { clock } from '../format';
import { useHost, useNow } from '../host';
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

export interface IWaitingBandProps {
  undelivered: number;
  parked: number;
  notebook: string | null;
}

/** Events that nobody takes, and how to make somebody take them. */
export function WaitingBand(props: IWaitingBandProps): React.JSX.Element | null {
  const { actions, words } = useHost();
  const { trans } = words;
  const { undelivered, parked, notebook } = props;
  if (undelivered + parked === 0) {
    return null;
  }
  const text = undelivered
    ? trans._n('%1 event waits', '%1 events wait', undelivered, undelivered)
    : trans._n('%1 callback raised', '%1 callbacks raised', parked, parked);
  return (
    <div className="jp-bgdl-Band">
      <span className="jp-bgdl-Band-text">{text}</span>
      {notebook && actions.canOpen(notebook) && (
        <button
          type="button"
          className="jp-bgdl-Button"
          tabIndex={-1}
          onClick={() => actions.open(notebook)}
        >
          {trans.__('Open notebook')}
        </button>
      )}
    </div>
  );
}
