/** A line that stands for more: rows that are folded away, or a log. */

import * as React from 'react';

import { Glyph } from './Glyph';

export interface IFoldProps {
  open: boolean;
  text: string;
  /** At the far end, quiet. */
  aside?: string;
  level: number;
  onToggle: (open: boolean) => void;
}

export function Fold({ open, text, aside, level, onToggle }: IFoldProps): React.JSX.Element {
  return (
    <div
      className="jp-bgdl-Fold"
      role="treeitem"
      aria-level={level}
      aria-expanded={open}
      tabIndex={-1}
      onClick={() => onToggle(!open)}
      onKeyDown={event => {
        const wanted = { Enter: !open, ' ': !open, ArrowRight: true, ArrowLeft: false }[event.key];
        if (wanted !== undefined && wanted !== open) {
          event.preventDefault();
          event.stopPropagation();
          onToggle(wanted);
        }
      }}
    >
      <Glyph name={open ? 'down' : 'right'} />
      <span className="jp-bgdl-Fold-text">{text}</span>
      {aside && <span className="jp-bgdl-Fold-aside">{aside}</span>}
    </div>
  );
}
