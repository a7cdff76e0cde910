"""What a campaign tolerates does not stop it; on a camera whose filters have names with spaces."""

import pytest
from apcampaign.bps.data import merge
from apcampaign.sandbox.create import create_sandbox
from apcampaign.sandbox.survey import SandboxSize
from operators import COARSE, COARSE_DIFFIM, make_operator, plant, write_campaign

pytestmark = [pytest.mark.slow(minutes=2), pytest.mark.htcondor, pytest.mark.postgres]

#: Templates in both bands, difference images in the one that the APDB knows.
SIZE = SandboxSize(instrument="DECam", visits=3, detectors=(28,), bands=("g", "VR"))


def test_a_template_that_may_be_missing_does_not_stop_a_campaign_on_decam(
    tmp_path, condor_pool, postgres_url
):
    sandbox = create_sandbox(tmp_path / "sandbox", SIZE)
    folder = tmp_path / "camp"
    folder.mkdir()
    operator = make_operator(folder, sandbox, condor_pool)
    content = sandbox.campaign()
    tasks = "isr,calibrateImage,consolidateVisitSummary"
    calibration = {"bps": {"cluster": {"singleFrame": {"pipetasks": tasks, "dimensions": "instrument"}}}}
    once = {"bps": {"pipetask": {"selectTemplateCoaddVisits": {"numberOfRetries": 0}}}}
    once["bps"]["pipetask"]["assembleTemplateCoadd"] = {"numberOfRetries": 0}
    write_campaign(
        folder,
        sandbox,
        allowMissingTemplates=30,
        templates=merge(COARSE, content["templates"], once),
        diffim=merge(COARSE_DIFFIM, content["diffim"], calibration),
    )
    # Of one patch, in both bands.
    operator = plant(operator, {"kind": "raise", "label": "assembleTemplateCoadd", "patch": 21, "times": 2})
    operator.apcampaign("apdb", "init", "--db", postgres_url)
    operator.apcampaign("submit", "--no-check")
    assert "has not ended" in operator.apcampaign("submit", "templates", good=False)
    assert operator.wait_for_dag() == 0
    (dag,) = folder.glob("runs/*/dag/*")
    assert "1 of 4 (patch, band) that the science visits need are missing" in (dag / "gate.out").read_text()
    summary = operator.summary()
    assert summary["good"]
    templates, diffim = summary["steps"]
    assert diffim["quanta"]["calibrateImage"]["successful"] == diffim["products"] == 2
    assert summary["apdb_rows"]["DiaSource"] > 0
    assert len(summary["missing_templates"]) == 1
    assert templates["quanta"]["assembleTemplateCoadd"]["failed"] == 2
    assert "1 of 4" in operator.apcampaign("summary")
    said = operator.apcampaign("resume", good=False)
    assert "are within allowMissingTemplates" in said
    assert "nothing to resume" in said
