/** What the panel shows where there is nothing yet: a sentence, and code to copy. */

import * as React from 'react';

import { useHost } from '../host';
import { Glyph } from './Glyph';
import { IconButton } from './IconButton';

const CODE = `import jupyter_bgdl as bgdl
era5 = bgdl.background_session("era5")
era5.download(url, to="data/")`;

export function Empty(): React.JSX.Element {
  const { actions, words } = useHost();
  const { trans } = words;
  return (
    <div className="jp-bgdl-Empty">
      <Glyph name="download" />
      <p>{trans.__('Downloads go on here while the kernel restarts or the tab is closed.')}</p>
      <pre>
        <IconButton glyph="copy" label={trans.__('Copy code')} onClick={() => actions.copy(CODE)} />
      </pre>
    </div>
  );
}

function kindOf(part: string): string {
  return part.startsWith('"') ? 'jp-mod-string' : 'jp-mod-keyword';
}
