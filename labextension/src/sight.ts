/** Whether a person sees a session anyway, so that a notification would say it twice. */

/** The panel, or an output view of that session, is uncovered on a page in the foreground. */
export function isInSight(session: string): boolean {
  if (document.hidden) {
    return false;
  }
  const places = Array.from(
    document.querySelectorAll<HTMLElement>('.jp-bgdl-Panel, .jp-bgdl-View[data-session]')
  );
  return places.some(
    place =>
      (place.dataset.session === undefined || place.dataset.session === session) &&
      isUncovered(place)
  );
}

/** The head of it: what is scrolled out or under another tab is not what its middle belongs to. */
function isUncovered(place: HTMLElement): boolean {
  const { left, top, width, height } = place.getBoundingClientRect();
  const found = document.elementFromPoint(left + width / 2, top + Math.min(8, height / 2));
  return found !== null && place.contains(found);
}
