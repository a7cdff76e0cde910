"""Names of all files of a campaign, its runs and its campaign DAGs."""

__all__ = ["CampaignPaths", "DagPaths", "RunPaths", "name_bps_run"]

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ..bps import Step
from ..common.files import find_files

_DAGS, _OLD_DAGS, _FOREGROUND, _RETIRED = "dag", "chain", "foreground", "retired"


class _OneRun(Protocol):
    """A run, planned or recorded."""

    @property
    def step(self) -> Step:
        """The step that it executes."""

    @property
    def folder(self) -> str:
        """Its name among the runs of its step."""


@dataclass(frozen=True)
class RunPaths:
    """The files of one run.

    Parameters
    ----------
    folder
        The run's own folder, ``runs/<campaign>/<step>/<timestamp>``, with ``-<part>`` for a part of a step.
    """

    folder: Path

    @property
    def record(self) -> Path:
        """The run record: ids, collections, numbers of jobs and quanta, versions, hash of the configuration."""
        return self.folder / "run.yaml"

    @property
    def config(self) -> Path:
        """The submit file for BPS."""
        return self.folder / "bps.yaml"

    @property
    def data_ids(self) -> Path:
        """The data IDs of its raw images, if the graph is built from a table of them."""
        return self.folder / "raws.ecsv"

    @property
    def campaign(self) -> Path:
        """The campaign as it was when the run was prepared, with everything that overrode its file."""
        return self.folder / "campaign.yaml"

    @property
    def prepare_log(self) -> Path:
        """What BPS said while it prepared the run."""
        return self.folder / "prepare.log"

    @property
    def prepare_lock(self) -> Path:
        """Locked by the node of a campaign DAG that prepares the run."""
        return self.folder / "prepare.lock"

    @property
    def jobs(self) -> Path:
        """The jobs that the run consists of, for `status` and `failures`."""
        return self.folder / "jobs.json"

    @property
    def submit(self) -> Path:
        """BPS's submit directory: graph, DAG, descriptions and logs of the jobs."""
        return self.folder / "submit"

    @property
    def order(self) -> Path:
        """What lets later visits go past failed associations, and which have failed."""
        return self.folder / "order"

    @property
    def costs(self) -> Path:
        """What its quanta and jobs took, for the forecasts of later runs (`apcampaign plan`)."""
        return self.folder / "costs.json"

    @property
    def report(self) -> Path:
        """The report of this run alone, if somebody has asked for it (`apcampaign report --run`)."""
        return self.folder / "report.html"

    def dag(self, output_run: str) -> Path:
        """The run's DAG, which BPS names after the RUN collection."""
        return self.submit / f"{name_bps_run(output_run)}.dag"

    def graph(self, output_run: str) -> Path:
        """The quantum graph."""
        return self.submit / f"{name_bps_run(output_run)}.qg"

    def has_begun(self) -> bool:
        """Whether DAGMan or Parsl has ever begun to run its jobs; false for those of a run that is adopted."""
        if self.submit.is_symlink():
            return False  # its record is written last, and again by another adoption
        return bool(find_files(self.submit, "*.dag.dagman.out") or find_files(self.folder, "runinfo/*"))


@dataclass(frozen=True)
class DagPaths:
    """The files of one campaign DAG.

    Parameters
    ----------
    folder
        Its own folder, ``runs/<campaign>/dag/<timestamp>``. Versions before 0.2 called it ``chain``, and their
        folders can still be read.
    """

    folder: Path

    @property
    def _is_old(self) -> bool:
        return self.folder.parent.name == _OLD_DAGS

    @property
    def record(self) -> Path:
        """The record of the campaign DAG: the id of its DAGMan job, and its runs."""
        return self.folder / ("chain.yaml" if self._is_old else "dag.yaml")

    @property
    def campaign(self) -> Path:
        """The campaign as it was when the DAG was submitted, with everything that overrode its file."""
        return self.folder / "campaign.yaml"

    @property
    def dag(self) -> Path:
        """The campaign DAG: the runs, and what comes before, between and after them."""
        return self.folder / ("chain.dag" if self._is_old else "campaign.dag")

    @property
    def plan(self) -> Path:
        """The plan that is executed: runs, what they wait for, the APDB, deferred associations."""
        return self.folder / "plan.yaml"

    @property
    def dagman_config(self) -> Path:
        """HTCondor's settings for the DAGMan of the campaign DAG."""
        return self.folder / "dagman.conf"

    @property
    def submit_file(self) -> Path:
        """The submit description of the DAGMan job."""
        return self.dag.with_suffix(".sub")

    @property
    def metrics(self) -> Path:
        """What DAGMan leaves when it has ended: its exit code and numbers of nodes."""
        return self.dag.with_name(f"{self.dag.name}.metrics")

    def has_begun(self) -> bool:
        """Whether its DAGMan has ever begun."""
        return self.dag.with_name(f"{self.dag.name}.dagman.out").exists()

    def has_rescue(self) -> bool:
        """Whether DAGMan left where it ended, to go on from there."""
        return bool(find_files(self.folder, f"{self.dag.name}.rescue*"))

    @property
    def summary(self) -> Path:
        """The summary that the last node wrote."""
        return self.folder / "summary.json"

    def passed(self, run: str) -> Path:
        """A file that is there if a run has failed and others went on after it: it counts as done in the DAG."""
        return self.folder / "passed" / run

    @property
    def rolled_back(self) -> Path:
        """A file that is there if associations were rolled back since: the DAG may count them as done."""
        return self.folder / "rolled-back"

    def empty(self, run: str) -> Path:
        """A file that is there if a run had nothing to do."""
        return self.folder / "empty" / run

    def list_empty(self) -> list[str]:
        """List the names of the runs that had nothing to do."""
        return [path.name for path in find_files(self.folder, "empty/*")]

    @property
    def has_passed(self) -> bool:
        """Whether a run has failed that counts as done in the DAG."""
        return bool(find_files(self.folder, "passed/*"))

    def node(self, name: str, suffix: str) -> Path:
        """A node between runs: its submit description (`sub`), and what it said (`out`, `err`)."""
        return self.folder / f"{name}.{suffix}"


