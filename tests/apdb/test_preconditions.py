"""What must hold before a run fills an APDB."""

from pathlib import Path

import pytest
import yaml
from apcampaign.apdb import ApdbTarget, check_ready, init_apdb, plan_init
from apcampaign.common.errors import ApdbError


@pytest.fixture
def config(tmp_path: Path) -> str:
    """Create an empty APDB and return the path of its configuration."""
    target = ApdbTarget.from_url(f"sqlite:///{tmp_path}/apdb.db")
    init_apdb(plan_init(target, instrument="LSSTCam-imSim", config=tmp_path / "apdb.yaml"))
    return str(tmp_path / "apdb.yaml")


def test_an_empty_apdb_of_the_instrument_is_ready(config: str) -> None:
    assert check_ready(config, instrument="LSSTCam-imSim") is None


def test_an_apdb_of_another_instrument_is_refused_with_a_remedy(config: str) -> None:
    with pytest.raises(ApdbError) as caught:
        check_ready(config, instrument="LSSTCam")
    assert "is for instrument LSSTCam-imSim, the campaign for LSSTCam" in caught.value.what
    assert "apcampaign apdb init" in caught.value.remedy


def test_what_cannot_be_checked_is_told_with_the_reason(tmp_path: Path) -> None:
    path = tmp_path / "cassandra.yaml"
    content = {"implementation_type": "cassandra", "contact_points": ["127.0.0.1"], "keyspace": "apdb"}
    path.write_text(yaml.safe_dump(content))
    unchecked = check_ready(str(path), instrument="LSSTCam-imSim")
    assert unchecked is not None
    assert "exists, is empty, has a compatible version and is for LSSTCam-imSim" in unchecked.what
    assert "in Cassandra" in unchecked.why
    assert str(unchecked) == f"it was not checked {unchecked.what}: {unchecked.why}"
