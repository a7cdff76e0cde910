"""Runs that have been made in different ways, and what campaigns on them are told.

``python reuse_ground.py REPOSITORY make`` or ``… ask CAMPAIGN-FILE…`` runs in its own process, since
Butler reads its environment variables once per process.
"""

__all__ = ["FIRST", "NEW", "OLD", "OWN", "SECOND", "SIZE", "THIRD", "run_ground"]

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from apcampaign.bps import Step, build_config, dump_config, plan_campaign
from apcampaign.common.processes import collect_seldom
from apcampaign.ledger import Workspace
from apcampaign.sandbox.create import Sandbox
from apcampaign.sandbox.survey import SandboxSize, Survey

SIZE = SandboxSize(visits=3, detectors=(94,))
FIRST, SECOND, THIRD = (visit.id for visit in Survey(SIZE).visits)
NEW, OLD, OWN = "made/2", "made/1", "mine/diffim/1"


def run_ground(sandbox: Sandbox, what: str, *files: Path) -> Any:
    """Make the runs (``make``), or ask about campaign files (``ask``)."""
    done = subprocess.run(
        [sys.executable, __file__, str(sandbox.butler), what, *map(str, files)],
        env=os.environ | sandbox.environment | {"PYTHONPATH": str(Path(__file__).parent)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


def _make(repository: str) -> None:
    from apcampaign.sandbox.tasks.isr import IsrTask
    from lsst.daf.butler import Butler, CollectionType, DatasetType
    from lsst.pipe.base import TaskMetadata

    with Butler.from_config(repository, writeable=True) as butler:
        names = ("instrument", "exposure", "detector")
        for kind in (
            DatasetType("isr_config", (), "Config", universe=butler.dimensions),
            DatasetType("isr_metadata", names, "TaskMetadata", universe=butler.dimensions),
        ):
            butler.registry.registerDatasetType(kind)
        for run, visit, brighter_fatter in ((OLD, FIRST, True), (NEW, SECOND, False), (OWN, THIRD, True)):
            butler.collections.register(run)
            config = IsrTask.ConfigClass()
            config.connections.outputExposure = "post_isr_image"
            config.doBrighterFatter = brighter_fatter
            butler.put(config, "isr_config", run=run)
            data_id = {"instrument": "LSSTCam-imSim", "exposure": visit, "detector": 94}
            butler.put(TaskMetadata(), "isr_metadata", data_id, run=run)
        butler.collections.register("made", CollectionType.CHAINED)
        butler.collections.redefine_chain("made", [NEW, OLD])


def _ask(file: Path) -> dict[str, Any]:
    """Ask everybody who refuses: the preflight, the forecast, a resumption, and the check of a submit file."""
    from apcampaign.submit.forecast import make_forecast
    from apcampaign.submit.outputs.repair import Repair
    from apcampaign.submit.preconditions.obstacles import look_at_reuse
    from apcampaign.submit.preflight import check_campaign, check_file

    workspace = Workspace.open(file, file.parent / "runs", environment={})
    findings = check_campaign(workspace).findings
    rest = plan_campaign(workspace.campaign, steps=[Step.DIFFIM], skip_done={Step.DIFFIM: [OWN]})
    run = plan_campaign(workspace.campaign).runs_of(Step.DIFFIM)[0]
    config = build_config(
        workspace.campaign,
        run,
        workspace.site,
        submit_path=file.parent,
        apdb_config="label:x",
        environment={},
    )
    submit_file = file.with_suffix(".bps.yaml")
    submit_file.write_text(dump_config(config))
    return {
        "check": [f.what for f in findings if f.rule in ("reuse", "unchecked")],
        "plan": [note for note in make_forecast(workspace, slots=2).notes if "refused" in note],
        "resume": [str(each) for each in look_at_reuse(workspace, rest, Repair())],
        "new_graph": [str(each) for each in look_at_reuse(workspace, rest, Repair(), own=False)],
        "file": [f.remedy for f in check_file(submit_file) if f.rule == "reuse"],
    }


if __name__ == "__main__":
    collect_seldom()
    if sys.argv[2] == "make":
        _make(sys.argv[1])
        sys.stdout.write("null")
    else:
        sys.stdout.write(json.dumps({Path(name).stem: _ask(Path(name)) for name in sys.argv[3:]}))
