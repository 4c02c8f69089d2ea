/** How far it is: a thin bar that glides, or a resting sheen where the size is unknown. */

import * as React from 'react';

/** Of the whole bar. */
const STEPS = 1000;

export interface IBarProps {
  /** Of what. */
  label: string;
  /** The same in words. */
  text: string;
  /** 0 to 1; null: unknown. */
  fraction: number | null;
}

export function Bar({ label, text, fraction }: IBarProps): React.JSX.Element {
  // In steps that can be seen: each one glides, and a glide that nobody sees costs as much.
  const percent =
    fraction === null
      ? null
      : Math.floor(Math.min(1, Math.max(0, fraction)) * STEPS) / (STEPS / 100);
  return (
    <div
      className={percent === null ? 'jp-bgdl-Bar jp-mod-open' : 'jp-bgdl-Bar'}
      role="progressbar"
      aria-label={label}
      aria-valuetext={text}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={percent === null ? undefined : Math.floor(percent)}
    >
      <i style={percent === null ? undefined : { width: `${percent}%` }} />
    </div>
  );
}
