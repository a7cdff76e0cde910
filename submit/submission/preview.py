"""Preview of a submission: what its runs would be, found out in a folder that is thrown away."""

__all__ = ["Preview", "preview_submission"]

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ...bps import PlannedRun
from ...common.errors import BpsError, EmptyGraphError
from ...ledger import RunPaths
from ..bps_process import prepare_run
from ..outputs.collections import choose_inputs
from .plan import SubmissionPlan


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
    empty
        Whether it has nothing to do.
    """

    run: PlannedRun
    folder: Path
    config: str
    jobs: Mapping[str, int]
    quanta: Mapping[str, int]
    empty: bool = False

    def as_dict(self) -> dict[str, Any]:
        """Give it as plain values, for JSON."""
        return {
            "name": self.run.name,
            "output_run": self.run.output_run,
            "folder": str(self.folder),
            "config": self.config,
            "jobs": dict(self.jobs),
            "quanta": dict(self.quanta),
            "empty": self.empty,
        }


def preview_submission(plan: SubmissionPlan) -> Iterator[Preview]:
    """Find out what the runs of a submission would be.

    Everything that is made for that is thrown away, but for the logs that the error of a BPS that fails names.

    Raises
    ------
    BpsError
        If BPS cannot prepare a run.
    """
    for run in plan.plan:
        jobs: Mapping[str, int] = {}
        quanta: Mapping[str, int] = {}
        empty = False
        if not plan.obstacles and run in plan.plan.ready:
            # An output that is not there yet: the inputs are read as they are given, and nothing is changed.
            there = choose_inputs(plan.workspace.campaign.butler, run)
            unseen = replace(there, output=f"{run.output}/preview")
            # What is in the APDB and rolled back first is still there.
            work = replace(plan.work, refuse_associated=False)
            with _folder_unless_bps_fails() as folder:
                try:
                    record = prepare_run(work, unseen, files=RunPaths(folder / "run"))
                    jobs, quanta = record.jobs, record.quanta
                except EmptyGraphError:
                    if not run.may_be_empty:
                        raise
                    empty = True
        config = plan.build_config(run)
        yield Preview(
            run=run, folder=plan.files(run).folder, config=config, jobs=jobs, quanta=quanta, empty=empty
        )


@contextmanager
def _folder_unless_bps_fails() -> Iterator[Path]:
    """Give a folder that is thrown away, unless BPS fails: then it has the logs that the error names."""
    folder = Path(tempfile.mkdtemp(prefix="apcampaign-"))
    try:
        yield folder
    except BpsError:
        raise
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    shutil.rmtree(folder, ignore_errors=True)
