/** The rate of the last minute, as a line with a tinted ground; empty before the first seconds. */

import * as React from 'react';

const WIDTH = 56;
const HEIGHT = 16;
const SECONDS = 60;

export interface IPlotProps {
  /** A rate a second, oldest first. */
  rates: number[];
  label: string;
}

export function Plot({ rates, label }: IPlotProps): React.JSX.Element | null {
  const highest = Math.max(...rates);
  if (rates.length < 3 || highest <= 0) {
    return null;
  }
  const step = WIDTH / Math.max(SECONDS / 3, rates.length - 1);
  const first = WIDTH - step * (rates.length - 1);
  const points = rates.map((rate, index) => {
    const y = HEIGHT - 1 - (rate / highest) * (HEIGHT - 3);
    return `${(first + index * step).toFixed(1)} ${y.toFixed(1)}`;
  });
  const line = `M${points.join('L')}`;
  return (
    <svg
      className="jp-bgdl-Plot"
      viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
      preserveAspectRatio="none"
      role="img"
      aria-label={label}
    >
      <path className="jp-bgdl-Plot-ground" d={`${line}V${HEIGHT}H${first.toFixed(1)}Z`} />
      <path className="jp-bgdl-Plot-line" d={line} />
    </svg>
  );
}
