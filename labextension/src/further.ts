/** A session's tasks beyond those of a snapshot, fetched as somebody scrolls. */

import { ITaskView } from './wire';

export class Further {
  /**
   * @param pages Of all tasks that may be wanted.
   * @param put Takes a page, and says how many tasks that are wanted are known now.
   */
  constructor(
    private _pages: AsyncIterator<ITaskView[], void>,
    private _put: (page: ITaskView[]) => number
  ) {}

  /** Fetch until a wanted task came that was not known, or no page is left. One at a time. */
  fetch(): Promise<void> {
    this._fetching ??= this._fetch().finally(() => (this._fetching = null));
    return this._fetching;
  }

  private async _fetch(): Promise<void> {
    const known = this._put([]);
    for (;;) {
      const { done, value } = await this._pages.next();
      if (done || this._put(value) > known) {
        return;
      }
    }
  }

  private _fetching: Promise<void> | null = null;
}
