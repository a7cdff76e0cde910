"""Both steps of a small campaign, by the doors a user has, on real servers."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
import yaml
from apcampaign.sandbox.create import Sandbox, create_sandbox
from apcampaign.sandbox.survey import SandboxSize

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parent.parent
COMMAND = Path(sys.executable).parent / "apcampaign"
RUN_DEADLINE = 900  # seconds for the jobs of a run, on two busy cores


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Sandbox:
    """Both tracts of 2.2i/defaults/test-med-1, two visits each, two neighbouring detectors."""
    size = SandboxSize(tracts=(3828, 3829), visits=2, detectors=(93, 94))
    return create_sandbox(tmp_path_factory.mktemp("dc2") / "sandbox", size)


@dataclass(frozen=True)
class Operator:
    """Somebody who runs a campaign from a shell."""

    folder: Path
    environment: Mapping[str, str]

    def run(self, *words: str, seconds: float = 120, good: bool = True) -> str:
        done = subprocess.run(
            list(words),
            cwd=self.folder,
            env=dict(self.environment),
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        said = f"{done.stdout}\n{done.stderr}"
        assert (done.returncode == 0) == good, f"{' '.join(words)} ended with {done.returncode}:\n{said}"
        return said if not good else done.stdout

    def apcampaign(self, *words: str, **arguments: Any) -> str:
        return self.run(str(COMMAND), *words, **arguments)

    def make(self, target: str, *variables: str, **arguments: Any) -> str:
        campaign = [f"CAMPAIGN={self.folder / 'campaign.yaml'}", f"RUNS={self.folder / 'runs'}"]
        words = ["make", "-C", str(ROOT), target, f"APCAMPAIGN={COMMAND}", *campaign, *variables]
        return self.run(*words, **arguments)

    def summary(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(self.apcampaign("summary", "--json"))
        return content

    def wait_for_state(self, step: str) -> int:
        """Wait until a run has ended, and give what `bps status` exits with: 0 for SUCCEEDED."""
        (submit,) = self.folder.glob(f"runs/*/{step}/*/submit")
        deadline = time.monotonic() + RUN_DEADLINE
        while time.monotonic() < deadline:
            words = [str(COMMAND.with_name("bps")), "status", "--id", str(submit)]
            code = subprocess.run(
                words, env=dict(self.environment), capture_output=True, timeout=60, check=False
            ).returncode
            if code not in (10, 12, 13, 14, 15):  # not yet begun, or going on
                return code
            time.sleep(2)
        raise AssertionError(f"{step} has not ended after {RUN_DEADLINE} s")


@pytest.fixture
def operator(tmp_path: Path, sandbox: Sandbox) -> Operator:
    write_campaign(tmp_path, sandbox)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("APCAMPAIGN_")}
    # Not activated, and with a password that must not get anywhere.
    return Operator(tmp_path, {**environment, **sandbox.environment, "PGPASSWORD": "hunter2-must-not-appear"})


@pytest.fixture
def pool_operator(operator: Operator, condor_pool) -> Operator:
    return Operator(operator.folder, {**operator.environment, **condor_pool.environ()})


def write_campaign(folder: Path, sandbox: Sandbox, **changes: object) -> None:
    content = {**sandbox.campaign(), "site": "local", **changes}
    (folder / "campaign.yaml").write_text(yaml.safe_dump(content))


def assert_complete(operator: Operator, url: str) -> dict[str, int]:
    """See that every quantum of both runs is done and that the APDB holds what Butler says."""
    from lsst.daf.butler import Butler

    summary = operator.summary()
    assert summary["good"]
    templates, diffim = summary["steps"]
    assert templates["quanta"]["assembleTemplateCoadd"]["successful"] == templates["products"] > 0
    assert diffim["quanta"]["associateApdb"]["successful"] == diffim["products"] > 0
    # What the first run has calibrated is not calibrated again.
    assert not {"isr", "calibrateImage"} & set(diffim["quanta"])
    (config,) = operator.folder.glob("runs/*/apdb_config.yaml")
    namespace = yaml.safe_load(config.read_text())["namespace"]
    with sqlalchemy.create_engine(url.replace("postgresql:", "postgresql+psycopg2:")).connect() as connection:
        rows = dict(
            connection.execute(
                sqlalchemy.text(f'SELECT visit, count(*) FROM "{namespace}"."DiaSource" GROUP BY visit')  # noqa: S608
            ).all()
        )
    repo = yaml.safe_load((operator.folder / "campaign.yaml").read_text())["butler"]
    expected: dict[int, int] = {}
    with Butler.from_config(repo) as butler:
        for ref in butler.query_datasets("dia_source_apdb", collections=diffim["output_run"]):
            visit = int(ref.dataId["visit"])
            expected[visit] = expected.get(visit, 0) + len(butler.get(ref))
    assert {visit: count for visit, count in expected.items() if count} == rows
    assert sum(rows.values()) > 0
    assert not grep("hunter2", operator.folder)
    return {label: count["expected"] for label, count in diffim["quanta"].items()}


def grep(text: str, folder: Path) -> list[Path]:
    found = subprocess.run(["grep", "-rl", text, str(folder)], capture_output=True, text=True, check=False)
    return [Path(line) for line in found.stdout.splitlines()]


@pytest.mark.htcondor
@pytest.mark.postgres
def test_both_steps_chained_inside_htcondor(pool_operator, postgres_url, condor_pool):
    operator = pool_operator
    operator.apcampaign("apdb", "init", "--db", postgres_url)
    said = operator.apcampaign("submit", "--tracts", "3828")
    assert "submitted the chain" in said
    (chain,) = operator.folder.glob("runs/*/chain/*")
    deadline = time.monotonic() + RUN_DEADLINE
    while not (chain / "chain.dag.metrics").exists():
        assert time.monotonic() < deadline, (chain / "chain.dag.dagman.out").read_text()[-3000:]
        time.sleep(2)
    assert json.loads((chain / "chain.dag.metrics").read_text())["exitcode"] == 0
    assert yaml.safe_load((chain / "summary.yaml").read_text())["good"]
    assert "all 9 (patch, band)" in (chain / "gate.out").read_text()
    assert operator.wait_for_state("templates") == operator.wait_for_state("diffim") == 0
    assert_complete(operator, postgres_url)
    # Associations of the two visits, whose sky overlaps, are ordered by plain edges.
    (dag,) = operator.folder.glob("runs/*/diffim/*/submit/*.dag")
    first, second = sorted(
        {
            line.split()[1].split("_")[1]
            for line in dag.read_text().splitlines()
            if line.startswith("JOB association_")
        }
    )
    assert f"PARENT association_{first}_93 CHILD " in dag.read_text()
    assert f" association_{second}_93" in dag.read_text()
    # Nothing is left in the queue.
    assert condor_pool.run(["condor_q", "-allusers", "-af", "ClusterId"], seconds=30).strip() == ""


@pytest.mark.htcondor
@pytest.mark.postgres
def test_the_steps_by_hand_with_make(pool_operator, postgres_url, sandbox):
    operator = pool_operator
    write_campaign(operator.folder, sandbox, where="detector = 94")
    assert "make apdb-init" in operator.make("submit-diffim", good=False)
    operator.make("apdb-init", f"DB={postgres_url}")
    said = operator.make("submit-diffim", good=False)
    assert "has no templates run" in said
    operator.make("submit-templates", "TRACTS=3828 3829")
    said = operator.make("submit-diffim", good=False)
    assert "has not ended" in said
    assert operator.wait_for_state("templates") == 0
    said = operator.apcampaign("submit", "diffim", "--templates", "2.2i/defaults", good=False)
    assert "of 18 (patch, band) that the science visits need are missing in 2.2i/defaults" in said
    operator.make("submit-diffim")
    assert operator.wait_for_state("diffim") == 0
    quanta = assert_complete(operator, postgres_url)
    assert quanta["associateApdb"] == 4
    # The APDB is not empty any more: another run into it is refused before anything is submitted.
    said = operator.make("submit-diffim", good=False)
    assert "is not empty" in said
    assert len(list(operator.folder.glob("runs/*/diffim/*"))) == 1


@pytest.mark.postgres
def test_both_steps_in_the_foreground_with_parsl(operator, postgres_url):
    operator.apcampaign("apdb", "init", "--db", postgres_url)
    said = operator.apcampaign("submit", "--site", "parsl-local", good=False)
    assert "--foreground" in said
    words = ["submit", "--foreground", "--site", "parsl-local", "--tracts", "3829"]
    operator.apcampaign(*words, seconds=RUN_DEADLINE)
    assert_complete(operator, postgres_url)
