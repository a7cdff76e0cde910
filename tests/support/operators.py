"""Somebody who runs a campaign from a shell, for the tests of whole campaigns."""

import getpass
import hashlib
import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import sqlalchemy
import yaml
from apcampaign.sandbox.create import Sandbox
from apcampaign.sandbox.servers import CondorPool
from astropy.io import fits
from forked import COMMAND, run_forked

ROOT = Path(__file__).resolve().parents[2]
# Most of a small job's time goes into its start: these have one job before and one after what visits wait for.
# Clusters without tasks are the defaults that the others have taken the tasks of.
_NONE = {"pipetasks": ""}
#: The templates step in few large jobs.
COARSE = {
    "pipeline": "ApTemplate-DC2.yaml",
    "bps": {
        "cluster": {
            "singleFrame": _NONE,
            "makeWarp": {
                "pipetasks": "isr,calibrateImage,consolidateVisitSummary,makeDirectWarp,makePsfMatchedWarp",
                "dimensions": "instrument",
            },
            "selectAndAssemble": {"dimensions": "skymap"},
        }
    },
}
#: The same for the diffim step.
COARSE_DIFFIM = {
    "pipeline": "ApPipe-DC2.yaml",
    "bps": {
        "cluster": {
            "singleFrame": _NONE,
            "singleFrameMeasurement": _NONE,
            "preload": _NONE,
            "visitTables": _NONE,
            "diffim": {
                "pipetasks": "analyzePreliminarySummaryStats,buildTemplate,subtractImages,"
                "detectAndMeasureDiaSource,analyzeImageDifferenceMetrics,analyzeDiaSourceDetectionMetrics,"
                "filterDiaSource,makeSampledImageSubtractionMetrics,analyzeSampledImageSubtractionMetrics,"
                "computeReliability,filterDiaSourcePostReliability,standardizeDiaSource,"
                "singleFrameDetectAndMeasure,standardizePromptSource,"
                "getRegionTimeFromVisit,"
                "consolidateDiaSourceTable,analyzeVisitSampledImageSubtractionMetrics,"
                "consolidatePromptSource,splitPromptSource",
                "dimensions": "instrument",
            },
            "associationMetrics": {"dimensions": "instrument"},
        }
    },
}
# Columns that tell when a row was written.
_WHEN = re.compile("validity|timeProcessed|timeWithdrawn|time_processed|time_withdrawn")
RUN_DEADLINE = 900  # seconds for the jobs of a run, on two busy cores


