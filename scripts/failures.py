"""``apcampaign failures``: what went wrong, and what to do next."""

__all__ = ["command"]

import sys
from typing import TYPE_CHECKING

import click

from .options import CampaignContext, campaign_options, echo_json

if TYPE_CHECKING:
    from rich.console import Console

    from ..submit.monitor.failures import Failures, Group


@click.command()
@campaign_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(context: CampaignContext, as_json: bool) -> None:
    """Group failed and held jobs by label and root cause, and say what to do next.

    Works while the campaign runs and after. Exits 1 if anything failed or is held; what passed at a later
    attempt is counted apart.
    """
    from ..submit.monitor import CampaignReader, find_failures

    failures = find_failures(CampaignReader(context.paths).read_jobs())
    if as_json:
        echo_json(failures.as_dict())
    else:
        _show(failures)
    sys.exit(1 if failures.groups else 0)


def _show(failures: "Failures") -> None:
    from .console import make_console

    console = make_console()
    for group in failures.groups:
        _show_group(console, group)
    if failures.retried:
        console.print("[bold]tried again[/bold] (passed since, or still at it):")
    for group in failures.retried:
        states = ", ".join(f"{len(names)} {state}" for state, names in group.jobs.items())
        console.print(f"  {group.step} {group.label}: {group.cause.kind}: ", end="")
        console.print(f"{group.cause.what} ({states})", markup=False)
    pruned = ", ".join(f"{count} of {step}" for step, count in failures.pruned.items())
    if pruned:
        console.print(f"jobs that will not run in consequence: {pruned}")
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
        Text.assemble((f"{group.step} {group.label}: {states}", "bold red"), (f"  {group.cause.kind}", "red"))
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
