"""Screen of ``apcampaign failures``: groups of failed jobs with their causes and remedies."""

__all__ = ["show_failures"]

from typing import TYPE_CHECKING

from ...common.text import count

if TYPE_CHECKING:
    from rich.console import Console

    from ...monitor.failures import Failures, Group

_SHOWN = 3


def show_failures(failures: "Failures") -> None:
    """Print what went wrong."""
    from rich.text import Text

    from .console import make_console

    console = make_console()
    for group in failures.groups:
        _show_group(console, group)
    if failures.retried:
        console.print(Text.assemble(("retried", "bold"), " (succeeded since, or being retried):"))
    for group in failures.retried:
        states = ", ".join(f"{len(names)} {state}" for state, names in group.jobs.items())
        console.print(f"  {group.place} {group.label}: {group.cause.kind}: ", end="")
        console.print(f"{group.cause.message} ({states})")
        for gap in group.describe_gaps():
            console.print(Text(f"    {gap}", style="yellow"))
    pruned = ", ".join(f"{number} of {step}" for step, number in failures.pruned.items())
    if pruned:
        console.print(f"jobs that will not run because of these: {pruned}")
    for step, of_step in failures.quanta.items():
        for found in of_step:
            outcomes = {
                "failed": found.failed,
                "made only some outputs": found.partial,
                "made nothing": found.empty,
            }
            listed = ", ".join(f"{len(data_ids)} {what}" for what, data_ids in outcomes.items() if data_ids)
            console.print(f"{step} quanta of {found.label}: {listed}")
            for what, number in list(found.exceptions.items())[:_SHOWN]:
                console.print(f"  {number} × {what}")
    if not failures.groups:
        console.print("no job has failed or is held")
    for run in failures.stopped:
        console.print(Text(run.describe(), style="bold"))
        console.print(Text(f"  → continue with {run.remedy}", style="green"))


def _show_group(console: "Console", group: "Group") -> None:
    from rich.text import Text

    states = ", ".join(f"{len(names)} {state}" for state, names in group.jobs.items())
    hosts = ", ".join(
        f"{host} ({times})" for host, times in sorted(group.hosts.items(), key=lambda h: -h[1])[:4]
    )
    codes = ", ".join(f"{code} ({times})" for code, times in group.exit_codes.items())
    signals = ", ".join(f"{number} ({times})" for number, times in group.signals.items())
    console.print(
        Text.assemble(
            (f"{group.place} {group.label}: {states}", "bold red"), (f"  {group.cause.kind}", "red")
        )
    )
    console.print(Text(f"  {group.cause.message}", style="bold"))
    facts = {
        "task": group.cause.task,
        "hosts": hosts,
        "exit codes": codes,
        "signals": signals,
        "example": group.example,
        "log": str(group.log) if group.log else "",
    }
    for name, value in facts.items():
        if value:
            console.print(Text.assemble((f"  {name:11}", "dim"), str(value)))
    for line in group.cause.lines:
        console.print(Text(f"    │ {line}", style="dim"))
    for gap in group.describe_gaps():
        console.print(Text(f"  {gap}", style="yellow"))
    if group.pruned:
        listed = ", ".join(f"{number} {label}" for label, number in group.pruned.items())
        console.print(Text(f"  will not run because of these: {listed}"))
    if group.waiting:
        console.print(Text(f"  waiting for these: {count(group.waiting, 'job')}"))
    for line in group.remedies:
        console.print(Text(f"  → {line}", style="green"))
    console.print()
