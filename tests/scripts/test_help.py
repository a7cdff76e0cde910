"""What helps with the command line: examples in every help, suggestions, versions, tables for every width."""

import importlib.metadata
import io
import os
import platform
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest
from apcampaign.bps import list_sites
from apcampaign.scripts.cli import command
from apcampaign.scripts.display.console import make_console
from apcampaign.scripts.display.table import Table
from apcampaign.scripts.examples import EXAMPLES
from click.shell_completion import BashComplete
from click.testing import CliRunner
from commands import list_commands
from rich.console import Console

LEAVES = {" ".join(names): leaf for names, leaf in list_commands(command) if names[0] != "node"}


def find(words: list[str]) -> tuple[click.Command, list[str]]:
    found: click.Command = command
    while words and isinstance(found, click.Group):
        inner = found.get_command(click.Context(found), words[0])
        if inner is None:
            break
        found, words = inner, words[1:]
    return found, words


def test_every_command_has_examples():
    assert set(LEAVES) <= set(EXAMPLES)
    for name in EXAMPLES:
        said = CliRunner().invoke(command, [*name.split(), "--help"]).output
        assert f"Examples:\n    {EXAMPLES[name][0][:60]}" in said, name


def test_help_has_a_short_option():
    assert "Examples:" in CliRunner().invoke(command, ["-h"]).output


@pytest.mark.parametrize("line", [line for lines in EXAMPLES.values() for line in lines])
def test_an_example_names_a_command_with_its_options(line):
    text = line.removeprefix('eval "$(').removesuffix(')"').partition(" > ")[0]
    leaf, words = find(shlex.split(text)[1:])
    if isinstance(leaf, click.Group):  # `submit` takes those of both steps
        leaf = leaf.commands["both"]
    with leaf.make_context("x", words, resilient_parsing=False) as context:
        assert context.params is not None


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["stauts"], "there is no command 'stauts'; did you mean 'status'"),
        (["apdb", "verfy"], "did you mean 'verify'"),
        (["sandbox", "creat"], "there is no command 'creat'; did you mean 'create'"),
        (["sandbox", "condor", "instal"], "did you mean 'install'"),
        (["submit", "difim"], "did you mean 'diffim'"),
        (["xyz"], "expected one of demo,"),
        (["submit", "--dryrun"], "--dry-run"),
    ],
)
def test_a_misspelt_word_is_told_with_what_is_close(words, part):
    done = CliRunner().invoke(command, words)
    assert done.exit_code == 2
    assert part in " ".join(done.output.split())


