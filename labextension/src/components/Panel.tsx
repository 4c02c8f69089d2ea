/** The sidebar panel: every session of the server, the newest first. */

import * as React from 'react';

import { IFilter, isFiltering, matches, NO_FILTER } from '../filter';
import { useHost, useNow, useStore, useWatchInSight } from '../host';
import { Scroller } from '../scroller';
import { Selection, useSelection } from '../selection';
import { Store } from '../store';
import { isActive } from '../traffic';
import { ISessionView } from '../wire';
import { total } from '../words';
import { ConnectionBand } from './Band';
import { DiskFooter } from './DiskFooter';
import { Empty } from './Empty';
import { FilterBar } from './FilterBar';
import { IconButton } from './IconButton';
import { SelectionBar } from './SelectionBar';
import { SessionGroup } from './SessionGroup';
import { Tree } from './Tree';

export function Panel(): React.JSX.Element {
  const { actions, words } = useHost();
  const { trans } = words;
  const store = useStore();
  const now = useNow();
  useWatchInSight(null);
  const { sessions } = store;
  const live = store.status === 'connected';
  const answered = useOnce(store.answered(null));
  const [scroller, setScroller] = React.useState<HTMLElement | null>(null);
  const { selection, chosen, clear } = useSelection(store);
  const [filter, setFilter] = React.useState<IFilter | null>(null);
  const shown = filter ? sessions.filter(session => hasMatch(store, session, filter)) : sessions;
  const moving = sessions.filter(isActive).map(({ identifier }) => identifier);
  const paused = sessions
    .filter(({ counts }) => counts.suspended > 0)
    .map(({ identifier }) => identifier);
  const choose = (chosen: IFilter) => {
    setFilter(chosen);
    scroller?.scrollTo(0, 0);
  };
  return (
    <section
      className={live ? 'jp-bgdl-Panel' : 'jp-bgdl-Panel jp-mod-old'}
      aria-label={trans.__('Background downloads')}
    >
      <header className="jp-bgdl-Panel-top">
        <h2>{trans.__('Background downloads')}</h2>
        {live && (
          <IconButton
            glyph="add"
            label={trans.__('New download…')}
            onClick={() => actions.newDownload()}
          />
        )}
        {sessions.length > 0 && (
          <IconButton
            glyph="filter"
            label={trans.__('Filter')}
            onClick={() => setFilter(filter ? null : NO_FILTER)}
          />
        )}
        {live && moving.length > 0 && (
          <IconButton
            glyph="paused"
            label={trans.__('Pause all')}
            onClick={() => actions.actOnAll(moving, 'suspend')}
          />
        )}
        {live && moving.length === 0 && paused.length > 0 && (
          <IconButton
            glyph="resume"
            label={trans.__('Resume all')}
            onClick={() => actions.actOnAll(paused, 'resume')}
          />
        )}
      </header>
      {filter && <FilterBar filter={filter} onChange={choose} />}
      {chosen.length > 0 && <SelectionBar chosen={chosen} live={live} onClear={clear} />}
      <ConnectionBand />
      <div className="jp-bgdl-Panel-scroll" ref={setScroller}>
        {shown.length > 0 && scroller && answered && (
          <Scroller.Provider value={scroller}>
            <Selection.Provider value={selection}>
              <Tree label={trans.__('Transfer sessions')}>
                {shown.map((session, index) => (
                  <SessionGroup
                    key={session.identifier}
                    session={session}
                    now={now}
                    live={live}
                    position={index + 1}
                    size={shown.length}
                    filter={filter ?? NO_FILTER}
                  />
                ))}
              </Tree>
            </Selection.Provider>
          </Scroller.Provider>
        )}
        {shown.length === 0 && sessions.length > 0 && (
          <p className="jp-bgdl-Panel-none">
            {trans.__('Nothing matches')}
            <button type="button" className="jp-bgdl-Link" onClick={() => setFilter(NO_FILTER)}>
              {trans.__('Clear filter')}
            </button>
          </p>
        )}
        {sessions.length === 0 && live && answered && <Empty />}
      </div>
      <DiskFooter sessions={sessions} now={now} live={live} />
    </section>
  );
}

/** A session stays in sight while not all of its tasks are known, or nothing is asked for. */
function hasMatch(store: Store, session: ISessionView, filter: IFilter): boolean {
  const tasks = store.tasks(session.identifier);
  return (
    !isFiltering(filter) ||
    tasks.size < total(session.counts) ||
    Array.from(tasks.values()).some(task => matches(task, filter))
  );
}

/** True once it was: a page that comes back shows what it knew, until it is told more. */
function useOnce(happens: boolean): boolean {
  const [happened, setHappened] = React.useState(happens);
  if (happens && !happened) {
    setHappened(true);
  }
  return happened || happens;
}
