"""The bars of a run on a terminal, one a scenario, drawn anew in their place."""

from __future__ import annotations

import io
import os
import sys
import time
from typing import TYPE_CHECKING, NamedTuple

from rich.console import Console
from rich.live_render import LiveRender
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from builder.cli import stderr, view
from builder.cli.layout import duration, rounded
from builder.text import fit, money, width

if TYPE_CHECKING:
    from builder.fill.progress import Progress, ScenarioProgress

HEADS = {"rows": 4, "rejects": 7, "rows/s": 6, "ETA": 6, "usd": 6}  # each with its least columns
BAR = 8  # columns of the narrowest bar
WIDEST_BAR = 40
NAME = 4  # columns of a scenario's name, at least
OTHERS = 4  # lines that are no scenario's: heads, sum, remarks, and where the cursor goes at last
ECHO = 3  # columns at the end of a line for the ^C of a terminal: it must not break the line


class Line(NamedTuple):
    """One bar with its name and figures."""

    name: str
    rows: int
    to_ask: int
    figures: tuple[str, ...]


class Stderr(io.StringIO):
    """stderr as rich writes to it; a terminal that is gone ends the display and not the run."""

    def write(self, text: str) -> int:
        stderr.report(text, end="")
        return len(text)

    def isatty(self) -> bool:
        return True

    @property
    def encoding(self) -> str:  # type: ignore[override]  # a property, where the base has a value
        return sys.stderr.encoding


class Bars:
    """The bars of one run, and what is said above them."""

    def __init__(self, progress: Progress) -> None:
        plain = bool(os.environ.get("NO_COLOR"))
        self._progress = progress
        self._console = Console(
            file=Stderr(), force_terminal=True, color_system=None if plain else "auto", highlight=False
        )  # fmt: skip
        self._drawn = LiveRender("")

    def report(self, text: str) -> None:
        """Prints lines above the bars."""
        with self._console:
            self._console.control(self._drawn.position_cursor())
            self._console.print(text.strip(), markup=False, emoji=False, soft_wrap=True)
            self.restart()
            self.update()

    def restart(self) -> None:
        """Leaves the bars that were drawn: the next ones begin where the cursor is."""
        self._drawn = LiveRender("")

    def update(self, *, last: bool = False) -> None:
        """Draws the bars where they are."""
        room = self._console.width - ECHO
        lines = _lines(self._progress, self._console.height - OTHERS)
        self._drawn.set_renderable(_table(lines, room, view.remarks(self._progress)))
        with self._console:
            self._console.control(self._drawn.position_cursor())
            self._console.print(self._drawn, end="")
            self._console.line(int(last))


def _lines(progress: Progress, most: int) -> list[Line]:
    """A line a scenario and one for all of them; those that are done give way to the others."""
    asked = {name: counts for name, counts in progress.scenarios.items() if counts.to_ask}
    names = list(asked)
    if len(names) > most:
        names = sorted(names, key=lambda name: asked[name].rows >= asked[name].to_ask)[:most]
    lines = [
        Line(name, asked[name].rows, asked[name].to_ask, _figures(asked[name])) for name in names
    ]
    if len(asked) == 1:
        return lines
    name = "in all" if len(names) == len(asked) else f"in all {len(asked)}"
    return [*lines, Line(name, progress.rows, progress.to_ask, _figures(progress))]


def _figures(counts: Progress | ScenarioProgress) -> tuple[str, ...]:
    rate = counts.rows / max(time.monotonic() - counts.started, 1e-9) if counts.started else 0.0
    left = counts.to_ask - counts.rows
    return (
        f"{rounded(counts.rows)}/{rounded(counts.to_ask)}",
        rounded(counts.rejects),
        f"{rate:.1f}" if counts.started else "",
        duration(left / rate) if left and rate else "",
        "?" if counts.unpriced and not counts.usd else money(counts.usd),
    )


def _table(lines: list[Line], room: int, remarks: str) -> Table:
    """The lines as a table of so many columns, whose names and bars share what the figures leave."""
    gap = 1 if room < 72 else 2
    columns = zip(*(line.figures for line in lines), strict=True)
    sizes = [
        max(least, *map(width, texts)) for least, texts in zip(HEADS.values(), columns, strict=True)
    ]
    left = room - sum(sizes) - gap * (len(sizes) + 1)
    name = max(
        NAME,
        min(max(width(line.name) for line in lines), left - BAR, max(left // 2, left - WIDEST_BAR)),
    )
    table = Table.grid(padding=(0, gap, 0, 0), pad_edge=False)
    table.caption, table.caption_justify = Text(fit(remarks, room).rstrip(), "dim"), "left"
    table.add_column(width=name, no_wrap=True)
    table.add_column(width=max(BAR, min(WIDEST_BAR, left - name)))
    for size in sizes:
        table.add_column(width=size, justify="right", no_wrap=True)
    table.add_row("", "", *(Text(head, "dim") for head in HEADS))
    for line in lines:
        bar = ProgressBar(line.to_ask, line.rows, style="dim", complete_style="green", finished_style="green")  # fmt: skip
        table.add_row(Text(fit(line.name, name)), bar, *map(Text, line.figures))
    return table
