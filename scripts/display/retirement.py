"""What a campaign holds, as tables."""

__all__ = ["show_holdings"]

from typing import TYPE_CHECKING

from ...common.text import count, format_size
from .console import make_console

if TYPE_CHECKING:
    from ...lifecycle.retirement import RetirementPlan

#: Of every task; they are put together.
_OF_TASKS = ("_config", "_log", "_metadata")


def show_holdings(plan: "RetirementPlan") -> None:
    """Print datasets by type, with those that count as intermediate, then the APDB and the files."""
    from .table import Table

    console, holdings = make_console(), plan.state.holdings
    rows: dict[str, tuple[int, int, bool]] = {}
    for name, each in holdings.types.items():
        end = next((end for end in _OF_TASKS if name.endswith(end)), "")
        shown = f"*{end}" if end else name
        datasets, size, _ = rows.get(shown, (0, 0, False))
        intermediate = plan.request.is_intermediate(name)
        rows[shown] = (datasets + each.datasets, size + each.size, intermediate)
    table = Table("dataset type", "datasets", "size", "")
    for name, (datasets, size, intermediate) in sorted(rows.items(), key=lambda item: -item[1][1]):
        table.add_row(name, f"{datasets:,}", format_size(size), "intermediate" if intermediate else "")
    if rows:
        console.print(table)
    table = Table("run", "datasets", "size")
    for run in holdings.runs:
        total = run.total
        table.add_row(run.record.output_run, f"{total.datasets:,}", format_size(total.size))
    if holdings.runs:
        console.print(table)
    if holdings.apdb is not None:
        place = holdings.apdb.target.place
        console.print(
            f"APDB in {place}: {count(holdings.apdb.rows, 'row')}, {format_size(holdings.apdb.size)}"
        )
    for told in (holdings.apdb_note, str(holdings.apdb_error or "")):
        if told:
            console.print(told)
    table = Table("files", "size")
    for file in holdings.files:
        table.add_row(file.name, format_size(file.size))
    if holdings.files:
        console.print(table)
    if holdings.unrecorded:
        console.print(f"collections that no run has a record of: {', '.join(holdings.unrecorded)}")
    for record in plan.state.ledger.retirements:
        console.print(record.describe())
    removable = [each for name, each in holdings.types.items() if plan.request.is_intermediate(name)]
    if removable:
        free = format_size(sum(each.size for each in removable))
        console.print(
            f"`apcampaign retire --intermediates` would free {free}; --dry-run shows what it removes"
        )
