"""A campaign without HTCondor."""

import json

import pytest
from interference import KILLED, WHERE
from operators import COARSE, COARSE_DIFFIM, RUN_DEADLINE, assert_complete, assert_same, plant, write_campaign

# What it is compared with has run on HTCondor and PostgreSQL.
pytestmark = [pytest.mark.slow(minutes=2.2), pytest.mark.htcondor, pytest.mark.postgres]


def test_both_steps_with_parsl_and_sqlite_are_as_with_htcondor_and_postgresql(operator, sandbox, reference):
    url = f"sqlite:///{operator.folder}/apdb.db"
    write_campaign(
        operator.folder, sandbox, where=WHERE, templates=COARSE, diffim=COARSE_DIFFIM, site="parsl-local"
    )
    operator.apcampaign("apdb", "init", "--db", url)
    assert "--foreground" in operator.apcampaign("submit", good=False)
    # An association is rolled back and tried again where it failed; what comes after it is not.
    broken = plant(operator, KILLED, {"kind": "fail", "label": "analyzeAssociatedDiaSourceTable", "times": 1})
    words = ["submit", "--foreground", "--tracts", "3828"]
    broken.apcampaign(*words, seconds=RUN_DEADLINE)
    (settled,) = operator.folder.glob("runs/*/diffim/*/order/settled.log")
    assert "rolling it back" in settled.read_text()
    assert not json.loads(operator.apcampaign("summary", "--json", good=None))["good"]
    assert "are not in a queue" in operator.apcampaign("cancel", good=False)
    said = operator.apcampaign("resume", seconds=RUN_DEADLINE)
    assert "ParslService cannot continue a run that is in no campaign DAG: building new graphs" in said
    assert_complete(operator, url)
    assert_same((operator, url), reference.wait())
