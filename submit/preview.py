"""Preview of a submission: what its runs would be, found out in a folder that is thrown away."""

__all__ = ["Preview", "preview_submission"]

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..bps import PlannedRun
from ..ledger import RunPaths
from .bps_process import prepare_run
from .output_collections import choose_inputs
from .submission import SubmissionPlan


@dataclass(frozen=True, kw_only=True)
class Preview:
    """What a run would be.

    Parameters
    ----------
    run
        The run.
    folder
        Where its files would go.
    config
        The YAML that BPS would get.
    jobs, quanta
        Their number by label; empty where the graph cannot be built yet.
    """

    run: PlannedRun
    folder: Path
    config: str
    jobs: Mapping[str, int]
    quanta: Mapping[str, int]

    def as_dict(self) -> dict[str, Any]:
        """Give it as plain values, for JSON."""
        return {
            "name": self.run.name,
            "output_run": self.run.output_run,
            "folder": str(self.folder),
            "config": self.config,
            "jobs": dict(self.jobs),
            "quanta": dict(self.quanta),
        }


def preview_submission(plan: SubmissionPlan) -> Iterator[Preview]:
    """Find out what the runs of a submission would be; everything that is made for that is thrown away.

    Raises
    ------
    BpsError
        If BPS cannot prepare a run.
    """
    for run in plan.plan:
        jobs: Mapping[str, int] = {}
        quanta: Mapping[str, int] = {}
        if not plan.obstacles and run in plan.plan.ready:
            # An output that is not there yet: the inputs are read as they are given, and nothing is changed.
            there = choose_inputs(plan.workspace.campaign.butler, run)
            unseen = replace(there, output=f"{run.output}/preview")
            # What is in the APDB and rolled back first is still there.
            work = replace(plan.work, refuse_associated=False)
            with tempfile.TemporaryDirectory(prefix="apcampaign-") as folder:
                record = prepare_run(work, unseen, files=RunPaths(Path(folder) / "run"))
                jobs, quanta = record.jobs, record.quanta
        config = plan.build_config(run)
        yield Preview(run=run, folder=plan.files(run).folder, config=config, jobs=jobs, quanta=quanta)
