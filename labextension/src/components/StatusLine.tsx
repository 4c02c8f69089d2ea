/** What the status bar says: `3 · 112 MB/s`, what rests, what failed, or that nothing is known. */

import * as React from 'react';

import { rate } from '../format';
import { useHost, useNow, useStore } from '../host';
import { ITraffic, trafficOf } from '../traffic';
import { Words } from '../words';
import { Glyph, GlyphName } from './Glyph';

export function StatusLine({ onClick }: { onClick: () => void }): React.JSX.Element {
  const { words } = useHost();
  const store = useStore();
  useNow();
  const traffic = trafficOf(store);
  const [glyph, text] =
    store.status === 'connected'
      ? said(traffic, words)
      : (['broken', words.trans.__('Not connected')] as const);
  const failed = store.status === 'connected' ? traffic.failed : 0;
  return (
    <button
      type="button"
      className="jp-bgdl-Status-button"
      title={words.trans.__('Show the background downloads')}
      onClick={onClick}
    >
      <Glyph name={glyph} label={words.trans.__('Background downloads')} />
      <span>{text}</span>
      {failed > 0 && (
        <span className="jp-bgdl-Status-failed">
          <Glyph name="failed" label={words.trans.__('Failed')} />
          <span>{failed}</span>
        </span>
      )}
    </button>
  );
}

function said({ running, waiting, rate: speed }: ITraffic, words: Words): [GlyphName, string] {
  const { trans } = words;
  if (running > 0) {
    return ['download', speed > 0 ? `${running} · ${rate(speed)}` : String(running)];
  }
  return waiting > 0
    ? ['clock', trans._n('%1 waits', '%1 wait', waiting, waiting)]
    : ['paused', trans.__('Paused')];
}
