"""What a campaign tolerates does not stop it."""

import pytest
from operators import COARSE, COARSE_DIFFIM, plant, write_campaign

pytestmark = [pytest.mark.slow(minutes=2), pytest.mark.htcondor, pytest.mark.postgres]


def test_a_template_that_may_be_missing_does_not_stop_a_campaign_nor_does_memory_that_helps_itself(
    pool_operator, postgres_url, sandbox
):
    folder = pool_operator.folder
    bps = {
        **COARSE["bps"],
        "pipetask": {
            "makeDirectWarp": {"requestMemory": 4096},
            "makePsfMatchedWarp": {"requestMemory": 4096},
            "selectTemplateCoaddVisits": {"numberOfRetries": 0},
            "assembleTemplateCoadd": {"numberOfRetries": 0},
        },
    }
    templates = {**COARSE, "bps": bps}
    where = "detector = 94 AND visit = 731000"
    steps = {"templates": templates, "diffim": COARSE_DIFFIM}
    write_campaign(folder, sandbox, where=where, allowMissingTemplates=30, **steps)
    operator = plant(
        pool_operator,
        # Held, until it gets twice as much.
        {"kind": "hungry", "label": "makePsfMatchedWarp", "needs": 8000},
        {"kind": "raise", "label": "assembleTemplateCoadd", "times": 1},
    )
    operator.apcampaign("apdb", "init", "--db", postgres_url)
    operator.apcampaign("submit", "--tracts", "3828", "--no-check")
    assert "has not ended" in operator.apcampaign("submit", "templates", good=False)
    assert operator.wait_for_dag() == 0
    assert (folder / "faults" / "fault0.0").exists()
    (dag,) = folder.glob("runs/*/dag/*")
    assert "1 of 4 (patch, band) that the science visits need are missing" in (dag / "gate.out").read_text()
    summary = operator.summary()
    assert summary["good"]
    assert summary["steps"][1]["products"] == 1
    assert len(summary["missing_templates"]) == 1
    assert summary["steps"][0]["quanta"]["assembleTemplateCoadd"]["successful"] == 3
    assert "1 of 4" in operator.apcampaign("summary")
    said = operator.apcampaign("resume", good=False)
    assert "are within allowMissingTemplates" in said
    assert "nothing to resume" in said
