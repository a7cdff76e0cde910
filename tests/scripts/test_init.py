"""A campaign file to start from: the reader takes it, nothing is overwritten, the repository is asked."""

import json

import click
import jsonschema
import pytest
import yaml
from apcampaign.bps import CAMERAS, CampaignStart, campaign_schema, load_campaign, write_start
from apcampaign.scripts.cli import command
from apcampaign.scripts.commands.init import command as init_command
from click.testing import CliRunner, Result


def init(*words: str, said: str | None = None) -> Result:
    return CliRunner().invoke(command, ["init", *words], input=said)


@pytest.mark.parametrize("instrument", CAMERAS)
def test_a_file_for_every_camera_is_one_that_the_reader_takes(tmp_path, instrument):
    start = CampaignStart(
        butler="/repo", instrument=instrument, tracts="3828..3830 4431", nights="20260905", bands="gri"
    )
    file = tmp_path / "campaign.yaml"
    file.write_text(write_start(start))
    campaign = load_campaign(file, environment={})
    assert campaign.tracts == (3828, 3829, 3830, 4431)
    assert (campaign.instrument, campaign.bands, campaign.day_obs) == (
        instrument,
        ("g", "r", "i"),
        (20260905,),
    )
    assert jsonschema.Draft7Validator(campaign_schema()).is_valid(yaml.safe_load(file.read_text()))
    assert "$schema=" in file.read_text().splitlines()[0]


def test_what_is_not_given_is_there_as_a_comment_that_can_be_used(tmp_path):
    file = tmp_path / "campaign.yaml"
    keys = ("tracts", "dayObs", "bands", "apdb", "  url", "notify", "  email")
    text = write_start(CampaignStart(butler="/repo"))
    for key in keys:
        assert f"\n# {key}:" in text
        text = text.replace(f"\n# {key}:", f"\n{key}:")
    file.write_text(text)
    campaign = load_campaign(file, environment={})
    assert campaign.tracts == (3828, 3829, 3830)
    assert campaign.apdb.url == "postgresql://user@host/database"


def test_nothing_is_overwritten_and_no_wrong_file_is_left(tmp_path):
    file = tmp_path / "campaign.yaml"
    file.write_text("mine")
    refused = init(str(file), "--butler", "/repo", "--no-check")
    assert "is there already" in str(refused.exception)
    assert file.read_text() == "mine"
    other = tmp_path / "other.yaml"
    assert init(str(other), "--butler", "/repo", "--tracts", "x", "--no-check").exception
    assert init(str(other)).exit_code == 2
    assert not other.exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--tracts", "38x"), "--tracts: '38x' is not a whole number"),
        (("--day-obs", "2026"), "--day-obs: 2026 is not a night"),
        (("--db", "mysql://x"), "--db: 'mysql://x' is not an APDB URL"),
        (("--name", "a/b"), "--name: 'a/b' is not a campaign name"),
        (("--site", "s3fd"), "Invalid value for '--site': there is no site 's3fd'; did you mean 's3df'?"),
        (
            ("--instrument", "LATIS"),
            "--instrument: nothing is known about the pipelines of 'LATIS'; did you mean",
        ),
    ],
)
def test_a_wrong_option_is_named_and_not_a_line_of_a_file_that_is_not_there(tmp_path, words, said):
    done = init(str(tmp_path / "q.yaml"), "--butler", "/repo", "--no-check", *words)
    assert done.exit_code == 2
    assert f"Error: {said}" in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_folder_or_a_site_file_that_is_not_there_is_told(tmp_path):
    refused = init(str(tmp_path / "sub" / "q.yaml"), "--butler", "/repo", "--no-check")
    assert str(refused.exception) == f"there is no folder {tmp_path / 'sub'}; create it, or name another file"
    refused = init(str(tmp_path / "q.yaml"), "--butler", "/repo", "--no-check", "--site", "./site.yaml")
    assert "there is no site './site.yaml'" in refused.stderr
    assert not list(tmp_path.iterdir())


def test_what_comes_next_names_the_file_and_the_file_no_campaign(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ("--butler", "/repo", "--no-check", "--tracts", "3828", "--db", "postgresql://me@host/db")
    assert "next: `apcampaign apdb init`, then `apcampaign check`\n" in init(*words).output
    assert "`apcampaign check --campaign 'my q.yaml'`" in init("my q.yaml", *words).output
    comments = [line for line in (tmp_path / "my q.yaml").read_text().splitlines() if line.startswith("#")]
    assert "dc2-3828" not in "".join(comments)


def test_a_wrong_answer_is_asked_for_again(tmp_path, monkeypatch):
    monkeypatch.setattr("apcampaign.scripts.commands.init.is_asked", lambda: True)
    file = tmp_path / "q.yaml"
    done = init(str(file), "--no-check", said="LATIS\nLATISS\n/repo\n38x\n3828\n\ns3fd\ns3df\n")
    assert done.exit_code == 0, done.output
    assert [line.split(":")[0] for line in done.output.splitlines() if line.startswith("Error")] == [
        "Error"
    ] * 3
    campaign = load_campaign(file, environment={})
    assert (campaign.instrument, campaign.tracts, campaign.site) == ("LATISS", (3828,), "s3df")


def test_a_shell_completes_the_cameras():
    option = next(each for each in init_command.params if each.name == "instrument")
    found = option.shell_complete(click.Context(init_command), "LSSTC")
    assert [each.value for each in found] == ["LSSTCam-imSim", "LSSTCam", "LSSTComCam"]


def test_its_result_is_json_where_that_is_asked_for(tmp_path):
    file = tmp_path / "campaign.yaml"
    done = init(str(file), "--butler", "/repo", "--no-check", "--tracts", "3828", "--json")
    assert json.loads(done.stdout) == {"written": str(file), "name": "dc2-3828"}


@pytest.mark.slow
def test_the_repository_is_asked_and_the_campaign_can_be_planned(untouched_sandbox, tmp_path, monkeypatch):
    for name, value in untouched_sandbox.environment.items():
        monkeypatch.setenv(name, value)
    file = tmp_path / "campaign.yaml"
    wrong = (
        "--tracts",
        "3828 9999",
        "--in-collection",
        "2.2i/default",
        "--butler",
        str(untouched_sandbox.butler),
    )
    said = str(init(str(file), *wrong).exception)
    assert "tracts: DC2 has no 9999" in said
    assert "there is no collection '2.2i/default'; there is 2.2i/defaults" in said
    assert not file.exists()
    assert "there is no Butler repository" in str(
        init(str(file), "--butler", str(tmp_path / "none")).exception
    )
    other = init(
        str(file), "--butler", str(untouched_sandbox.butler), "--instrument", "LSSTCam", "--tracts", "3828"
    )
    assert "instrument: 'LSSTCam' is not registered; there is LSSTCam-imSim" in str(other.exception)
    assert "skymap: 'lsst_cells_v2' is not registered; there is DC2" in str(other.exception)
    collections = untouched_sandbox.campaign()["inCollection"]
    right = ("--tracts", "3828", "--in-collection", collections, "--butler", str(untouched_sandbox.butler))
    assert init(str(file), *right).exit_code == 0
    options = ["--campaign", str(file), "--runs", str(tmp_path / "runs"), "--slots", "4", "--json"]
    planned = CliRunner().invoke(command, ["plan", *options])
    assert planned.exit_code == 0, planned.output
    assert len(json.loads(planned.stdout)["runs"]) == 2
