"""Whatever befalls a campaign: an operator who does what commands say ends with what an undisturbed one has."""

import random
from pathlib import Path
from typing import Any

import pytest
from apcampaign.sandbox.create import Sandbox
from apcampaign.sandbox.servers import CondorPool, PostgresServer
from chaos import Ground, live_through
from interference import KILLED, WHERE
from operators import COARSE, COARSE_DIFFIM, assert_same, make_operator, plant, write_campaign
from reference import Reference

# Longer than a campaign may take, so that one that stands still is told as that.
pytestmark = [
    pytest.mark.slow(minutes=5),
    pytest.mark.timeout(2400),
    pytest.mark.htcondor,
    pytest.mark.postgres,
]

#: Of the tasks themselves; some seeds have one of them.
_PLANTED = (
    KILLED,
    {"kind": "fail", "label": "makeDirectWarp", "times": 2},
    {"kind": "fail", "label": "analyzeAssociatedDiaSourceTable", "times": 1},
    {"kind": "kill", "label": "subtractImages", "times": 1},
)


def test_it_ends_as_one_that_nothing_befell(
    seed: int,
    tmp_path: Path,
    sandbox: Sandbox,
    condor_pool: CondorPool,
    postgres_server: PostgresServer,
    postgres_url: str,
    reference: Reference,
    record_property: Any,
) -> None:
    chance = random.Random(seed)
    folder = tmp_path / f"chaos-{seed}"
    folder.mkdir()
    operator = make_operator(folder, sandbox, condor_pool)
    parts = {"parts": 2} if chance.random() < 0.2 else {}
    write_campaign(
        folder,
        sandbox,
        where=WHERE,
        tracts=[3828],
        templates={**COARSE, **parts},
        diffim={**COARSE_DIFFIM, **parts},
    )
    operator = plant(operator, *chance.sample(_PLANTED, chance.randint(0, 2)))
    operator.apcampaign("apdb", "init", "--db", postgres_url)
    ground = Ground(operator, condor_pool, postgres_server, chance)
    record_property("seed", seed)
    record_property("faults", ground.outcome.faults)
    record_property("commands", ground.outcome.commands)
    record_property("end", end := ["failed"])
    outcome = live_through(ground, faults=chance.randint(2, 6))
    end[0] = "stuck"
    if outcome.stuck:
        pytest.fail("\n\n".join([outcome.stuck, *outcome.said]))
    end[0] = "different"
    assert_same((operator, postgres_url), reference.wait())
    end[0] = "equal"
