/** The session's log: what callbacks printed, and what the server did and why. Read on demand. */

import * as React from 'react';

import { clock } from '../format';
import { useHost } from '../host';
import { ILogLine } from '../wire';
import { Fold } from './Fold';

const EVERY = 2000;
const KEPT = 500;

export function Log({ session, live }: { session: string; live: boolean }): React.JSX.Element {
  const { store, words } = useHost();
  const { trans } = words;
  const [open, setOpen] = React.useState(false);
  const [lines, setLines] = React.useState<ILogLine[]>([]);

  React.useEffect(() => {
    if (!open || !live) {
      return;
    }
    let after = 0;
    let timer = 0;
    let stopped = false;
    const read = async () => {
      const news = document.hidden ? [] : await store.log(session, after);
      if (!stopped) {
        after = news.reduce((last, line) => Math.max(last, line.number), after);
        setLines(old => merge(old, news));
        timer = window.setTimeout(go, EVERY);
      }
    };
    const go = () => {
      read().catch(reason => console.warn('jupyter-bgdl: the log could not be read', reason));
    };
    go();
    return () => {
      stopped = true;
      window.clearTimeout(timer);
    };
  }, [open, live, store, session]);

  const last = lines[lines.length - 1];
  return (
    <>
      <Fold
        open={open}
        level={1}
        text={
          lines.length
            ? trans._n('Log, %1 line', 'Log, %1 lines', lines.length, lines.length)
            : trans.__('Log')
        }
        aside={last ? trans.__('last at %1', clock(last.time)) : ''}
        onToggle={setOpen}
      />
      {open && (
        <div className="jp-bgdl-Log">
          {lines.length === 0 && <span>{trans.__('Nothing yet')}</span>}
          {lines.map(line => (
            <React.Fragment key={line.number}>
              <time>{clock(line.time)}</time>
              <bdi>{line.text}</bdi>
            </React.Fragment>
          ))}
        </div>
      )}
    </>
  );
}

/** Lines by number, each once, the newest {@link KEPT} of them. */
export function merge(old: ILogLine[], news: ILogLine[]): ILogLine[] {
  const known = new Set(old.map(line => line.number));
  const fresh = news.filter(line => !known.has(line.number));
  return fresh.length ? [...old, ...fresh].slice(-KEPT) : old;
}
