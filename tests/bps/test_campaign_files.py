"""The campaign files of other cameras that come along."""

from pathlib import Path

import pytest
import yaml
from apcampaign.bps import CampaignConfig, build_config, dump_config, load_campaign, load_site, plan_campaign
from apcampaign.bps.lint import lint_file

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / "bps" / "campaigns").glob("*.yaml"))
NIGHT = {"APCAMPAIGN_DAY_OBS": "20260905"}

each_file = pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)


def load(file: Path) -> CampaignConfig:
    """Load a file, with a night if it needs one."""
    return load_campaign(file, environment=NIGHT if "{day_obs}" in file.read_text() else {})


def test_there_is_one_for_each_camera_of_ap_pipe_that_is_not_simulated() -> None:
    assert {load(file).instrument for file in FILES} == {"LSSTCam", "LSSTComCam", "LATISS", "HSC", "DECam"}


@each_file
def test_a_campaign_file_that_comes_along_makes_clean_configs(tmp_path: Path, file: Path) -> None:
    campaign = load(file)
    for run in plan_campaign(campaign):
        for edges_added in (False, True):
            config = build_config(
                campaign,
                run,
                load_site(campaign.site),
                submit_path=tmp_path / "submit",
                apdb_config="/runs/apdb.yaml",
                environment={},
                edges_added=edges_added,
            )
            path = tmp_path / "bps.yaml"
            path.write_text(dump_config(config))
            # $AP_PIPE_DIR is not set here, nor are the labels known that come from there; and `submit` adds
            # the order of visits by itself.
            ignore = ["environment-unset", "unchecked", *(["apdb-order"] if edges_added else [])]
            assert lint_file(path, environment={}, ignore=ignore) == []


@each_file
def test_the_pipelines_are_those_of_the_camera(file: Path) -> None:
    campaign = load(file)
    for run in plan_campaign(campaign):
        ours = ROOT / "pipelines" / run.pipeline
        text = ours.read_text() if ours.is_file() else run.pipeline
        assert f"$AP_PIPE_DIR/pipelines/{campaign.instrument}/" in text


@each_file
def test_calibrated_visits_are_taken_over_only_from_a_pipeline_that_calibrates_alike(file: Path) -> None:
    campaign = load(file)
    *_, diffim = plan_campaign(campaign)
    ours = ROOT / "pipelines" / campaign.templates.pipeline
    if campaign.diffim.templates or not ours.is_file():
        assert not any(collection.endswith("/templates") for collection in diffim.skip_existing)
        return
    (shared,) = (part for part in yaml.safe_load(ours.read_text())["imports"] if "isr" in part["include"])
    assert shared == {"location": diffim.pipeline, "include": ["isr", "calibrateImage"]}
    assert diffim.skip_existing == (f"{campaign.root_collection}/templates",)


def test_the_nightly_file_serves_every_night() -> None:
    file = ROOT / "bps" / "campaigns" / "LSSTCam-nightly.yaml"
    campaign = load_campaign(file, environment={}, flags={("dayObs",): 20260906})
    (run,) = plan_campaign(campaign)
    assert campaign.name == "daytimeAP-20260906"
    assert "day_obs = 20260906" in run.query
    assert "tract" not in run.query
    assert run.inputs == ("LSSTCam/templates", "LSSTCam/defaults", "LSSTCam/runs/prompt-20260906")
    assert run.skip_existing == ("LSSTCam/runs/prompt-20260906",)
    assert run.output == "LSSTCam/runs/daytimeAP/20260906/diffim"
    assert campaign.apdb.filled
