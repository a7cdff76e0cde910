"""Both pipelines, from raws to rows of an APDB, as `pipetask` runs them by the commands of `docs/dc2.md`."""

import getpass
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest
from apcampaign.sandbox.create import Sandbox, create_sandbox
from apcampaign.sandbox.survey import SandboxSize, Survey
from documents import commands_of
from lsst.daf.butler import Butler
from rehearsal import read_table

pytestmark = pytest.mark.slow(minutes=1)

PIPELINES = Path(__file__).parents[2] / "pipelines"
SIZE = SandboxSize(visits=2, detectors=(94,))
FIRST, SECOND = (visit.id for visit in Survey(SIZE).visits)


MINE = f"u/{getpass.getuser()}/patch"
BIN = Path(sys.executable).parent


class Runner:
    """Types the commands in a sandbox."""

    def __init__(self, sandbox: Sandbox, folder: Path):
        self.sandbox, self.folder = sandbox, folder
        self.environment = os.environ | sandbox.environment | {"PATH": f"{BIN}:{os.environ['PATH']}"}

    def type(self, commands: str) -> subprocess.CompletedProcess[str]:
        mine = f"""
            set -euo pipefail
            REPO='{self.sandbox.butler}' CORES=1
            PATCH="instrument='LSSTCam-imSim' AND skymap='DC2' AND tract=3828 AND band='r'"
            """
        return subprocess.run(
            ["bash", "-c", mine + commands],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )

    def rows(self, table: str) -> pd.DataFrame:
        return read_table(self.folder / "apdb.db", table)


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Runner:
    """Templates of both visits, and the visits, one after the other."""
    folder = tmp_path_factory.mktemp("run")
    runner = Runner(create_sandbox(folder / "dc2", SIZE), folder)
    result = runner.type(commands_of("dc2.md", "What the repository holds", "One patch, by hand"))
    assert result.returncode == 0, result.stderr[-3000:]
    return runner


def test_every_patch_under_the_detector_has_a_template(runner: Runner) -> None:
    butler = Butler.from_config(str(runner.sandbox.butler))
    with butler.query() as query:
        query = query.where(instrument="LSSTCam-imSim", skymap="DC2")
        overlaps = query.join_dimensions(["visit", "detector", "tract", "patch"])
        patches = {row["patch"] for row in overlaps.data_ids(["visit", "detector", "tract", "patch"])}
    refs = butler.query_datasets("template_coadd", collections=f"{MINE}/templates")
    assert {ref.dataId["patch"] for ref in refs} == patches


def test_second_run_reuses_what_the_first_calibrated(runner: Runner) -> None:
    butler = Butler.from_config(str(runner.sandbox.butler))
    runs = butler.collections.query(f"{MINE}/diffim/*")
    assert not butler.query_datasets("preliminary_visit_image", collections=runs, explain=False)
    assert len(butler.query_datasets("difference_image", collections=runs)) == 2


def test_each_visit_has_plausibly_many_sources(runner: Runner) -> None:
    sources = runner.rows("DiaSource")
    assert sources["diaSourceId"].is_unique
    for number in sources.groupby(["visit", "detector"]).size():
        assert 5 <= number <= 25


def test_objects_collect_sources_of_both_visits(runner: Runner) -> None:
    sources, objects = runner.rows("DiaSource"), runner.rows("DiaObject")
    latest = objects[objects["validityEndMjdTai"].isna()].set_index("diaObjectId")
    members = Counter(sources["diaObjectId"])
    assert set(members) == set(latest.index)
    assert {key: int(value) for key, value in latest["nDiaSources"].items()} == dict(members)
    assert sum(number == 2 for number in members.values()) >= 3
    positions = sources.groupby("diaObjectId")[["ra", "dec"]].std().dropna()
    # Two within 2.5 pixels, which is what the association allows.
    assert (positions.max() < 2.5 * Survey(SIZE).scale / 3600).all()


def test_objects_with_a_history_are_measured_by_force(runner: Runner) -> None:
    forced, sources = runner.rows("DiaForcedSource"), runner.rows("DiaSource")
    twice = {key for key, number in Counter(sources["diaObjectId"]).items() if number == 2}
    assert set(forced["visit"]) == {SECOND}
    assert set(forced["diaObjectId"]) == twice


def test_butler_and_database_hold_the_same(runner: Runner) -> None:
    butler = Butler.from_config(str(runner.sandbox.butler))
    sources = runner.rows("DiaSource")
    for visit in (FIRST, SECOND):
        table = butler.get(
            "dia_source_apdb",
            collections=f"{MINE}/diffim",
            instrument="LSSTCam-imSim",
            visit=visit,
            detector=94,
        )
        assert set(table["diaSourceId"]) == set(sources.loc[sources["visit"] == visit, "diaSourceId"])
    assert len(butler.query_datasets("apdb_marker", collections=f"{MINE}/diffim")) == 2


def test_second_association_of_a_visit_fails_and_writes_nothing(runner: Runner) -> None:
    before = {table: len(runner.rows(table)) for table in ("DiaSource", "DiaObject", "DiaForcedSource")}
    last = max(Butler.from_config(str(runner.sandbox.butler)).collections.query(f"{MINE}/diffim/*"))
    result = runner.type(
        f'pipetask run -b "$REPO" -i {last},{MINE}/templates,2.2i/defaults/test-med-1 -o u/me/again '
        f'-p {PIPELINES}/ApPipe-DC2.yaml#associateApdb -d "$PATCH AND visit={SECOND}" --register-dataset-types '
        '-c parameters:apdb_config="$PWD/apdb_config.yaml"'
    )
    assert result.returncode != 0
    assert "Duplicate DiaSources" in result.stderr
    assert before == {table: len(runner.rows(table)) for table in before}
