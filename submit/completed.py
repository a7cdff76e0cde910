"""Outputs of a campaign that new graphs can leave out, since they are made."""

__all__ = ["find_completed", "find_continued"]

from collections.abc import Collection, Iterator

import yaml

from ..bps import GRAPH_OPTIONS, Step, read_option
from ..ledger import Ledger, RunRecord
from .output_collections import find_outputs
from .repair import Repair


def find_completed(ledger: Ledger, repair: Repair, steps: Collection[Step]) -> dict[Step, tuple[str, ...]]:
    """Find the RUN collections, by step, whose quanta new graphs can leave out when a repair is done.

    Those of earlier submissions, which the newest one was to make anew, are none of them.
    """
    unregistered = {run.output_run for run in repair.unregistered}
    known = find_outputs(run for step in steps for run in ledger.runs_of(step)) | unregistered
    return {
        step: tuple(run.output_run for run in find_continued(ledger, step) if run.output_run in known)
        for step in steps
    }


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
        config = yaml.safe_load(ledger.paths.run(run).config.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError):
        return True
    skipped = ",".join(read_option(str(config.get(GRAPH_OPTIONS) or ""), "--skip-existing-in")).split(",")
    return any(f"{name}/".startswith(f"{run.output}/") for name in skipped)
