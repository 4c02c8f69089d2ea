/** Why a task does not run, since when, until when, and what helps: as the server explains it. */

import * as React from 'react';

import { clock, day, daysAhead } from '../format';
import { useHost } from '../host';
import { IExplanation, ITaskView } from '../wire';

/** Asked when it is unfolded, and again when the reason is another one. */
export function Why({ task, now }: { task: ITaskView; now: number }): React.JSX.Element | null {
  const { store, words } = useHost();
  const { trans } = words;
  const [answer, setAnswer] = React.useState<IExplanation | null>(null);
  const { phase, waiting_for, reason, until } = task;

  React.useEffect(() => {
    let wanted = true;
    store
      .explain(task)
      .then(found => wanted && setAnswer(found))
      .catch(failed => console.warn('jupyter-bgdl: nothing explains the task', failed));
    return () => {
      wanted = false;
    };
    // eslint-disable-next-line react-hooks/exhaustive-deps -- not at each byte
  }, [store, phase, waiting_for, reason, until]);

  if (answer === null) {
    return null;
  }
  const since = trans.__('Since %1', moment(answer.since, now));
  return (
    <>
      <dt>{trans.__('Why')}</dt>
      <dd className="jp-bgdl-Why">
        <bdi>{answer.why}</bdi>
        <span>
          {answer.until === null
            ? since
            : trans.__('%1, until %2', since, moment(answer.until, now))}
        </span>
        {answer.help.map(text => (
          <bdi key={text}>{text}</bdi>
        ))}
      </dd>
    </>
  );
}

/** `14:02`, with the day if it is another one. */
function moment(seconds: number, now: number): string {
  return daysAhead(seconds, now) === 0 ? clock(seconds) : `${day(seconds)} ${clock(seconds)}`;
}
