"""Two small campaigns in one real repository, one of which is to be retired; and a way to kill who retires it.

What they hold is made by hand: a few datasets of each kind, an APDB each with real rows, records and files.
"""

import hashlib
import os
import signal
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy
import yaml
from apcampaign import Campaign
from apcampaign.apdb import find_apdb, init_apdb, look_at_apdb, open_apdb
from apcampaign.bps import Step, plan_campaign
from apcampaign.ledger import write_run
from apcampaign.lifecycle.retirement import RetirementPlan
from apdb_content import Survey, dump, run
from run_records import record_of

VISITS = (1, 2)
PARSL = "lsst.ctrl.bps.parsl.ParslService"
TIMESTAMP = "20260101T000000Z"
_IMAGE = ("instrument", "visit", "detector")
_PATCH = ("skymap", "tract", "patch", "band")
#: What each step makes, with its dimensions, and whether it is intermediate.
TYPES: dict[Step, dict[str, tuple[tuple[str, ...], bool]]] = {
    Step.TEMPLATES: {
        "post_isr_image": (_IMAGE, True),
        "direct_warp": ((*_PATCH[:3], "instrument", "visit"), True),
        "calibrateImage_config": ((), False),
        "calibrateImage_log": (_IMAGE, False),
        "calibrateImage_metadata": (_IMAGE, False),
        "template_coadd": (_PATCH, False),
    },
    Step.DIFFIM: {
        "preliminary_visit_image": (_IMAGE, True),
        "template_detector": (_IMAGE, True),
        "associateApdb_log": (_IMAGE, False),
        "associateApdb_metadata": (_IMAGE, False),
        "difference_image": (_IMAGE, False),
        "dia_source_apdb": (_IMAGE, False),
        "apdb_marker": (_IMAGE, False),
    },
}
_FILES = {
    "campaign.yaml": None,
    "bps.yaml": "payload: {}\n",
    "jobs.json": "[]\n",
    "prepare.log": "connecting to postgresql://me:hunter2@dbhost/apdb\n",
    "submit/run_config.yaml": "payload: {}\n",
    "submit/run.env.info.yaml": "SECRET: hunter2\n",
    "submit/run.qg": "cut off",
    "submit/jobs/isr/1/isr.1.out": "a job\n",
}


@dataclass(frozen=True)
class Ground:
    """Where two campaigns are: ``mine``, which is to be retired, and ``theirs``."""

    folder: Path

    @property
    def repository(self) -> str:
        return str(self.folder / "repo")

    @property
    def runs(self) -> Path:
        return self.folder / "runs"

    def open(self, name: str = "mine") -> Campaign:
        return Campaign.open(self.folder / f"{name}.yaml", runs=self.runs, environment={})

    @contextmanager
    def butler(self) -> Iterator[Any]:
        from lsst.daf.butler import Butler

        with Butler.from_config(self.repository, writeable=True) as butler:
            yield butler

    def collection(self, step: Step, name: str = "mine") -> str:
        return f"u/me/{name}/{step}/{TIMESTAMP}"

    def look(self, name: str) -> dict[str, Any]:
        """Read all that a campaign holds: datasets and their files, its collections, its APDB, its own files."""
        found: dict[str, Any] = {}
        with self.butler() as butler:
            for info in butler.collections.query_info(f"u/me/{name}/*", include_parents=True):
                found[info.name] = (info.type.name, info.children, sorted(info.parents))
                if info.type.name == "RUN":
                    for ref in butler.query_all_datasets(info.name, find_first=False, limit=None):
                        found[str(ref.id)] = Path(butler.getURI(ref).ospath).read_bytes()
        config = self.runs / name / "apdb_config.yaml"
        if config.exists() and look_at_apdb(str(config)) is not None:
            found["apdb"] = dump(find_apdb(str(config)).target)
        for path in sorted((self.runs / name).glob("**/*")):
            if path.is_file():
                found[str(path)] = hashlib.sha256(path.read_bytes()).hexdigest()
        return found

    def list_files(self, name: str) -> list[Path]:
        """List the files that the datastore holds of a campaign, whatever the registry knows of them."""
        return sorted(path for path in (self.folder / "repo/u/me" / name).glob("**/*") if path.is_file())

    def count_trash(self) -> int:
        """Count the datasets that Butler has given up, and whose files it has not forgotten.

        It deletes the record of a file and the entry in its trash one after the other: who is killed between them
        leaves an entry of no file, which nobody looks at again.
        """
        engine = sqlalchemy.create_engine(f"sqlite:///{self.folder}/repo/gen3.sqlite3")
        with engine.connect() as connection:
            query = sqlalchemy.text(
                "SELECT count(*) FROM dataset_location_trash JOIN file_datastore_records USING (dataset_id)"
            )
            return int(connection.execute(query).scalar_one())


def make_ground(folder: Path, urls: dict[str, str]) -> Ground:
    """Make two campaigns.

    Parameters
    ----------
    folder
        A new folder.
    urls
        The database of each campaign's APDB, by its name.
    """
    ground = Ground(folder)
    _make_repository(ground)
    for name, url in urls.items():
        content = {
            "name": name,
            "butler": ground.repository,
            "inCollection": "inputs",
            "operator": "me",
            "apdb": {"url": url},
            "site": "parsl-local",
        }
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(content))
        campaign = ground.open(name)
        init_apdb(campaign.plan_apdb())
        counts = run(
            open_apdb(str(campaign.workspace.paths.apdb_config)), Survey(detectors=1, objects=3), [*VISITS]
        )
        assert set(counts) == {(visit, 0) for visit in VISITS}
        _make_runs(ground, campaign)
    return ground


