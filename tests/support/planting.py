"""A place for planted mistakes: a sandbox with faulty collections, APDBs and pipelines, and campaigns on it.

``python planting.py FOLDER`` reads mistakes from standard input and writes the findings of the
preflight; it runs in its own process, since Butler reads its environment variables once per process.
"""

__all__ = ["Ground", "check_all", "check_campaigns", "check_parts", "make_ground"]

import itertools
import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import yaml
from apcampaign.bps import CampaignConfig, Plan, plan_campaign
from apcampaign.common.errors import ApcampaignError
from apcampaign.common.processes import collect_seldom
from apcampaign.ledger import Workspace
from apcampaign.sandbox.create import Sandbox, create_sandbox
from apcampaign.sandbox.survey import SandboxSize
from planted import PIPELINES
from planted_campaigns import CampaignMistake
from schemas import read_schemas_once

SIZE = SandboxSize(visits=2, detectors=(94,))
TIMEOUT = 600


@dataclass(frozen=True)
class Ground:
    """A folder with everything that mistakes are planted in."""

    folder: Path
    sandbox: Sandbox

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("APCAMPAIGN_")}
        return {**kept, **self.sandbox.environment}

    def apdb(self, kind: str) -> Path:
        return self.folder / f"apdb-{kind}.yaml"

    def campaign(self, mistake: CampaignMistake | None = None) -> dict[str, Any]:
        """The campaign file, with the mistake."""
        content = {**self.sandbox.campaign(), "site": "parsl-local"}
        kind = mistake.apdb if mistake else "ready"
        if kind != "none":
            content["apdb"] = {"config": str(self.apdb(kind))}
        text = json.dumps({**content, **(mistake.change if mistake else {})})
        changed: dict[str, Any] = json.loads(text.replace("@FOLDER@", str(self.folder)))
        return changed


def make_ground(folder: Path) -> Ground:
    """Create the sandbox and the faulty files in it."""
    ground = Ground(folder, create_sandbox(folder / "dc2", SIZE))
    imports = "description: of a test\nimports:\n  - location: "
    files = {
        "no-task.yaml": "description: of a test\ntasks:\n  isr:\n    class: nowhere.Task\n",
        "other-era.yaml": f"{imports}{PIPELINES}/ApPipe-DC2.yaml\ntasks:\n  buildTemplate:\n"
        "    class: apcampaign.sandbox.tasks.differences.GetTemplateTask\n"
        "    config:\n      connections.coaddExposures: goodSeeingCoadd\n",
        "other-isr.yaml": f"{imports}{PIPELINES}/ApPipe-DC2.yaml\ntasks:\n  isr:\n"
        "    class: apcampaign.sandbox.tasks.isr.IsrTask\n    config:\n      doBrighterFatter: true\n",
        "panda.yaml": "wmsServiceClass: lsst.ctrl.bps.panda.PanDAService\ncomputeSite: SLAC\n"
        "LSST_VERSION: w_2026_43\n",
        "parsl.yaml": "wmsServiceClass: lsst.ctrl.bps.parsl.ParslService\ncomputeSite: here\nsite:\n",
    }
    for name, text in files.items():
        (folder / name).write_text(text)
    _run(ground, "make")
    return ground


def check_all(ground: Ground, mistakes: list[CampaignMistake | None]) -> list[dict[str, Any]]:
    """Check the campaign once for each mistake (`None`: without one)."""
    return check_campaigns(ground, mistakes)


def check_campaigns(ground: Ground, campaigns: Sequence[CampaignMistake | None]) -> list[dict[str, Any]]:
    """Check campaigns, also such as are not among the planted ones; one that cannot be read has an ``error``."""
    given = [None if each is None else asdict(each) for each in campaigns]
    found: list[dict[str, Any]] = json.loads(_run(ground, "check", json.dumps(given)))
    return found


def check_parts(ground: Ground, parts: dict[str, str]) -> dict[str, Any]:
    """Ask the repository about a campaign whose difference imaging is split: a condition for each part."""
    found: dict[str, Any] = json.loads(_run(ground, "parts", json.dumps(parts)))
    return found