@dataclass(frozen=True)
class CampaignPaths:
    """The files of one campaign.

    Parameters
    ----------
    runs
        The folder of all campaigns' runs.
    campaign
        The campaign's name.
    """

    runs: Path
    campaign: str

    @property
    def folder(self) -> Path:
        """The campaign's own folder."""
        return self.runs.resolve() / self.campaign

    @property
    def apdb_config(self) -> Path:
        """The configuration of the APDB, written by `apcampaign apdb init`."""
        return self.folder / "apdb_config.yaml"

    @property
    def report(self) -> Path:
        """The report, written at the end of each submission and by `apcampaign report`."""
        return self.folder / "report.html"

    def step(self, step: Step) -> Path:
        """The folder of a step's runs."""
        return self.folder / step

    def run(self, run: _OneRun) -> RunPaths:
        """The files of a run, planned or recorded."""
        return RunPaths(self.step(run.step) / run.folder)

    def dag(self, timestamp: str) -> DagPaths:
        """The files of a campaign DAG."""
        return DagPaths(self.folder / _DAGS / timestamp)

    def foreground(self, timestamp: str) -> DagPaths:
        """The files of a plan that is executed in the foreground: those of a DAG but for itself."""
        return DagPaths(self.folder / _FOREGROUND / timestamp)

    def retirement(self, timestamp: str) -> Path:
        """What was removed with `apcampaign retire`, when, by whom and how much."""
        return self.folder / _RETIRED / f"{timestamp}.yaml"

    def list_retirements(self) -> list[Path]:
        """List the records of what was removed, the oldest first."""
        return find_files(self.folder, f"{_RETIRED}/*.yaml")

    @property
    def pending(self) -> Path:
        """The datasets that `apcampaign retire` is removing at this moment."""
        return self.folder / _RETIRED / "pending.json"

    @property
    def removable(self) -> tuple[Path, ...]:
        """What is removed with all of the campaign: nothing but what its runs and their reports have left."""
        names = (*Step, _DAGS, _OLD_DAGS, _FOREGROUND)
        found = [path for name in names for path in find_files(self.folder, f"{name}/*") if path.is_dir()]
        reports = find_files(self.folder, f"{self.report.stem}*{self.report.suffix}")
        return (*found, *reports, *(path for path in (self.apdb_config,) if path.exists()))

    def list_runs(self) -> Iterator[RunPaths]:
        """List the runs that have a record, or have lost it after they had begun."""
        for step in Step:
            for folder in find_files(self.step(step), "*"):
                run = RunPaths(folder)
                if find_files(folder, run.record.name) or run.has_begun():
                    yield run

    def list_dags(self) -> Iterator[DagPaths]:
        """List the campaign DAGs that have a record, or have lost it after a run of them was prepared."""
        for record in find_files(self.folder, f"{_OLD_DAGS}/*/chain.yaml"):
            yield DagPaths(record.parent)
        yield from self._list_plans(_DAGS)

    def list_foreground(self) -> Iterator[DagPaths]:
        """List the plans that were executed in the foreground; as `list_dags`."""
        yield from self._list_plans(_FOREGROUND)

    def _list_plans(self, kind: str) -> Iterator[DagPaths]:
        for files in map(DagPaths, find_files(self.folder, f"{kind}/*")):
            # Its record is written before any of its runs is prepared.
            if find_files(files.folder, files.record.name) or self._has_begun(files):
                yield files

    def _has_begun(self, plan: DagPaths) -> bool:
        times = (run.folder.name.partition("-")[0] for run in self.list_runs())
        return plan.plan.exists() and plan.folder.name in times


def name_bps_run(output_run: str) -> str:
    """Name a run as BPS does, in its files and in the ads of its jobs."""
    return output_run.replace("/", "_")
