/** What a row does not say: whence, whither, since when, how it is checked, what went wrong. */

import * as React from 'react';

import { clock, day, daysAhead } from '../format';
import { useHost } from '../host';
import { ITaskView } from '../wire';
import { IconButton } from './IconButton';
import { Why } from './Why';

export interface IDetailsProps {
  task: ITaskView;
  now: number;
}

export function Details({ task, now }: IDetailsProps): React.JSX.Element {
  const { actions, words } = useHost();
  const { trans } = words;
  const target = task.path ?? task.destination;
  const today = daysAhead(task.created_at, now) === 0;
  const since = trans.__(
    '%1 %2',
    today ? trans.__('today') : day(task.created_at),
    clock(task.created_at)
  );
  const etag = task.response?.headers['etag'] ?? task.response?.headers['ETag'];
  return (
    <dl className="jp-bgdl-Details" onClick={event => event.stopPropagation()}>
      {(task.phase === 'waiting' || task.phase === 'suspended') && <Why task={task} now={now} />}
      <dt>{trans.__('From')}</dt>
      <dd>
        <Path text={task.url.replace(/^https?:\/\//, '')} />
        <IconButton
          glyph="copy"
          label={trans.__('Copy address')}
          onClick={() => actions.copy(task.url)}
        />
      </dd>
      <dt>{trans.__('To')}</dt>
      <dd>
        {target ? <Path text={target} /> : <span>{trans.__('handed to the notebook')}</span>}
        {target && (
          <IconButton
            glyph="copy"
            label={trans.__('Copy path')}
            onClick={() => actions.copy(target)}
          />
        )}
      </dd>
      <dt>{trans.__('Added')}</dt>
      <dd>{task.attempts > 1 ? trans.__('%1, %2 attempts', since, task.attempts) : since}</dd>
      {task.checksum && (
        <>
          <dt>{trans.__('Checksum')}</dt>
          <dd>
            <span>
              {task.verified
                ? trans.__('%1, verified', algorithmOf(task.checksum))
                : trans.__('%1, checked at the end', algorithmOf(task.checksum))}
            </span>
          </dd>
        </>
      )}
      {!task.verify && (
        <>
          <dt>{trans.__('Certificate')}</dt>
          <dd>
            <span>{trans.__('not checked, as was asked for')}</span>
          </dd>
        </>
      )}
      {etag && (
        <>
          <dt>{trans.__('Version')}</dt>
          <dd>
            <bdi>{etag}</bdi>
          </dd>
        </>
      )}
      {task.error && (
        <>
          <dt>{trans.__('Error')}</dt>
          <dd>
            <bdi>{task.error.message}</bdi>
          </dd>
        </>
      )}
    </dl>
  );
}

/** A path or an address, broken only after its slashes where that is possible. */
function Path({ text }: { text: string }): React.JSX.Element {
  return (
    <bdi>
      {text.split(/(?<=\/)/).map((part, index) => (
        <React.Fragment key={index}>
          {index > 0 && <wbr />}
          {part}
        </React.Fragment>
      ))}
    </bdi>
  );
}

/** `sha256:…` is SHA-256, `blake2b:…` BLAKE2B. */
function algorithmOf(checksum: string): string {
  return checksum
    .split(':')[0]
    .toUpperCase()
    .replace(/^SHA(?=\d)/, 'SHA-');
}
