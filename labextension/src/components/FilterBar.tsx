/** Choosing tasks by their state and by words in their names, and their order. */

import * as React from 'react';

import { Group, IFilter } from '../filter';
import { useHost } from '../host';
import { Order } from '../sorting';

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
  const orders: [Order, string][] = [
    ['state', trans.__('By state')],
    ['name', trans.__('By name')],
    ['size', trans.__('Largest first')],
    ['newest', trans.__('Newest first')]
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
      <Choice
        label={trans.__('Filter by state')}
        options={groups}
        value={filter.group}
        onChange={group => onChange({ ...filter, group })}
      />
      <Choice
        label={trans.__('Sort')}
        options={orders}
        value={filter.order}
        onChange={order => onChange({ ...filter, order })}
      />
    </div>
  );
}

interface IChoiceProps<T> {
  label: string;
  options: [T, string][];
  value: T;
  onChange: (value: T) => void;
}

function Choice<T extends string>(props: IChoiceProps<T>): React.JSX.Element {
  return (
    <select
      aria-label={props.label}
      value={props.value}
      onChange={event => props.onChange(event.target.value as T)}
    >
      {props.options.map(([value, text]) => (
        <option key={value} value={value}>
          {text}
        </option>
      ))}
    </select>
  );
}
