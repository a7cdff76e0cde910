"""A run is found by its names, and is looked at by itself also if newer ones have replaced it."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
from apcampaign.bps import Step
from apcampaign.common.errors import LedgerError
from apcampaign.ledger import CampaignPaths, Ledger, RunRecord, read_ledger, write_run
from apcampaign.monitor import CampaignReader
from apcampaign.monitor.status import RunState
from apcampaign.scripts.cli import command
from click.shell_completion import ShellComplete
from click.testing import CliRunner
from older_runs import unpack_older_runs

OLD, NEW = "20261125T205009Z", "20270101T000000Z"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A campaign whose templates were made anew, with nothing done yet."""
    folder = unpack_older_runs(tmp_path_factory.mktemp("older"), Path("/nowhere")) / "complete"
    paths = CampaignPaths(folder / "runs", "complete")
    (old,) = read_ledger(paths).runs_of(Step.TEMPLATES)
    output_run = f"{old.output}/{NEW}"
    new = old.model_copy(update={"timestamp": NEW, "output_run": output_run, "wms_id": None})
    files = paths.run(new)
    shutil.copytree(paths.run(old).folder, files.folder)
    for path in files.submit.glob(f"{old.bps_run}*"):
        path.unlink()
    moved = {
        "config": str(files.config),
        "submit_dir": str(files.submit),
        "graph": str(files.graph(output_run)),
    }
    write_run(files, new.model_copy(update=moved))
    return folder


@pytest.fixture
def ledger(folder: Path) -> Ledger:
    return read_ledger(CampaignPaths(folder / "runs", "complete"))


def names(runs: Sequence[RunRecord]) -> list[str]:
    return [f"{run.step}/{run.timestamp}" for run in runs]


@pytest.mark.parametrize(
    "name", [f"templates/{OLD}", f"u/root/complete/templates/{OLD}", f"complete/templates/{OLD}"]
)
def test_an_older_run_is_found_and_is_the_only_one_that_counts(ledger: Ledger, name: str) -> None:
    assert names(ledger.current()) == [f"templates/{NEW}", f"diffim/{OLD}"]
    chosen = ledger.choose(name)
    assert names(chosen.current()) == [f"templates/{OLD}"]
    assert chosen.current(Step.DIFFIM) == chosen.absent_parts(Step.TEMPLATES) == ()
    # What fills the same APDB is not forgotten.
    (diffim,) = ledger.runs_of(Step.DIFFIM)
    assert ledger.choose("diffim").same_apdb(str(diffim.apdb_config)) == (diffim,)
    assert ledger.choose(None) is ledger


@pytest.mark.parametrize(
    ("name", "what"),
    [
        (OLD, f"2 runs of campaign complete are called {OLD}; expected one of templates/{OLD}, diffim/{OLD}"),
        ("templates", f"expected one of templates/{OLD}, templates/{NEW}"),
        ("20261125", "campaign complete has no run 20261125 in"),
        ("", "campaign complete has no run  in"),
    ],
)
def test_a_name_of_no_run_or_of_several_is_told_with_those_that_there_are(
    ledger: Ledger, name: str, what: str
) -> None:
    with pytest.raises(LedgerError) as caught:
        ledger.find(name)
    assert what in str(caught.value)


def test_the_progress_of_an_older_run_is_its_own(folder: Path) -> None:
    paths = CampaignPaths(folder / "runs", "complete")
    (now, _) = CampaignReader(paths).read().steps
    assert (now.state, now.earlier_runs) == (RunState.UNSUBMITTED, 1)
    old = CampaignReader(paths, f"templates/{OLD}").read()
    (step,) = old.steps
    assert (step.state, step.earlier_runs, old.active, old.dag) == (RunState.DONE, 0, False, ())


def test_commands_show_the_run_that_is_asked_for_and_a_shell_completes_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    for words in (["status"], ["failures"]):
        done = CliRunner().invoke(command, [*words, "--run", f"templates/{OLD}"])
        assert done.exit_code == 0, done.output
        assert "diffim" not in done.output
    for words in (["status"], ["runs"], ["failures"], ["report"], ["retire"], ["compare", "campaign.yaml"]):
        completed = ShellComplete(command, {}, "apcampaign", "_X").get_completions([*words, "--run"], "templ")
        assert [item.value for item in completed] == [f"templates/{NEW}", f"templates/{OLD}"]
    (folder / "elsewhere").mkdir(exist_ok=True)
    monkeypatch.chdir(folder / "elsewhere")
    assert ShellComplete(command, {}, "apcampaign", "_X").get_completions(["status", "--run"], "") == []
    words = ["status", "--campaign", "../campaign.yaml", "--runs", "../runs", "--run"]
    assert len(ShellComplete(command, {}, "apcampaign", "_X").get_completions(words, "")) == 3


def test_that_there_are_no_runs_is_said(folder, tmp_path):
    words = ["runs", "--campaign", str(folder / "campaign.yaml"), "--runs", str(tmp_path)]
    done = CliRunner().invoke(command, words)
    assert (done.exit_code, done.output) == (0, f"campaign complete has no runs in {tmp_path / 'complete'}\n")


def test_a_run_that_was_removed_is_called_the_same_everywhere_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(unpack_older_runs(tmp_path, Path("/nowhere")) / "steps")
    monkeypatch.setenv("COLUMNS", "200")
    done = CliRunner().invoke(command, ["runs"])
    assert done.exit_code == 0
    (diffim,) = (line for line in done.output.splitlines() if "diffim" in line)
    assert "failed" in diffim
    assert "exit status" not in done.output + capsys.readouterr().err
    done = CliRunner().invoke(command, ["status"])
    assert "see what went wrong with `apcampaign failures`" in done.output
    done = CliRunner().invoke(command, ["failures"])
    assert done.exit_code == 1
    assert "the diffim run was removed or held up before 3 of its 12 jobs ran" in done.output
    assert "continue with `apcampaign resume`" in done.output
