/** Which nodes are in sight, or nearly: what is far away need not be drawn with each byte. */

import * as React from 'react';

/** How far outside of what scrolls a node still counts. */
const MARGIN = '300px 0px';

const hearers = new WeakMap<Element, (isNear: boolean) => void>();
let observer: IntersectionObserver | null = null;

/** One for the page: a thousand of them would cost more than they save. */
function sharedObserver(): IntersectionObserver {
  // Browsers that don't know `scrollMargin` yet draw a row when its first pixel is in sight.
  const options = { rootMargin: MARGIN, scrollMargin: MARGIN };
  observer ??= new IntersectionObserver(entries => {
    for (const { target, isIntersecting } of entries) {
      hearers.get(target)?.(isIntersecting);
    }
  }, options);
  return observer;
}

/** True until the node turns out to be far from what can be seen. */
export function useNearby(node: React.RefObject<Element>): boolean {
  const [isNear, setNear] = React.useState(true);
  React.useEffect(() => {
    const target = node.current;
    if (!target) {
      return;
    }
    hearers.set(target, setNear);
    sharedObserver().observe(target);
    return () => {
      hearers.delete(target);
      sharedObserver().unobserve(target);
    };
  }, [node]);
  return isNear;
}
