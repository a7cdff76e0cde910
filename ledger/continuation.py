"""Runs that continue one another: which of a step's earlier runs the newest one has built on."""

__all__ = ["find_continued"]

from collections.abc import Iterator

import yaml

from ..bps import GRAPH_OPTIONS, Step, read_option
from ..common.reading import read_text
from .ledger import Ledger
from .records import RunRecord


def find_continued(ledger: Ledger, step: Step) -> Iterator[RunRecord]:
    """Find the newest run of a step and those that it continues, the newest first."""
    begin = ""
    for run in reversed(ledger.runs_of(step)):
        if run.timestamp < begin:
            return
        yield run
        if not begin and not _continues(ledger, run):
            begin = run.timestamp


def _continues(ledger: Ledger, run: RunRecord) -> bool:
    """Tell whether a run leaves out what earlier ones have done; true if that is not known any more."""
    try:
        config = yaml.safe_load(read_text(ledger.paths.run(run).config))
    except (OSError, yaml.YAMLError):
        return True
    skipped = ",".join(read_option(str(config.get(GRAPH_OPTIONS) or ""), "--skip-existing-in")).split(",")
    return any(f"{name}/".startswith(f"{run.output}/") for name in skipped)
