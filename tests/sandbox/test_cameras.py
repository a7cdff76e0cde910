"""The cameras of which there are miniatures."""

from pathlib import Path

import click
import pytest
from apcampaign.common.errors import SandboxError
from apcampaign.pipelines import find_pipeline
from apcampaign.sandbox.cameras import CAMERAS
from apcampaign.sandbox.create import PACKAGES, Sandbox
from apcampaign.sandbox.focalplane import DECAM
from apcampaign.sandbox.survey import SandboxSize, Survey
from apcampaign.sandbox.tasks.calibrate import first_id
from apcampaign.scripts.commands.sandbox import create


def test_the_command_offers_every_camera() -> None:
    (option,) = (param for param in create.params if param.name == "instrument")
    assert isinstance(option.type, click.Choice)
    assert set(option.type.choices) == set(CAMERAS)


def test_decam_is_numbered_from_south_to_north() -> None:
    assert [detector.id for detector in DECAM] == list(range(1, 63))
    names = {detector.id: detector.full_name for detector in DECAM}
    # 2 and 61 are the two that failed.
    assert [names[number] for number in (1, 2, 4, 25, 31, 32, 39, 61, 62)] == (
        ["S29", "S30", "S25", "S1", "S7", "N1", "N8", "N30", "N31"]
    )


def test_only_detectors_that_see_the_sky_have_raw_images() -> None:
    camera = CAMERAS["LSSTCam"]
    assert len(camera.detectors) == 205
    assert max(camera.science_detectors) == 188
    with pytest.raises(SandboxError, match="expected different detectors from 0 to 188"):
        SandboxSize(instrument="LSSTCam", detectors=(191,))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"instrument": "HSC"}, "expected one of LSSTCam-imSim, LSSTCam, DECam"),
        ({"instrument": "DECam"}, "expected different detectors from 1 to 62"),
        ({"bands": ("VR",)}, "expected some of u g r i z y"),
    ],
)
def test_what_a_camera_does_not_have_is_refused(options: dict[str, object], expected: str) -> None:
    with pytest.raises(SandboxError, match=expected):
        SandboxSize(**options)


def test_visits_and_groups_are_named_as_those_of_the_real_cameras() -> None:
    (lsst,) = Survey(SandboxSize(instrument="LSSTCam", visits=1)).visits
    assert (lsst.id, lsst.group, lsst.physical_filter) == (
        2025101200001,
        "2025-10-12T04:48:00.000",
        "r_57",
    )
    (decam,) = Survey(SandboxSize(instrument="DECam", visits=1, detectors=(28, 35), bands=("VR",))).visits
    assert (decam.group, decam.physical_filter) == (str(decam.id), "VR DECam c0007 6300.0 2600.0")
    assert first_id(3, lsst.id, 204) + 10_000 < 2**63
    assert first_id(0, lsst.id + 1, 0) - first_id(0, lsst.id, 204) > 10_000


@pytest.mark.parametrize("instrument", CAMERAS)
def test_a_campaign_on_an_unkind_sky_has_settings_for_tasks_of_its_pipelines_only(
    instrument: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lsst.pipe.base.pipelineIR import PipelineIR

    for name, folder in PACKAGES.items():
        monkeypatch.setenv(name, folder)
    middle = CAMERAS[instrument].middle
    campaign = Sandbox(tmp_path, SandboxSize(instrument=instrument, detectors=middle, unkind=0.02)).campaign()
    assert "bps" not in campaign
    for step in ("templates", "diffim"):
        labels = PipelineIR.from_uri(find_pipeline(campaign[step]["pipeline"])).tasks
        named = campaign[step]["bps"]["pipetask"]
        assert {"isr", "calibrateImage"} <= set(named) <= set(labels)
