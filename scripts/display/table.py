"""Table that serves on narrow terminals too, and is whole where there is none."""

__all__ = ["Table"]

from collections.abc import Iterator
from typing import Any

import rich.table
from rich.console import Console, ConsoleOptions, RenderableType
from rich.measure import Measurement
from rich.text import Text


class Table(rich.table.Table):
    """A table whose rows become lines of ``name: value`` where the screen is too narrow for its columns.

    Where words would have to be broken or left out, columns cannot be read; a screen of 40 columns has room for
    all values below each other.
    """

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Any:
        """Draw it as a table if every word fits into its column, else row by row."""
        if Measurement.get(console, options.update(max_width=100_000), self).minimum <= options.max_width:
            return super().__rich_console__(console, options)
        return self._rows_as_lines()

    def _rows_as_lines(self) -> Iterator[RenderableType]:
        if self.title:
            yield Text.assemble((str(self.title), "italic"))
        columns = [[*column.cells] for column in self.columns]
        for row in zip(*columns, strict=True):
            marker = "• "
            for column, cell in zip(self.columns, row, strict=True):
                text = cell if isinstance(cell, Text) else Text(str(cell))
                if text.plain:
                    yield Text.assemble(marker, (f"{column.header}: " if column.header else "", "dim"), text)
                    marker = "  "
