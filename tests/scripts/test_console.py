"""What all commands have in common: JSON for machines, words for shells, colours for terminals only."""

import json
import os
import subprocess
from pathlib import Path

import click
import pytest
import yaml
from apcampaign.scripts.cli import command
from apcampaign.scripts.display.console import make_console
from apcampaign.scripts.display.table import Table
from commands import list_commands
from operators import COMMAND

RECORDED = Path(__file__).parents[1] / "support" / "recorded"
#: These start what then speaks for itself, or print for a shell.
WITHOUT_JSON = {"demo", "completion", "node", "schema"}


@pytest.mark.parametrize(
    ("names", "leaf"), [pytest.param(*one, id=" ".join(one[0])) for one in list_commands(command)]
)
def test_every_command_gives_json(names, leaf):
    assert isinstance(command, click.Group)
    options = {word for parameter in leaf.params for word in parameter.opts}
    assert ("--json" in options) != (names[0] in WITHOUT_JSON or names[:2] == ("sandbox", "condor"))


@pytest.fixture
def campaign(tmp_path: Path) -> Path:
    content = {
        "name": "troubled",
        "butler": "/repo",
        "instrument": "LSSTCam-imSim",
        "skymap": "DC2",
        "tracts": [3828],
        "inCollection": "2.2i/defaults",
        "apdb": {"url": "postgresql://me@dbhost/db"},
        "site": "local",
    }
    (tmp_path / "campaign.yaml").write_text(yaml.safe_dump(content))
    return tmp_path


def run(folder: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("APCAMPAIGN_")}
    return subprocess.run(
        [str(COMMAND), *words],
        cwd=folder,
        env={**environment, **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_json_is_all_that_goes_to_standard_output(campaign):
    done = run(campaign, "generate", "--json")
    assert done.returncode == 0, done.stderr
    assert [Path(path).name for path in json.loads(done.stdout)["written"]] == [
        "ApTemplate-DC2-bps.yaml",
        "ApPipe-DC2-bps.yaml",
    ]
    assert "wrote" in done.stderr


@pytest.mark.slow
def test_colours_are_for_terminals(campaign):
    words = ("status", "--runs", str(RECORDED))
    plain = run(campaign, *words)
    assert plain.returncode == 0, plain.stderr
    assert "makeWarp" in plain.stdout
    assert "\x1b[" not in plain.stdout
    # What a terminal would get, without one.
    coloured = run(campaign, *words, FORCE_COLOR="1", TERM="xterm-256color").stdout
    assert "\x1b[32m" in coloured
    assert (
        "\x1b[32m" not in run(campaign, *words, FORCE_COLOR="1", TERM="xterm-256color", NO_COLOR="1").stdout
    )


def test_a_shell_completes_commands_and_options(tmp_path):
    script = run(tmp_path, "completion", "bash").stdout
    assert "_APCAMPAIGN_COMPLETE=bash_complete" in script
    asked = {"_APCAMPAIGN_COMPLETE": "bash_complete"}
    words = run(tmp_path, **asked, COMP_WORDS="apcampaign stat", COMP_CWORD="1").stdout
    assert words.split() == ["plain,status"]
    words = run(tmp_path, **asked, COMP_WORDS="apcampaign status --wa", COMP_CWORD="2").stdout
    assert words.split() == ["plain,--watch"]


@pytest.mark.parametrize("width", [30, 200])
def test_brackets_are_shown_as_they_are_on_every_screen(width, capsys):
    console = make_console()
    console.width = width
    table = Table("what", "message")
    table.add_row("[/x] of [bold]", "word " + "w" * 25)
    console.print(table)
    assert "[/x] of [bold]" in capsys.readouterr().out