def test_versions_are_those_of_what_is_installed_and_nothing_is_imported_for_them():
    code = (
        "import sys; sys.argv = ['apcampaign', '--version']\n"
        "from apcampaign.scripts.cli import command\n"
        "try: command()\n"
        "finally: assert not {'lsst', 'htcondor2', 'sqlalchemy', 'pydantic'} & set(sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert f"lsst-ctrl-bps {importlib.metadata.version('lsst-ctrl-bps')}" in done.stdout
    assert f"\nparsl {importlib.metadata.version('parsl')}" in done.stdout
    assert f"\nPython {platform.python_version()}\n" in done.stdout
    assert f"htcondor {importlib.metadata.version('htcondor')}" in done.stdout


def test_the_help_of_submit_lists_the_options_of_both_steps():
    said = CliRunner().invoke(command, ["submit", "--help"]).stdout
    assert "submit [OPTIONS] [STEP]" in said
    assert {"--night", "--dry-run", "--foreground", "--tracts", "templates"} <= set(said.split())


def complete(*words: str) -> list[str]:
    asked = BashComplete(command, {}, "apcampaign", "_X").get_completions([*words[:-1]], words[-1])
    return [item.value for item in asked]


def test_a_shell_completes_values_too():
    assert complete("check", "--site", "") == [*list_sites()]
    assert complete("sites", "parsl") == ["parsl-local"]
    assert complete("lint", "--ignore", "duplicate") == ["duplicate-key"]
    assert complete("check", "--step", "t") == ["templates"]
    assert complete("submit", "di") == ["diffim"]
    assert complete("submit", "--dry") == ["--dry-run"]
    assert complete("submit", "--site", "s3") == ["s3df"]


def draw(width: int) -> list[str]:
    table = Table("run", "state", "submit directory", title="runs")
    table.add_row("templates", "[green]SUCCEEDED[/green]", "/runs/dc2/templates/20260905T000000Z/submit")
    console = Console(file=io.StringIO(), width=width, soft_wrap=True, force_terminal=True, color_system=None)
    console.print(table)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


def test_a_table_loses_nothing_on_a_narrow_screen():
    for width in (40, 80, 120):
        lines = draw(width)
        text = "".join(lines)
        assert "/runs/dc2/templates/20260905T000000Z/submit" in text, width
        assert "SUCCEEDED" in text
        assert "…" not in text
    assert "• run: templates" in draw(40)
    assert any(line.startswith("┏") for line in draw(80))


def test_a_table_that_hardly_fits_breaks_neither_words_nor_sizes():
    name, size = "single_visit_star_reprocessed_footprints", "22 MiB"
    for width in range(30, 90):
        table = Table("dataset type", "size", "what it is")
        table.add_row(name, size, "intermediate, read by later tasks")
        console = Console(file=io.StringIO(), width=width, soft_wrap=True)
        console.print(table)
        assert isinstance(console.file, io.StringIO)
        text = console.file.getvalue()
        assert name in text, width
        assert size in text, width
        assert "…" not in text, width
        if text.startswith("┏"):
            assert max(map(len, text.splitlines())) <= width


def test_what_is_piped_is_whole(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "40")
    table = Table("what", "why")
    table.add_row("x" * 200, "some words " * 30)
    make_console().print(table)
    assert "x" * 200 + " │ " + ("some words " * 30).strip() in capsys.readouterr().out


def test_make_tells_its_variables():
    root = Path(__file__).parents[2]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    said = subprocess.run(
        ["make", "-C", str(root), "help"], env=environment, capture_output=True, text=True, timeout=60
    )
    (line,) = [
        line for line in (root / "Makefile").read_text().splitlines() if line.startswith("OPERATOR := ")
    ]
    exported = [*line.split()[2:], "DB", "SEEDS", "FAULTS", "VENV"]
    assert len(exported) >= 9
    for name in exported:
        assert f"\n  {name} " in said.stdout


@pytest.mark.parametrize("name", ["archive", "cancel", "failures", "resume", "retire", "runs", "status"])
def test_what_was_submitted_before_takes_no_option_that_would_change_it(name):
    given = {option for param in LEAVES[name].params for option in param.opts}
    assert {"--campaign", "--runs", "--day-obs"} <= given
    nothing = {"--namespace", "--tracts", "--bands", "--site", "--allow-missing-templates"}
    assert not nothing & given


def test_numbers_are_limited_where_they_are_read():
    """By the option itself, or by what its command makes of it."""
    of_values = {
        "apdb init": {"htm_level", "read_sources_months", "read_forced_sources_months", "connection_timeout"},
        "sandbox create": {"visits", "pixels", "template_visits", "seed"},
    }
    for name, leaf in LEAVES.items():
        endless = {
            str(param.name)
            for param in leaf.params
            if isinstance(param.type, type(click.INT)) and getattr(param.type, "max", None) is None
        }
        assert endless == of_values.get(name, set()), name


def test_no_option_is_hidden():
    for name, leaf in LEAVES.items():
        assert not [param.name for param in leaf.params if getattr(param, "hidden", False)], name


def test_a_group_lists_its_commands_with_whole_sentences():
    for words in ([], ["apdb"], ["sandbox"], ["sandbox", "condor"]):
        said = CliRunner().invoke(command, [*words, "--help"]).output
        assert "..." not in said.partition("Commands:")[2].partition("Examples:")[0], words
