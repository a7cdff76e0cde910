"""Table that serves on narrow terminals too, and is whole where there is none."""

__all__ = ["Table"]

from collections.abc import Iterator
from typing import Any

import rich.table
from rich.console import Console, ConsoleOptions, RenderableType
from rich.measure import Measurement
from rich.text import Text

_SHORT = 10  # characters of a value that is not broken between its words


class Table(rich.table.Table):
    """A table whose rows become lines of ``name: value`` where the screen is too narrow for its columns.

    Where words would have to be broken or left out, columns cannot be read; a screen of 40 columns has room for
    all values below each other.
    """

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Any:
        """Draw it as a table if every word and every short value fits into its column, else row by row."""
        unlimited = options.update(max_width=100_000)
        whole = Measurement.get(console, unlimited, self)
        if whole.minimum > options.max_width or not self._narrow(
            console, unlimited, by=whole.maximum - options.max_width
        ):
            return self._rows_as_lines()
        return super().__rich_console__(console, options)

    def _narrow(self, console: Console, options: ConsoleOptions, *, by: int) -> bool:
        """Narrow the widest columns, as far as words and short values such as ``22 MiB`` stay whole.

        Rich itself would cut the words of the widest column, and leave the others as they are.

        Returns
        -------
        enough
            Whether it is narrow enough then.
        """
        loose = [column for column in self.columns if column.width is None and not column.no_wrap]
        least, widths = [], []
        for column in loose:
            cells = [Measurement.get(console, options, cell) for cell in (column.header, *column.cells)]
            short = [each.maximum for each in cells[1:] if each.maximum <= _SHORT]
            least.append(max([each.minimum for each in cells] + short))
            widths.append(max(each.maximum for each in cells))
        for _ in range(by):
            places = [place for place, width in enumerate(widths) if width > least[place]]
            if not places:
                return False
            widths[max(places, key=widths.__getitem__)] -= 1
        if by > 0:
            for column, width in zip(loose, widths, strict=True):
                column.width = width
        return True

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
