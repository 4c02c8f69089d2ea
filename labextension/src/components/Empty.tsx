/** What the panel shows where there is nothing yet: a sentence, code to copy, a button. */

import * as React from 'react';

import { useHost } from '../host';
import { Glyph } from './Glyph';
import { IconButton } from './IconButton';

const CODE = `import jupyter_bgdl as bgdl
era5 = bgdl.background_session("era5")
era5.download(url, to="data/")`;

/** Keywords and strings; a split keeps them, as every second part. */
const TOKENS = /(\bimport\b|\bas\b|"[^"]*")/;

export function Empty(): React.JSX.Element {
  const { actions, words } = useHost();
  const { trans } = words;
  return (
    <div className="jp-bgdl-Empty">
      <Glyph name="download" />
      <p>{trans.__('Downloads go on here while the kernel restarts or the tab is closed.')}</p>
      <div className="jp-bgdl-Empty-code">
        <pre tabIndex={0} aria-label={trans.__('Code to start with')}>
          {CODE.split(TOKENS).map((part, index) => (
            <span key={index} className={index % 2 ? kindOf(part) : undefined}>
              {part}
            </span>
          ))}
        </pre>
        <IconButton glyph="copy" label={trans.__('Copy code')} onClick={() => actions.copy(CODE)} />
      </div>
      <button type="button" className="jp-bgdl-Button" onClick={() => actions.newDownload()}>
        {trans.__('New download…')}
      </button>
    </div>
  );
}

function kindOf(token: string): string {
  return token.startsWith('"') ? 'jp-mod-string' : 'jp-mod-keyword';
}
