"""Human-readable comparison of two campaigns."""

__all__ = ["show_comparison"]

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from .console import make_console

if TYPE_CHECKING:
    from rich.console import RenderableType

    from ...report.comparison import Comparison, Difference

#: As many rows are shown of what may have many; `--json` has all of them, and the page too.
_MOST = 20


def show_comparison(found: "Comparison") -> None:
    """Print a human-readable comparison, the verdict last."""
    console = make_console()
    console.print(f"A: {found.a.name}\nB: {found.b.name}")
    for table in _draw(found):
        console.print(table)
    for each in found.unread:
        console.print(f"not known: {each.aspect} of {each.side}: {each.why}")
    console.print(
        found.verdict, style={True: "bold green", False: "bold red", None: "bold yellow"}[found.same]
    )


def _draw(found: "Comparison") -> "Iterator[RenderableType]":
    from .table import Table

    yield _tasks(found)
    if rows := found.count_rows():
        table = Table("", "A", "B", "in both", "only in A", "only in B", "σ")
        for name, *numbers, significance in rows:
            table.add_row(name, *(f"{number:,}" for number in numbers), f"{significance:+.1f}")
        yield table
    if found.sources is not None and not found.sources.same:
        yield from _sources(found)
    counting = [each for each in found.differences if each.counts]
    others = [each for each in found.differences if not each.counts]
    if counting:
        yield _differences("differences", counting, len(counting))
    if others:
        yield _differences("differences that do not count", others, _MOST)


def _tasks(found: "Comparison") -> "RenderableType":
    from .table import Table

    columns = ("quanta A", "quanta B", "done A", "done B", "s A", "s B", "MiB A", "MiB B")
    table = Table("step", "task", *columns, title="tasks: median seconds of a quantum, and most memory")
    for row in found.list_tasks():
        quanta = ["–" if number is None else f"{number:,}" for number in (*row.expected, *row.done)]
        costs = [_show(number) for number in (*row.seconds, *row.memory)]
        table.add_row(row.step, row.label, *quanta, *costs, style=None if row.same else "bold red")
    return table


def _show(number: float | None) -> str:
    if number is None:
        return "–"
    return f"{number:.3g}" if number < 100 else f"{number:,.0f}"


def _sources(found: "Comparison") -> "Iterator[RenderableType]":
    from .table import Table

    sources = found.sources
    if sources is None:
        return
    changed = {name: shift for name, shift in sources.shifts.items() if shift.changed}
    shifts = Table("DiaSources in both", "differ", "median", "scatter", "largest", "larger", "smaller", "σ")
    for name, shift in changed.items():
        values = (f"{value:+.3g} {shift.unit}" for value in (shift.median, shift.scatter, shift.largest))
        counts = (f"{shift.up:,}", f"{shift.down:,}", f"{shift.significance:+.1f}")
        shifts.add_row(name, f"{shift.changed:,}", *values, *counts)
    if changed:
        yield shifts
    for name, title in (("snr", "S/N from"), ("visit", "visit")):
        rows = sources.tables[name]
        rows = rows[(rows["only_a"] > 0) | (rows["only_b"] > 0)]
        if len(rows):
            more = f" (the first {_MOST} of {len(rows):,})" if len(rows) > _MOST else ""
            table = Table(title, "in both", "only in A", "only in B", "σ", title=f"DiaSources{more}")
            for key, row in rows.head(_MOST).iterrows():
                numbers = (f"{int(row[column]):,}" for column in ("both", "only_a", "only_b"))
                table.add_row(
                    f"{key:g}" if isinstance(key, float) else str(key),
                    *numbers,
                    f"{row['significance']:+.1f}",
                )
            yield table


def _differences(title: str, differences: "Sequence[Difference]", most: int) -> "RenderableType":
    from rich.text import Text

    from .table import Table

    more = f" (the first {most} of {len(differences):,})" if len(differences) > most else ""
    table = Table("aspect", "what", "A", "B", "note", title=f"{title}{more}")
    for each in differences[:most]:
        # As text: a value in brackets is no mark-up.
        table.add_row(str(each.aspect), *map(Text, (each.what, each.a, each.b, each.note)))
    return table
