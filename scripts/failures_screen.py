"""The screen of ``apcampaign failures``."""

__all__ = ["show_failures"]

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from ..submit.monitor import Failures
    from ..submit.monitor.failures import Group

_SHOWN = 3


def show_failures(failures: "Failures") -> None:
    """Print what went wrong."""
    from .console import make_console

    console = make_console()
    for group in failures.groups:
        _show_group(console, group)
    if failures.retried:
        console.print("[bold]tried again[/bold] (passed since, or still at it):")
    for group in failures.retried:
        states = ", ".join(f"{len(names)} {state}" for state, names in group.jobs.items())
        console.print(f"  {group.place} {group.label}: {group.cause.kind}: ", end="")
        console.print(f"{group.cause.what} ({states})", markup=False)
    pruned = ", ".join(f"{count} of {step}" for step, count in failures.pruned.items())
    if pruned:
        console.print(f"jobs that will not run in consequence: {pruned}")
    for step, of_step in failures.quanta.items():
        for found in of_step:
            numbers = {"failed": found.failed, "made only a part": found.partial, "made nothing": found.empty}
            words = ", ".join(f"{len(data_ids)} {what}" for what, data_ids in numbers.items() if data_ids)
            console.print(f"{step} quanta of {found.label}: {words}")
            for what, count in sorted(found.exceptions.items(), key=lambda item: -item[1])[:_SHOWN]:
                console.print(f"  {count} × {what}", markup=False)
    if not failures.groups:
        console.print("no job has failed or is held")


def _show_group(console: "Console", group: "Group") -> None:
    from rich.text import Text

    states = ", ".join(f"{len(names)} {state}" for state, names in group.jobs.items())
    hosts = ", ".join(
        f"{host} ({count})" for host, count in sorted(group.hosts.items(), key=lambda h: -h[1])[:4]
    )
    codes = ", ".join(f"{code} ({count})" for code, count in group.exit_codes.items())
    signals = ", ".join(f"{number} ({count})" for number, count in group.signals.items())
    console.print(
        Text.assemble(
            (f"{group.place} {group.label}: {states}", "bold red"), (f"  {group.cause.kind}", "red")
        )
    )
    console.print(Text(f"  {group.cause.what}", style="bold"))
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
    if group.pruned:
        words = ", ".join(f"{count} {label}" for label, count in group.pruned.items())
        console.print(Text(f"  will not run in consequence: {words}"))
    if group.waiting:
        console.print(Text(f"  wait for it: {group.waiting} jobs"))
    for line in group.advice:
        console.print(Text(f"  → {line}", style="green"))
    console.print()
