/**
 * A tree with one stop for the tab key: the arrows move among its items. What Enter, Space and
 * Delete do is the items' own matter.
 */

import * as React from 'react';

import { Scroller, scrollToEdge } from '../scroller';
import { Selection } from '../selection';

export interface ITreeProps {
  label: string;
  children: React.ReactNode;
}

const ITEM = '[role="treeitem"]';

export function Tree({ label, children }: ITreeProps): React.JSX.Element {
  const node = React.useRef<HTMLDivElement>(null);
  const scroller = React.useContext(Scroller);
  const isMultiselectable = React.useContext(Selection) !== null;

  // Items come and go; one of them must be reachable by the tab key.
  React.useEffect(() => {
    const items = itemsOf(node.current);
    if (items.length > 0 && !items.some(item => item.tabIndex === 0)) {
      items[0].tabIndex = 0;
    }
  });

  const focus = (item: HTMLElement | undefined) => {
    if (item) {
      itemsOf(node.current).forEach(other => (other.tabIndex = other === item ? 0 : -1));
      item.focus();
    }
  };

  const onKeyDown = (event: React.KeyboardEvent) => {
    const target = event.target as HTMLElement;
    const item = target.closest<HTMLElement>(ITEM);
    if (event.defaultPrevented || !item) {
      return;
    }
    if (scroller && (event.key === 'Home' || event.key === 'End')) {
      event.preventDefault();
      event.stopPropagation();
      const edge = event.key === 'Home' ? 'first' : 'last';
      scrollToEdge(scroller, edge, () => {
        const items = itemsOf(node.current);
        focus(items[edge === 'first' ? 0 : items.length - 1]);
      });
      return;
    }
    const items = itemsOf(node.current);
    const index = items.indexOf(item);
    const moves: { [key: string]: () => HTMLElement | undefined } = {
      ArrowDown: () => items[index + 1],
      ArrowUp: () => items[index - 1],
      Home: () => items[0],
      End: () => items[items.length - 1],
      ArrowLeft: () =>
        items
          .slice(0, index)
          .reverse()
          .find(other => levelOf(other) < levelOf(item)),
      Escape: () => (target === item ? undefined : item)
    };
    const next = moves[event.key]?.();
    if (next) {
      event.preventDefault();
      event.stopPropagation();
      focus(next);
    }
  };

  const onFocus = (event: React.FocusEvent) => {
    const item = (event.target as HTMLElement).closest<HTMLElement>(ITEM);
    itemsOf(node.current).forEach(other => (other.tabIndex = other === item ? 0 : -1));
  };

  return (
    <div
      ref={node}
      role="tree"
      aria-multiselectable={isMultiselectable}
      aria-label={label}
      className="jp-bgdl-Tree"
      onKeyDown={onKeyDown}
      onFocus={onFocus}
    >
      {children}
    </div>
  );
}

function itemsOf(node: HTMLElement | null): HTMLElement[] {
  return node ? Array.from(node.querySelectorAll<HTMLElement>(ITEM)) : [];
}

function levelOf(item: HTMLElement): number {
  return Number(item.getAttribute('aria-level'));
}
