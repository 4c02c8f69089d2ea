"""What axe-core finds wrong with a part of a page, for people who don't see it or use no mouse."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from playwright.sync_api import Page

_AXE = Path(__file__).parents[2] / "labextension" / "node_modules" / "axe-core" / "axe.min.js"
_RUN = """
async selector => {
  const { violations } = await axe.run(selector, { resultTypes: ['violations'] });
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .flatMap(({ id, help, nodes }) =>
      nodes.map(({ html, any }) => [id, help, html.slice(0, 200), any.map(one => one.message)])
    );
}
"""


def serious_faults(page: Page, selector: str) -> list[Any]:
    """Rule, its words, the element's markup and what was measured, of each serious fault."""
    if not page.evaluate("'axe' in window"):
        # Not as a script element: the page's policy for its content might forbid that.
        page.evaluate(_AXE.read_text(encoding="utf-8"))
    found: list[Any] = page.evaluate(_RUN, selector)
    return found
