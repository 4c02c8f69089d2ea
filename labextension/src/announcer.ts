/**
 * The page's one live region: tells of what got done, failed or needs somebody, gathered over
 * five seconds, and never of progress.
 */

import { IChange, IDisposer, Store } from './store';
import { Look, lookOf, Words } from './words';

const GATHER = 5000;

interface INews {
  done: number;
  failed: number;
  needs: number;
}

/** What a change of looks means to somebody who listens. */
function newsOf(look: Look): keyof INews | null {
  switch (look) {
    case 'done':
      return 'done';
    case 'failed':
      return 'failed';
    case 'key':
    case 'disk':
      return 'needs';
    default:
      return null;
  }
}

export class Announcer {
  constructor(
    store: Store,
    private _words: Words
  ) {
    this._region = document.createElement('div');
    this._region.className = 'jp-bgdl-Announcer';
    this._region.setAttribute('role', 'status');
    this._region.setAttribute('aria-live', 'polite');
    document.body.appendChild(this._region);
    this._stop = store.subscribe(change => this._notice(change));
  }

  dispose(): void {
    this._stop();
    window.clearTimeout(this._timer);
    this._region.remove();
  }

  /** Only what was seen in another state before is news; a first sight is not. */
  private _notice({ session, before, after }: IChange): void {
    if (!session || !before || !after || lookOf(before) === lookOf(after)) {
      return;
    }
    const kind = newsOf(lookOf(after));
    if (kind) {
      const news = this._news.get(session) ?? { done: 0, failed: 0, needs: 0 };
      news[kind] += 1;
      this._news.set(session, news);
      this._timer ||= window.setTimeout(() => this._tell(), GATHER);
    }
  }

  private _tell(): void {
    const { trans } = this._words;
    const sentences = Array.from(this._news, ([session, { done, failed, needs }]) => {
      const parts = [
        done && trans.__('%1 done', done),
        failed && trans.__('%1 failed', failed),
        needs && trans._n('%1 needs you', '%1 need you', needs, needs)
      ].filter(Boolean);
      return trans.__('%1: %2', session, parts.join(', '));
    });
    this._region.textContent = sentences.join('. ');
    this._news.clear();
    this._timer = 0;
  }

  private _region: HTMLElement;
  private _news = new Map<string, INews>();
  private _timer = 0;
  private _stop: IDisposer;
}
