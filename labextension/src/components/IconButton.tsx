/** A button that is only a glyph; its label is also its tooltip. */

import * as React from 'react';

import { Glyph, GlyphName } from './Glyph';

export interface IIconButtonProps {
  glyph: GlyphName;
  label: string;
  onClick: (event: React.MouseEvent<HTMLButtonElement>) => void;
}

export function IconButton({ glyph, label, onClick }: IIconButtonProps): React.JSX.Element {
  return (
    <button
      type="button"
      className="jp-bgdl-IconButton"
      aria-label={label}
      title={label}
      tabIndex={-1}
      onClick={event => {
        event.stopPropagation();
        onClick(event);
      }}
    >
      <Glyph name={glyph} />
    </button>
  );
}
