/** What scrolls the panel's rows, of which only those in sight exist. */

import * as React from 'react';

/** Null: the page lays all rows out. */
export const Scroller = React.createContext<HTMLElement | null>(null);

/** Go to the very first or last row, and call `then` when it exists. */
export function scrollToEdge(
  scroller: HTMLElement,
  edge: 'first' | 'last',
  then: () => void
): void {
  scroller.scrollTop = edge === 'first' ? 0 : scroller.scrollHeight;
  // The scrolling is heard of in the next frame, and the rows are drawn in it.
  requestAnimationFrame(() => requestAnimationFrame(then));
}
