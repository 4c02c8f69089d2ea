/** Rows of tasks; their order rests while somebody points at them. */

import * as React from 'react';
import { Virtuoso } from 'react-virtuoso';

import { useHost } from '../host';
import { Scroller } from '../scroller';
import { ISelection, Selection } from '../selection';
import { ITaskView } from '../wire';
import { Fold } from './Fold';
import { TaskRow } from './TaskRow';

/** Rows exist so far outside of what can be seen, in pixels: for the arrow keys and fast scrolling. */
const MARGIN = 250;
/** Where nothing scrolls by itself, so many rows at a time. */
const STEP = 200;

export interface ITaskListProps {
  tasks: ITaskView[];
  /** How many there are, if `tasks` are only the first of them. */
  size?: number;
  now: number;
  live: boolean;
  level: number;
  /** Somebody scrolled to the end. */
  onEnd?: () => void;
}

export function TaskList(props: ITaskListProps): React.JSX.Element {
  const { tasks, size = tasks.length, now, live, level } = props;
  const scroller = React.useContext(Scroller);
  // Here, since a row that is scrolled away is gone.
  const [open, setOpen] = React.useState<ReadonlySet<number>>(new Set());
  const onToggle = React.useCallback((number: number, wanted: boolean) => {
    setOpen(old => {
      const others = Array.from(old).filter(other => other !== number);
      return new Set(wanted ? [...others, number] : others);
    });
  }, []);
  const selection = React.useContext(Selection);
  const onChoose = useChoosing(tasks, selection);
  const row = (index: number, task: ITaskView) => (
    <TaskRow
      key={task.task_identifier}
      task={task}
      now={now}
      live={live}
      level={level}
      position={index + 1}
      size={size}
      open={open.has(task.task_identifier)}
      onToggle={onToggle}
      chosen={selection?.has(task)}
      onChoose={onChoose}
    />
  );
  if (!scroller) {
    return <SomeRows tasks={tasks} level={level} row={row} />;
  }
  return (
    <Virtuoso
      customScrollParent={scroller}
      data={tasks}
      computeItemKey={(_, task) => task.task_identifier}
      itemContent={row}
      increaseViewportBy={MARGIN}
      endReached={props.onEnd}
    />
  );
}

/** Chooses a task; `extend`: all from the one that was chosen before. */
function useChoosing(
  tasks: ITaskView[],
  selection: ISelection | null
): (task: ITaskView, extend: boolean) => void {
  const latest = React.useRef(tasks);
  const anchor = React.useRef<number | null>(null);
  React.useEffect(() => {
    latest.current = tasks;
  });
  return React.useCallback(
    (task, extend) => {
      const places = [anchor.current, task.task_identifier].map(number =>
        latest.current.findIndex(each => each.task_identifier === number)
      );
      if (extend && !places.includes(-1)) {
        selection?.add(latest.current.slice(Math.min(...places), Math.max(...places) + 1));
      } else {
        selection?.toggle(task);
        anchor.current = task.task_identifier;
      }
    },
    [selection]
  );
}

interface ISomeRowsProps {
  tasks: ITaskView[];
  level: number;
  row: (index: number, task: ITaskView) => React.JSX.Element;
}

function SomeRows({ tasks, level, row }: ISomeRowsProps): React.JSX.Element {
  const { words } = useHost();
  const [limit, setLimit] = React.useState(STEP);
  return (
    <>
      {tasks.slice(0, limit).map((task, index) => row(index, task))}
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
  // In one pass each: there may be 100,000, several times a second.
  const rest = new Map(tasks.map(task => [task.task_identifier, task]));
  const kept: ITaskView[] = [];
  for (const number of order) {
    const task = rest.get(number);
    if (task) {
      kept.push(task);
      rest.delete(number);
    }
  }
  return [...kept, ...rest.values()];
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