def _run(ground: Ground, what: str, text: str = "") -> str:
    done = subprocess.run(
        [sys.executable, __file__, what, str(ground.folder)],
        env=ground.environment | {"PYTHONPATH": str(Path(__file__).parent)},
        input=text,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def _make_oddities(ground: Ground) -> None:
    from apcampaign.apdb import ApdbTarget, init_apdb, plan_init
    from astropy.time import Time
    from lsst.daf.butler import Butler, CollectionType, DatasetType, Timespan

    with Butler.from_config(str(ground.sandbox.butler), writeable=True) as butler:
        collections = butler.collections
        old = "mistakes/calib-2001"
        collections.register(old, CollectionType.CALIBRATION)
        long_ago = Timespan(Time("2001-01-01", scale="tai"), Time("2002-01-01", scale="tai"))
        for name in ("camera", "bias", "dark", "flat"):
            butler.registry.certify(old, butler.query_datasets(name, "2.2i/calib/gen"), long_ago)
        collections.register("mistakes/refcat-elsewhere")
        shard = butler.query_datasets("cal_ref_cat_2_2", "refcats", limit=1)[0]
        butler.put(butler.get(shard), "cal_ref_cat_2_2", htm7=140_000, run="mistakes/refcat-elsewhere")
        collections.register("mistakes/injection-elsewhere")
        stars = butler.get(butler.query_datasets("injection_catalog", "injection_catalogs", limit=1)[0])
        stars["dec"] += 5.0
        butler.put(stars, "injection_catalog", htm7=140_000, band="r", run="mistakes/injection-elsewhere")
        skymap = butler.get("skyMap", skymap="DC2", collections="skymaps")
        shape = {"hash": b"other" * 4, "tract_max": 1, "patch_nx_max": 1, "patch_ny_max": 1}
        butler.registry.insertDimensionData("skymap", {"name": "other", **shape})
        collections.register("mistakes/other-skymap")
        butler.put(skymap, "skyMap", skymap="other", run="mistakes/other-skymap")
        names = ("skymap", "tract", "patch", "band")
        butler.registry.registerDatasetType(
            DatasetType("template_coadd", names, "ExposureF", universe=butler.dimensions)
        )
        visit = butler.query_dimension_records("visit", instrument="LSSTCam-imSim")[0].id
        overlaps = butler.query_data_ids(["patch"], instrument="LSSTCam-imSim", visit=visit, skymap="DC2")
        collections.register("mistakes/one-template")
        image = butler.get(butler.query_datasets("bias", "2.2i/calib/gen", limit=1)[0])
        data_id = {**overlaps[0].required, "band": "r"}
        butler.put(image, "template_coadd", data_id, run="mistakes/one-template")
        collections.register("mistakes/run/templates")
        collections.register("mistakes/stale/templates", CollectionType.CHAINED)
        collections.redefine_chain("mistakes/stale/templates", ["2.2i/raw/all", "refcats"])
    for kind in ("ready", "filled", "HSC"):
        target = ApdbTarget.from_url(f"sqlite:///{ground.folder}/apdb-{kind}.db")
        instrument = "HSC" if kind == "HSC" else "LSSTCam-imSim"
        init_apdb(plan_init(target, config=ground.apdb(kind), instrument=instrument))
    with sqlite3.connect(ground.folder / "apdb-filled.db") as connection:
        columns = connection.execute("PRAGMA table_info(DiaObject_To_Object_Match)").fetchall()
        values = ", ".join("1" for _ in columns)
        connection.execute(f"INSERT INTO DiaObject_To_Object_Match VALUES ({values})")  # noqa: S608


def _check(ground: Ground, mistake: CampaignMistake | None) -> dict[str, Any]:
    from apcampaign.submit.preflight import check_campaign

    before = dict(os.environ)
    for name, value in (mistake.environment if mistake else {}).items():
        os.environ.pop(name, None)
        if value is not None:
            os.environ[name] = value
    try:
        path = ground.folder / "campaign.yaml"
        path.write_text(yaml.safe_dump(ground.campaign(mistake)))
        workspace = Workspace.open(path, ground.folder / "runs", environment={})
        begin = time.monotonic()
        result = check_campaign(workspace)
        return {**result.as_dict(), "seconds": time.monotonic() - begin}
    except ApcampaignError as error:
        return {"error": str(error), "good": False, "findings": []}
    finally:
        os.environ.clear()
        os.environ.update(before)


def _check_parts(ground: Ground, parts: dict[str, str]) -> dict[str, Any]:
    from apcampaign.submit.preflight.repository_checks import check_repository
    from apcampaign.submit.preflight.run_spec import make_run_spec, outputs_before

    workspace = Workspace(CampaignConfig.model_validate(ground.campaign()), ground.folder / "runs")
    templates, diffim = plan_campaign(workspace.campaign)
    runs = [replace(diffim, part=part, query=f"{diffim.query} AND {where}") for part, where in parts.items()]
    # Each part waits for the templates, and for the part before it.
    waits = [(templates, run) for run in runs] + list(itertools.pairwise(runs))
    edges = frozenset((before.name, after.name) for before, after in waits)
    plan = Plan(timestamp=diffim.timestamp, runs=(templates, *runs), edges=edges)
    found = check_repository(
        [make_run_spec(workspace, run, os.environ, planned=outputs_before(plan, run)) for run in plan]
    )
    return {
        "findings": [finding.as_dict() for finding in found.findings],
        "raws": {name: counts["raw"] for name, counts in found.selections.items()},
    }


if __name__ == "__main__":
    collect_seldom()
    read_schemas_once()
    here = Ground(Path(sys.argv[2]), Sandbox(Path(sys.argv[2]) / "dc2", SIZE))
    if sys.argv[1] == "make":
        _make_oddities(here)
    elif sys.argv[1] == "parts":
        sys.stdout.write(json.dumps(_check_parts(here, json.load(sys.stdin))))
    else:
        wanted = json.load(sys.stdin)
        results = [_check(here, None if each is None else CampaignMistake(**each)) for each in wanted]
        sys.stdout.write(json.dumps(results))
