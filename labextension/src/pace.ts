/** When to draw: in a frame, once for all that changed, and never most of the time. */

/** Drawing may take one part in so many of the page's time, so that it can be scrolled meanwhile. */
const SHARE = 8;

export interface IPace {
  /** Something changed. */
  ask: () => void;
  stop: () => void;
}

export function paced(draw: () => void): IPace {
  let frame = 0;
  let rest = 0;
  let asked = false;

  const ask = () => {
    asked = true;
    if (!rest) {
      frame ||= requestAnimationFrame(begin);
    }
  };

  const begin = () => {
    frame = 0;
    asked = false;
    const began = performance.now();
    draw();
    // After this, since React draws after `draw` has returned.
    rest = window.setTimeout(() => {
      rest = window.setTimeout(end, (performance.now() - began) * (SHARE - 1));
    });
  };

  const end = () => {
    rest = 0;
    if (asked) {
      ask();
    }
  };

  const stop = () => {
    cancelAnimationFrame(frame);
    window.clearTimeout(rest);
  };

  return { ask, stop };
}
