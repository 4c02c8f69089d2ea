/** Rows of tasks, a bounded number of them; their order rests while somebody points at them. */

import * as React from 'react';

import { useHost } from '../host';
import { ITaskView } from '../wire';
import { Fold } from './Fold';
import { TaskRow } from './TaskRow';

const STEP = 200;

export interface ITaskListProps {
  tasks: ITaskView[];
  now: number;
  live: boolean;
  level: number;
}

export function TaskList({ tasks, now, live, level }: ITaskListProps): React.JSX.Element {
  const { words } = useHost();
  const [limit, setLimit] = React.useState(STEP);
  const shown = tasks.slice(0, limit);
  return (
    <>
      {shown.map((task, index) => (
        <TaskRow
          key={task.task_identifier}
          task={task}
          now={now}
          live={live}
          level={level}
          position={index + 1}
          size={tasks.length}
        />
      ))}
      {tasks.length > limit && (
        <Fold
          open={false}
          level={level}
          text={words.trans.__('Show more (%1)', tasks.length - limit)}
          onToggle={() => setLimit(limit + STEP)}
        />
      )}
    </>
  );
}

/**
 * Keep the order that was last shown while `resting`; tasks that are new go to the end, those that
 * are gone go.
 */
export function useRestingOrder(tasks: ITaskView[], resting: boolean): ITaskView[] {
  const order = React.useRef<number[]>([]);
  const result = resting ? keepOrder(tasks, order.current) : tasks;
  React.useEffect(() => {
    order.current = result.map(task => task.task_identifier);
  });
  return result;
}

export function keepOrder(tasks: ITaskView[], order: number[]): ITaskView[] {
  const places = new Map(order.map((number, index) => [number, index]));
  const place = (task: ITaskView) => places.get(task.task_identifier) ?? Infinity;
  return [...tasks].sort((a, b) => {
    const [placeA, placeB] = [place(a), place(b)];
    return placeA === placeB ? 0 : placeA - placeB;
  });
}

export interface IResting {
  resting: boolean;
  /** For the element around the rows. */
  handlers: {
    onMouseEnter: () => void;
    onMouseLeave: () => void;
    onFocus: () => void;
    onBlur: () => void;
  };
}

/** True while the pointer or the focus is on the rows. */
export function useResting(): IResting {
  const [pointed, setPointed] = React.useState(false);
  const [focused, setFocused] = React.useState(false);
  const handlers = React.useMemo(
    () => ({
      onMouseEnter: () => setPointed(true),
      onMouseLeave: () => setPointed(false),
      onFocus: () => setFocused(true),
      onBlur: () => setFocused(false)
    }),
    []
  );
  return { resting: pointed || focused, handlers };
}