@dataclass(frozen=True)
class Operator:
    """Somebody who runs a campaign from a shell."""

    folder: Path
    environment: Mapping[str, str]

    def run(self, *words: str, seconds: float = 120, good: bool | None = True) -> str:
        """Run a command that must end well (``good``), badly, or either way (`None`), and give what it said."""
        done = subprocess.run(
            list(words),
            cwd=self.folder,
            env=dict(self.environment),
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        return _judge(done, good)

    def apcampaign(self, *words: str, seconds: float = 120, good: bool | None = True) -> str:
        """Run ``apcampaign`` as `run` does; with imports that were made before."""
        done = run_forked(words, cwd=self.folder, env=self.environment, timeout=seconds)
        assert "import eups" not in done.stderr, words  # nobody can do anything about it
        return _judge(done, good)

    def make(self, target: str, *variables: str, **arguments: Any) -> str:
        campaign = [f"CAMPAIGN={self.folder / 'campaign.yaml'}", f"RUNS={self.folder / 'runs'}"]
        words = ["make", "-C", str(ROOT), target, f"APCAMPAIGN={COMMAND}", *campaign, *variables]
        return self.run(*words, **arguments)

    def submit_by_hand(self, config: str, *flags: str) -> Path:
        """Submit one of the generated configs with ``bps submit``, and give its submit directory."""
        # BPS writes down all variables, and finds its commands by them.
        environment = {name: value for name, value in self.environment.items() if "hunter2" not in value}
        environment["PATH"] = f"{COMMAND.parent}:{environment['PATH']}"
        shell = Operator(self.folder, environment)
        shell.apcampaign("generate", *flags)
        said = shell.run(str(COMMAND.with_name("bps")), "submit", f"configs/{config}", seconds=300)
        (submit,) = re.findall(r"^Submit dir: (.+)$", said, re.MULTILINE)
        return Path(submit)

    def summary(self) -> dict[str, Any]:
        """Read what the newest campaign DAG has left, or ask for it where there is none: that takes seconds."""
        left = sorted(self.folder.glob("runs/*/dag/*/summary.json"))
        text = left[-1].read_text() if left else self.apcampaign("summary", "--json")
        content: dict[str, Any] = json.loads(text)
        return content

    def wait_for_dag(self) -> int:
        """Wait until the newest campaign DAG has ended, and give its exit code."""
        folder = sorted(self.folder.glob("runs/*/dag/*"))[-1]
        metrics, log = folder / "campaign.dag.metrics", folder / "campaign.dag.dagman.out"
        deadline = time.monotonic() + RUN_DEADLINE
        while not metrics.exists():
            if time.monotonic() > deadline:
                said = log.read_text()[-3000:]
                raise AssertionError(f"{folder} has not ended after {RUN_DEADLINE} s:\n{said}")
            time.sleep(1)
        code: int = json.loads(metrics.read_text())["exitcode"]
        return code

    def wait_for_run(self, step: str) -> int:
        """Wait until the newest campaign DAG has ended, and give DAGMan's exit code of a step's newest run."""
        self.wait_for_dag()
        submit = sorted(self.folder.glob(f"runs/*/{step}/*/submit"))[-1]
        (metrics,) = submit.glob("*.dag.metrics")
        code: int = json.loads(metrics.read_text())["exitcode"]
        return code


def _judge(done: "subprocess.CompletedProcess[str]", good: bool | None) -> str:
    said = f"{done.stdout}\n{done.stderr}"
    assert good is None or (done.returncode == 0) == good, (
        f"{' '.join(done.args)} ended with {done.returncode}:\n{said}"
    )
    return said if good is False else done.stdout


def make_operator(folder: Path, sandbox: Sandbox, pool: CondorPool | None = None) -> Operator:
    """Give somebody a campaign, a shell, and a password that must not get anywhere."""
    write_campaign(folder, sandbox)
    return Operator(folder, shell_environment(sandbox, pool))


def shell_environment(sandbox: Sandbox, pool: CondorPool | None = None) -> dict[str, str]:
    """Make the variables of somebody's shell, with a password that must not get anywhere."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("APCAMPAIGN_")}
    environment |= {**sandbox.environment, "PGPASSWORD": "hunter2-must-not-appear"}
    environment["DB"] = "postgresql://me:hunter2-must-not-appear@127.0.0.1:9/nowhere"
    return environment | (dict(pool.environ()) if pool else {})


def plant(operator: Operator, *faults: dict[str, Any]) -> Operator:
    """Give the jobs of an operator faults (see faults/sitecustomize.py)."""
    folder = operator.folder / "faults"
    folder.mkdir(exist_ok=True)
    shutil.copy(Path(__file__).parent / "faults" / "sitecustomize.py", folder)
    named = [{"name": f"fault{number}", **fault} for number, fault in enumerate(faults)]
    (folder / "faults.json").write_text(json.dumps(named))
    return Operator(operator.folder, {**operator.environment, "PYTHONPATH": str(folder)})


def write_campaign(folder: Path, sandbox: Sandbox, **changes: object) -> None:
    # A name of its own, since all share one repository.
    content = {**sandbox.campaign(), "name": folder.name, "site": "local", **changes}
    content = {key: value for key, value in content.items() if value is not None}
    (folder / "campaign.yaml").write_text(yaml.safe_dump(content))


def assert_complete(operator: Operator, url: str) -> dict[str, int]:
    """See that every quantum of both runs is done and that the APDB holds what Butler says."""
    from lsst.daf.butler import Butler

    summary = operator.summary()
    assert summary["good"]
    templates, diffim = summary["steps"]
    assert 0 < templates["quanta"]["assembleTemplateCoadd"]["successful"] <= templates["products"]
    # After a resume there may have been no association left to do.
    associated = diffim["quanta"].get("associateApdb", {"successful": 0})
    assert 0 <= associated["successful"] <= diffim["products"] > 0
    # What the first run has calibrated is not calibrated again.
    assert not {"isr", "calibrateImage"} & set(diffim["quanta"])
    (config,) = operator.folder.glob("runs/*/apdb_config.yaml")
    of_visit = sqlalchemy.column("visit")
    sources = sqlalchemy.table(
        "DiaSource", of_visit, schema=yaml.safe_load(config.read_text()).get("namespace")
    )
    counting = sqlalchemy.select(of_visit, sqlalchemy.func.count()).select_from(sources).group_by(of_visit)
    with sqlalchemy.create_engine(url.replace("postgresql:", "postgresql+psycopg2:")).connect() as connection:
        rows = dict(connection.execute(counting).all())
    repo = yaml.safe_load((operator.folder / "campaign.yaml").read_text())["butler"]
    expected: dict[int, int] = {}
    with Butler.from_config(repo) as butler:
        output = diffim["runs"][0]["output_run"].rpartition("/")[0]
        refs = butler.query_datasets("dia_source_apdb", collections=output, limit=None)
        assert len(refs) == diffim["products"]
        for ref in refs:
            visit = int(ref.dataId["visit"])
            expected[visit] = expected.get(visit, 0) + len(butler.get(ref))
    assert {visit: count for visit, count in expected.items() if count} == rows
    assert sum(rows.values()) > 0
    assert not grep("hunter2", operator.folder)
    return {label: count["expected"] for label, count in diffim["quanta"].items()}


def grep(text: str, folder: Path) -> list[Path]:
    found = subprocess.run(["grep", "-rl", text, str(folder)], capture_output=True, text=True, check=False)
    return [Path(line) for line in found.stdout.splitlines()]


def assert_same(one: tuple[Operator, str], other: tuple[Operator, str]) -> None:
    """See that two campaigns have made the same datasets, and the same rows of their APDBs."""
    (operator, url), (undisturbed, its_url) = one, other
    assert read_datasets(operator) == read_datasets(undisturbed)
    assert read_apdb(operator, url) == read_apdb(undisturbed, its_url)


def read_datasets(operator: Operator) -> set[str]:
    """List a campaign's datasets, with what is in the images."""
    from lsst.daf.butler import Butler

    campaign = yaml.safe_load((operator.folder / "campaign.yaml").read_text())
    found = set()
    with Butler.from_config(campaign["butler"]) as butler:
        for step in ("templates", "diffim"):
            owner = campaign.get("operator") or getpass.getuser()
            output = f"u/{owner}/{campaign['name']}/{step}"
            inputs = set(butler.collections.query("2.2i/*"))
            made = [
                name for name in butler.collections.query(output, flatten_chains=True) if name not in inputs
            ]
            for ref in butler.registry.queryDatasets(..., collections=made, findFirst=True):
                content = ""
                if ref.datasetType.name in ("template_coadd", "difference_image"):
                    with fits.open(butler.getURI(ref).ospath) as units:
                        pixels = b"".join(unit.data.tobytes() for unit in units if unit.data is not None)
                    content = hashlib.sha256(pixels).hexdigest()
                found.add(f"{step}: {ref.datasetType.name} {dict(ref.dataId.required)} {content}")
    return found


def read_apdb(operator: Operator, url: str) -> dict[str, list[str]]:
    """Read all rows of a campaign's APDB, sorted, but for when each was written."""
    (config,) = operator.folder.glob("runs/*/apdb_config.yaml")
    metadata = sqlalchemy.MetaData(schema=yaml.safe_load(config.read_text()).get("namespace"))
    engine = sqlalchemy.create_engine(url.replace("postgresql:", "postgresql+psycopg2:"))
    metadata.reflect(engine, resolve_fks=False)
    content = {}
    with engine.connect() as connection:
        for table in metadata.tables.values():
            if table.name != "metadata":
                columns = [column for column in table.columns if not _WHEN.search(column.name)]
                columns.sort(key=lambda column: column.name)
                rows = connection.execute(sqlalchemy.select(*columns))
                content[table.name] = sorted(
                    repr([_plain(*pair) for pair in zip(columns, row, strict=True)]) for row in rows
                )
    assert content["DiaSource"]
    return content


def _plain(column: "sqlalchemy.Column[Any]", value: Any) -> Any:
    """Give a value as PostgreSQL keeps it: SQLite knows neither short numbers nor truth values."""
    if isinstance(value, float):
        return value if isinstance(column.type, sqlalchemy.Double) else float(np.float32(value))
    return int(value) if isinstance(value, bool) else value
