"""Human-readable summary of a campaign's results."""

__all__ = ["show_summary"]

from typing import TYPE_CHECKING

from .console import make_console

if TYPE_CHECKING:
    from rich.console import Console

    from ...monitor.campaign_summary import CampaignSummary

#: Of more runs of a step only those are listed that have not succeeded.
_MOST_RUNS, _SUCCEEDED = 4, "SUCCEEDED"


#: As many images are named; `--json` names all.
_SHOWN = 10


def show_summary(summary: "CampaignSummary") -> None:
    """Print a human-readable summary."""
    from ...monitor import name_state
    from .table import Table

    console = make_console()
    for step in summary.steps:
        many = len(step.runs) > _MOST_RUNS
        runs = f"{len(step.runs)} parts" if many else ", ".join(run.output_run for run in step.runs)
        table = Table("task", "quanta", "done", "failed", "blocked", "unknown", title=f"{step.step}: {runs}")
        for label, count in step.quanta.items():
            numbers = (count.expected, count.successful, count.failed, count.blocked, count.unknown)
            table.add_row(label, *map(str, numbers), style=None if count.good else "bold red")
        console.print(table)
        if partial := {label: count.partial for label, count in step.quanta.items() if count.partial}:
            listed = ", ".join(f"{count} of {label}" for label, count in partial.items())
            console.print(f"partial outputs: {listed} (`apcampaign failures --quanta` tells which and why)")
        console.print(f"{step.products} {step.product}")
        if step.absent:
            console.print(f"not begun: {', '.join(step.absent)}")
        for run in step.runs:
            if many and run.state == _SUCCEEDED:
                continue
            state = name_state(run.state) if run.state else "its WMS cannot tell"
            console.print(f"{run.output_run}: {state}; submit directory {run.submit_dir}")
    if summary.apdb_config:
        table = Table("table", "rows", title=f"APDB: {summary.apdb_config}")
        for name, rows in summary.apdb_described.items():
            table.add_row(name, rows)
        console.print(table)
    if summary.apdb_unchecked:
        console.print(f"{summary.apdb_unchecked}: its rows are neither counted nor verified")
    if summary.verification:
        from .apdb import show_verification

        show_verification(summary.verification)
    if summary.templates:
        allowed = f"; the campaign allows {summary.allowed:g} %" if summary.templates.missing else ""
        console.print(f"{summary.templates.describe()}{allowed}")
    _show_missing(summary, console)
    _show_associations(summary, console)
    if summary.left:
        console.print(summary.left.describe())
    for record in summary.retired:
        console.print(record.describe())
    console.print(summary.verdict)


def _show_missing(summary: "CampaignSummary", console: "Console") -> None:
    """Show which science images have no difference image."""
    from .table import Table

    if not summary.missing:
        return
    table = Table(
        "task", "why", "images", "visit: detector", title="science images without a difference image"
    )
    for (task, why), images in summary.missing_by_reason.items():
        shown = ", ".join(f"{image.visit}: {image.detector}" for image in images[:_SHOWN])
        table.add_row(task or "–", why, str(len(images)), shown + (", …" if len(images) > _SHOWN else ""))
    console.print(table)


def _show_associations(summary: "CampaignSummary", console: "Console") -> None:
    """Show what failures have done to the order of visits."""
    from .table import Table

    if waiting := summary.associations.waiting:
        console.print(
            f"{len(waiting)} associations wait for earlier overlapping ones that are not done: if no run is "
            "active, go on with `apcampaign resume`, or without waiting for failed ones with "
            "`apcampaign resume --skip-failed`"
        )
    if skipped := summary.associations.skipped:
        names = ("visit", "detector", "overlapping later visit", "DiaObjects that lack it")
        table = Table(*names, title="skipped: failed, and overlapping later visits did not wait for them")
        for each in skipped:
            shown = ", ".join(map(str, each.objects[:3])) + (", …" if len(each.objects) > 3 else "")
            later = f"visit {each.overlapping_visit[0]}, detector {each.overlapping_visit[1]}"
            table.add_row(str(each.visit), str(each.detector), later, f"{len(each.objects)}: {shown}")
        console.print(table)
