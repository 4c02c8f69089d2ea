/** The line glyphs of rows and buttons: 16 × 16, drawn in the colour of the text. */

import * as React from 'react';

/** Outlines, and for the few that need it a filled shape. */
const LINES = {
  download: 'M8 2v8M4.7 6.9 8 10.2l3.3-3.3M3 13.5h10',
  filter: 'M2.5 4.5h11M4.8 8h6.4M6.8 11.5h2.4',
  add: 'M8 3v10M3 8h10',
  upload: 'M8 10.2v-8M4.7 5.3 8 2l3.3 3.3M3 13.5h10',
  retry: 'M13.2 8.6A5.3 5.3 0 1 1 11.9 4.4L13.4 6M13.4 2.4V6H9.8',
  clock: 'M8 2.3a5.7 5.7 0 1 0 0 11.4A5.7 5.7 0 0 0 8 2.3M8 4.9V8l2.1 1.4',
  network: 'M1.8 6.2a9 9 0 0 1 12.4 0M4.2 8.8a5.5 5.5 0 0 1 7.6 0M8 12h.01',
  disk: 'M1.8 9.4h12.4M3.9 3.4h8.2l2.1 6v2.3a1 1 0 0 1-1 1H2.8a1 1 0 0 1-1-1V9.4zM11 11.1h.6',
  key: 'M4.6 5.7a2.7 2.7 0 1 0 0 5.4 2.7 2.7 0 0 0 0-5.4M7.3 8.4h7M11.8 8.4v2.4M14 8.4v1.6',
  finishing: 'M8 2.3a5.7 5.7 0 1 0 5.7 5.7M5.4 7.9l2.1 2.1 5.2-5.6',
  cancelled: 'M8 2.3a5.7 5.7 0 1 0 0 11.4A5.7 5.7 0 0 0 8 2.3M4.1 4.1l7.8 7.8',
  close: 'M4 4l8 8M12 4l-8 8',
  down: 'M4.2 6.2 8 10l3.8-3.8',
  right: 'M6.2 4.2 10 8l-3.8 3.8',
  check: 'M3.2 8.6l3.1 3.1 6.5-7',
  info: 'M8 2.3a5.7 5.7 0 1 0 0 11.4A5.7 5.7 0 0 0 8 2.3M8 7.4v3.3M8 5.2h.01',
  broken:
    'M6.8 4.6 8.3 3.1a2.9 2.9 0 0 1 4.1 4.1l-1 1M9.2 11.4l-1.5 1.5a2.9 2.9 0 0 1-4.1-4.1l1-1M2.5 2.5l11 11',
  folder:
    'M1.8 4.3a1 1 0 0 1 1-1h3.1l1.5 1.7h5.8a1 1 0 0 1 1 1v5.7a1 1 0 0 1-1 1H2.8a1 1 0 0 1-1-1z',
  copy: 'M6 6h7.5v7.5H6zM10 6V2.5H2.5V10H6'
} as const;

const SHAPES = {
  paused: 'M4.2 3h2.5v10H4.2zM9.3 3h2.5v10H9.3z',
  resume: 'M4.5 2.8v10.4L13 8z',
  more: 'M3.2 6.8a1.2 1.2 0 1 1 0 2.4 1.2 1.2 0 0 1 0-2.4m4.8 0a1.2 1.2 0 1 1 0 2.4 1.2 1.2 0 0 1 0-2.4m4.8 0a1.2 1.2 0 1 1 0 2.4 1.2 1.2 0 0 1 0-2.4',
  failed:
    'M8 1.5a6.5 6.5 0 1 1 0 13 6.5 6.5 0 0 1 0-13m-.9 2.9.2 4.5h1.4l.2-4.5zM8 9.9a1 1 0 1 0 0 2 1 1 0 0 0 0-2',
  done: 'M8 1.5a6.5 6.5 0 1 1 0 13 6.5 6.5 0 0 1 0-13M11 5 7 9.4 4.9 7.4l-1 1 3.1 3 5-5.5z'
} as const;

export type GlyphName = keyof typeof LINES | keyof typeof SHAPES;

export interface IGlyphProps {
  name: GlyphName;
  /** Its meaning; left out where words beside it say the same. */
  label?: string;
}

export function Glyph({ name, label }: IGlyphProps): React.JSX.Element {
  const naming = label ? { role: 'img', 'aria-label': label } : { 'aria-hidden': true };
  const filled = name in SHAPES;
  const path = filled ? SHAPES[name as keyof typeof SHAPES] : LINES[name as keyof typeof LINES];
  return (
    <svg
      className={filled ? 'jp-bgdl-Glyph jp-mod-filled' : 'jp-bgdl-Glyph'}
      viewBox="0 0 16 16"
      {...naming}
    >
      <path d={path} fillRule="evenodd" />
    </svg>
  );
}