def _make_repository(ground: Ground) -> None:
    from lsst.daf.butler import Butler, DatasetType
    from lsst.sphgeom import ConvexPolygon, UnitVector3d

    Butler.makeRepo(ground.repository)
    corners = [UnitVector3d(1, x, y) for x, y in ((0, 0), (0.1, 0), (0.1, 0.1), (0, 0.1))]
    region = ConvexPolygon(corners)
    with ground.butler() as butler:
        insert = butler.registry.insertDimensionData
        instrument = {"instrument": "LSSTCam-imSim"}
        insert("instrument", {"name": "LSSTCam-imSim", "class_name": "X", "detector_max": 1, "visit_max": 9})
        insert("physical_filter", {**instrument, "name": "r", "band": "r"})
        insert("day_obs", {**instrument, "id": 20250101})
        insert("detector", {**instrument, "id": 0, "full_name": "0"})
        insert("skymap", {"name": "DC2", "hash": b"0", "tract_max": 1, "patch_nx_max": 1, "patch_ny_max": 1})
        insert("tract", {"skymap": "DC2", "id": 0, "region": region})
        patch = {"skymap": "DC2", "tract": 0, "id": 0, "cell_x": 0, "cell_y": 0}
        insert("patch", {**patch, "region": region})
        for visit in VISITS:
            record = {**instrument, "id": visit, "name": str(visit), "physical_filter": "r"}
            insert("visit", {**record, "day_obs": 20250101})
        butler.collections.register("inputs")
        for name, (dimensions, _) in (each for types in TYPES.values() for each in types.items()):
            butler.registry.registerDatasetType(
                DatasetType(name, butler.dimensions.conform(dimensions), "StructuredDataDict")
            )


def _make_runs(ground: Ground, campaign: Campaign) -> None:
    from lsst.daf.butler import CollectionType

    workspace = campaign.workspace
    chain: tuple[str, ...] = ("inputs",)
    with ground.butler() as butler:
        for planned in plan_campaign(workspace.campaign, timestamp=TIMESTAMP):
            record = record_of(workspace, planned, service=PARSL)
            if planned.fills_apdb:
                record = record.model_copy(update={"apdb_config": str(workspace.paths.apdb_config)})
            files = workspace.paths.run(planned)
            for name, text in _FILES.items():
                path = files.folder / name
                path.parent.mkdir(parents=True, exist_ok=True)
                source = (ground.folder / f"{campaign.name}.yaml").read_text() if text is None else text
                path.write_text(source)
            write_run(files, record)
            butler.collections.register(planned.output_run)
            for name, (dimensions, _) in TYPES[planned.step].items():
                for data_id in _list_data_ids(dimensions):
                    butler.put({"of": campaign.name}, name, data_id, run=planned.output_run)
            chain = (planned.output_run, *chain)
            butler.collections.register(planned.output, CollectionType.CHAINED)
            butler.collections.redefine_chain(planned.output, chain)


def _list_data_ids(dimensions: tuple[str, ...]) -> list[dict[str, Any]]:
    every = {
        "instrument": "LSSTCam-imSim",
        "detector": 0,
        "skymap": "DC2",
        "tract": 0,
        "patch": 0,
        "band": "r",
    }
    data_id = {name: value for name, value in every.items() if name in dimensions}
    return [{**data_id, "visit": visit} for visit in VISITS] if "visit" in dimensions else [data_id]


def run_and_kill(
    plan: Callable[[], RetirementPlan], point: int | None, *, only: str = ""
) -> tuple[int, bool]:
    """Retire a campaign in a child process, and kill that just before it writes for the n-th time.

    Parameters
    ----------
    plan
        Makes the plan, in the child; what is written meanwhile does not count.
    point
        At which of its writes it is killed, from 0; `None`: it is not killed.
    only
        Which writes count: audit events of Python or ``commit``, of a path or a database that ends with this.

    Returns
    -------
    writes, killed
        How many writes there were, and whether it was killed.
    """
    reader, writer = os.pipe()
    with warnings.catch_warnings():
        # The threads besides this one are those of numerical libraries, which are prepared for it.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        code = 3
        try:
            os.close(reader)
            planned = plan()
            _watch_writes(writer, point, only)
            planned.execute()
            code = 0
        except BaseException:
            import traceback

            traceback.print_exc()
        finally:
            os._exit(code)
    os.close(writer)
    with os.fdopen(reader, "rb") as stream:
        writes = len(stream.read())
    _, status = os.waitpid(child, 0)
    killed = os.WIFSIGNALED(status)
    assert killed or os.WEXITSTATUS(status) == 0
    assert killed == (point is not None and writes > point)
    return writes, killed


def _watch_writes(pipe: int, point: int | None, only: str) -> None:
    """Report each write before it happens, and die at one of them."""
    count = 0

    def note(what: str) -> None:
        nonlocal count
        if not what.endswith(only):
            return
        os.write(pipe, b".")
        if count == point:
            os.kill(os.getpid(), signal.SIGKILL)
        count += 1

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event in ("os.remove", "os.rename", "os.rmdir") or (
            event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
        ):
            note(f"{event} {arguments[0]!s}")

    sys.addaudithook(hook)
    sqlalchemy.event.listen(
        sqlalchemy.Engine, "commit", lambda connection: note(f"commit {connection.engine.url}")
    )
