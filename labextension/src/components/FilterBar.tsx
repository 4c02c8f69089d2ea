/** Choosing tasks by their state and by words in their names. */

import * as React from 'react';

import { Group, IFilter } from '../filter';
import { useHost } from '../host';

export interface IFilterBarProps {
  filter: IFilter;
  onChange: (filter: IFilter) => void;
}

export function FilterBar({ filter, onChange }: IFilterBarProps): React.JSX.Element {
  const { trans } = useHost().words;
  const groups: [Group, string][] = [
    ['all', trans.__('All')],
    ['running', trans.__('Running')],
    ['waiting', trans.__('Waiting')],
    ['failed', trans.__('Failed')],
    ['done', trans.__('Done')]
  ];
  return (
    <div className="jp-bgdl-FilterBar" role="search" aria-label={trans.__('Filter')}>
      <input
        type="text"
        autoFocus
        placeholder={trans.__('Filter by name')}
        aria-label={trans.__('Filter by name')}
        value={filter.text}
        onChange={event => onChange({ ...filter, text: event.target.value })}
      />
      <select
        aria-label={trans.__('Filter by state')}
        value={filter.group}
        onChange={event => onChange({ ...filter, group: event.target.value as Group })}
      >
        {groups.map(([group, label]) => (
          <option key={group} value={group}>
            {label}
          </option>
        ))}
      </select>
    </div>
  );
}
