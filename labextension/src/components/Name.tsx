/**
 * A file's name: text, never HTML; gives way in the middle and keeps its last characters; isolated,
 * so that right-to-left letters and controls in it move nothing around it.
 */

import * as React from 'react';

import { shownName, splitName } from '../format';

export function Name({ name }: { name: string }): React.JSX.Element {
  const shown = shownName(name);
  const [head, tail] = splitName(shown);
  return (
    <span className="jp-bgdl-Name" title={shown}>
      <bdi className="jp-bgdl-Name-head">{head}</bdi>
      {tail && <bdi className="jp-bgdl-Name-tail">{tail}</bdi>}
    </span>
  );
}
