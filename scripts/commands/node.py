"""``apcampaign node``: run one node of a campaign DAG; HTCondor calls it with the DAG's folder."""

__all__ = ["command"]

from pathlib import Path

import click

_folder = click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
_runs = click.option("--runs", type=click.Path(path_type=Path), required=True)
_run = click.argument("run")


@click.group()
def command() -> None:
    """Run one node of a campaign DAG (called by HTCondor)."""


@command.command()
@_folder
@_runs
@_run
def gate(folder: Path, runs: Path, run: str) -> None:
    """Check that the templates of RUN are there."""
    from ...submit.nodes import check_gate

    check_gate(folder, runs, run)


@command.command()
@_folder
@_runs
@_run
@click.argument("code", type=int)
def close(folder: Path, runs: Path, run: str, code: int) -> None:
    """Let others go on after RUN, if they can do with what it made; CODE is what its DAG ended with."""
    from ...submit.nodes import close_run

    close_run(folder, runs, run, code)


@command.command()
@_folder
@_runs
@_run
def prepare(folder: Path, runs: Path, run: str) -> None:
    """Build the graph of RUN on what the runs before it have made."""
    from ...submit.nodes import prepare_node_run

    prepare_node_run(folder, runs, run)


@command.command()
@click.argument("apdb_config")
@_folder
@click.argument("job")
def settle(apdb_config: str, folder: Path, job: str) -> None:
    """Roll back what the failed association of JOB may have written to the APDB."""
    from ...submit.nodes import settle_association

    raise SystemExit(settle_association(apdb_config, folder, job))


@command.command()
@_folder
@_runs
def summary(folder: Path, runs: Path) -> None:
    """Summarise the campaign, verify its APDB, write the report, and notify those who want to know."""
    from ...submit.nodes import finish_dag
    from ..display.summary import show_summary

    show_summary(finish_dag(folder, runs))
