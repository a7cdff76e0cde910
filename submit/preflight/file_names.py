"""Names of files that Butler, BPS and HTCondor make out of a run's collection: whether they can be that long."""

__all__ = ["check_file_names", "check_folder", "find_longest_name"]

import functools
import os
from collections.abc import Iterable, Iterator, Mapping

from ...bps import CampaignConfig, Plan, PlannedRun, Wms
from ...bps.lint import Finding, Severity
from ...common.condor_submission import write_dag_path
from ...common.errors import PreconditionError
from ...ledger import Workspace
from ...pipelines.reference import load_table
from .run_spec import finding_from_error, make_finding

#: Bytes of a name, on every file system of Linux.
_LONGEST = 255
#: Bytes of a whole path, with the one at its end (PATH_MAX); and what the folders and files of a job add at most.
_LONGEST_PATH = 4095
_OF_JOBS = 200
#: What the name of a part adds to a collection's; whether there will be parts is known only after the checks.
_PART = "-association-000"
#: What follows the collection's name in those that BPS and DAGMan make in the submit directory.
_OF_SUBMISSIONS = (
    ".dag.condor.sub",
    ".dag.dagman.out",
    ".dag.dagman.log",
    ".dag.nodes.log",
    ".dag.rescue001",
    ".dag.metrics",
    ".env.info.yaml",
    ".pkg.info.yaml",
    ".info.json",
    "_config.yaml",
    ".qg",
)
#: The widest value of each dimension as Butler's default template writes it into the name of a file, of the
#: cameras that campaign files come for; and the dimensions that follow from another.
_WIDEST = {
    "tract": "18938",
    "patch": "00",
    "band": "N1010",
    "physical_filter": "SDSSr_65mm~empty",
    "visit": "2026090500123",
    "exposure": "MC_O_20260905_000123",
    "group": "2026-09-05T03:12:44.123",
    "detector": "R22_S11",
    "skymap": "lsst_cells_v2",
}
_WIDEST_FILTERS = {"DECam": "g DECam SDSS c0001 4720.0 1520.0"}
_FOLLOWS = {"visit": ("band", "physical_filter"), "exposure": ("band", "physical_filter")}
_EXTENSION = ".parq"


def check_file_names(plan: Plan, campaign: CampaignConfig) -> Iterator[Finding]:
    """Report runs whose collections have names that make those of files too long.

    Parameters
    ----------
    plan
        The runs.
    campaign
        Whose they are. Names in a repository in an object store may be longer.
    """
    on_disk = "://" not in campaign.butler or campaign.butler.startswith("file:")
    for run in plan:
        name = find_longest_name(run, instrument=campaign.instrument if on_disk else None)
        if (excess := len(name.encode()) - _LONGEST) > 0:
            yield make_finding(
                Severity.ERROR,
                "file-names",
                f"{run.output_run} makes names of files of {_LONGEST + excess} bytes, such as {name}",
                f"a name can have {_LONGEST} bytes: jobs or the submission would end with «File name too long»",
                f"shorten the campaign's name, or write an outCollection that is {excess} characters shorter",
                key="name",
            )


def check_folder(workspace: Workspace, plan: Plan) -> Iterator[Finding]:
    """Report a folder of runs that a campaign DAG cannot name, or below which paths are too long."""
    if workspace.site.wms is Wms.HTCONDOR:
        try:
            write_dag_path(workspace.runs.resolve())
        except PreconditionError as error:
            yield finding_from_error(
                error,
                "file-names",
                "the campaign DAG names its files with their whole paths, after the quantum graph is built",
                remedy=error.remedy,
                key="runs",
            )
    for run in plan:
        deepest = workspace.paths.run(run).submit / find_longest_name(run, instrument=None)
        length = len(os.fsencode(deepest)) + _OF_JOBS
        if length > _LONGEST_PATH:
            yield make_finding(
                Severity.ERROR,
                "file-names",
                f"paths of files in {str(deepest)[:60]}… have {length:,} bytes or more",
                f"a path can have {_LONGEST_PATH:,} bytes: jobs or the submission end with «File name too long»",
                "use another folder for the runs (--runs FOLDER)",
                key="runs",
            )
            return


def find_longest_name(run: PlannedRun, *, instrument: str | None) -> str:
    """Find the longest name of a file that is made out of a run's collection.

    Parameters
    ----------
    run
        The run.
    instrument
        Of which instrument there will be files in the repository; `None` if their names do not count.
    """
    collection = run.output_run.replace("/", "_") + ("" if run.part else _PART)
    names = [f"{collection}{end}" for end in _OF_SUBMISSIONS]
    if instrument is not None:
        names.append(f"{_longest_beginning(instrument)}_{collection}{_EXTENSION}")
    return max(names, key=lambda name: len(name.encode()))


@functools.cache
def _longest_beginning(instrument: str) -> str:
    """Give the longest text that comes before the collection in the name of a file in a repository."""
    widest = {"instrument": instrument, **_WIDEST}
    if instrument in _WIDEST_FILTERS:
        widest["physical_filter"] = _WIDEST_FILTERS[instrument]
    found = {""}
    for pipeline in load_table().pipelines.values():
        for label, task in pipeline.tasks.items():
            datasets = {name: dataset.dimensions for name, dataset in (task.outputs or {}).items()}
            for end in ("_metadata", "_log"):
                datasets[f"{label}{end}"] = task.dimensions or ()
            found |= {_beginning(name, dimensions, widest) for name, dimensions in datasets.items()}
    return max(found, key=len)


def _beginning(dataset: str, dimensions: Iterable[str], widest: Mapping[str, str]) -> str:
    present = {*dimensions, *(inner for name in dimensions for inner in _FOLLOWS.get(name, ()))}
    return "_".join([dataset, *(value for name, value in widest.items() if name in present)])
