"""A campaign goes on night after night: with what is new, in time order, and with nothing twice."""

import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import hypothesis
import pytest
from apcampaign.bps import CampaignConfig, NightSelection, Ordering, Stage, Step, dump_campaign, plan_campaign
from apcampaign.common.butler import open_butler
from apcampaign.common.errors import BusyError, SettingsError
from apcampaign.ledger import Ledger, RunRecord, Workspace, write_run
from apcampaign.monitor.outcomes import LeftBehind, LeftImage, find_left
from apcampaign.ordering import find_deferred, find_skipped, select_raws
from apcampaign.ordering.parts import MADE
from apcampaign.scripts.cli import command
from apcampaign.scripts.exits import ExitCode
from apcampaign.submit.executors import Submission
from apcampaign.submit.outputs.repair import Repair
from apcampaign.submit.preconditions.ledger_hold import hold_ledger
from apcampaign.submit.resume import ResumeRequest, decide_resume
from apcampaign.submit.resume.state import CampaignState, SubmittedUnit
from apcampaign.submit.submission import patience
from apcampaign.submit.submission.new_images import MOST_RUNS, ImageState, KnownImages, NewImages, sort_images
from apcampaign.submit.submission.nights import read_new_images
from click.testing import CliRunner
from documents import FENCED, ROOT
from hypothesis import strategies as st
from nights_ground import (
    DETECTORS,
    NIGHTS,
    make_apdb,
    make_repository,
    open_workspace,
    record_images,
    visits_of,
)
from operators import COMMAND
from run_records import record_of

pytestmark = pytest.mark.slow

FIRST, SECOND, THIRD = NIGHTS


def images_of(*nights: int) -> set[tuple[int, int]]:
    return {(visit, detector) for night in nights for visit in visits_of(night) for detector in DETECTORS}


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_repository(tmp_path_factory.mktemp("nights") / "repo")


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Workspace:
    """A campaign whose first two nights are in its APDB, of which it has no records."""
    workspace = open_workspace(tmp_path_factory.mktemp("campaign"), repository)
    make_apdb(workspace, [FIRST, SECOND])
    return workspace


@pytest.fixture(scope="module")
def with_second_night(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> tuple[Workspace, str]:
    """A campaign of whose nights only the second is in its APDB, and the configuration of that."""
    workspace = open_workspace(tmp_path_factory.mktemp("second"), repository)
    return workspace, make_apdb(workspace, [SECOND])


def look(workspace: Workspace, nights: str | None, *, skip_late: bool = False) -> NewImages:
    asked = None if nights is None else NightSelection.read(nights)
    apdb_config = workspace.find_apdb_config()
    return read_new_images(
        workspace, workspace.read_ledger(), Repair(), asked, apdb_config, skip_late=skip_late
    )


def selected_by(campaign: CampaignConfig) -> set[tuple[int, int]]:
    """The images that the runs of a campaign would be given."""
    (run,) = plan_campaign(campaign, steps=[Step.DIFFIM])
    with open_butler(campaign.butler, "the images cannot be found") as butler:
        return set(select_raws(butler, run, ("visit", "detector")))


def test_a_night_is_new_if_nothing_of_it_was_given_to_a_run_or_is_in_the_apdb(workspace: Workspace) -> None:
    new = look(workspace, str(THIRD))
    assert new.new == images_of(THIRD)
    assert not new.late
    assert new.narrow(workspace.campaign).day_obs == (THIRD,)
    assert list(new.describe()) == [f"night {THIRD}: 2 visits, 4 images: 4 new"]
    assert not list(new.obstacles("apdb.yaml"))


@pytest.mark.parametrize("nights", [f"{FIRST}..", f"{FIRST}..{THIRD}"])
def test_of_several_nights_only_those_with_something_new_are_taken(workspace: Workspace, nights: str) -> None:
    assert look(workspace, nights).narrow(workspace.campaign).day_obs == (THIRD,)


@pytest.mark.parametrize(
    ("nights", "said"),
    [
        (
            f"{FIRST}..{SECOND}",
            "selects 8 images of 20260910, 20260911, all of which earlier runs were given",
        ),
        ("20260913..", "selects no raw image of 20260913 and later"),
    ],
)
def test_where_nothing_is_new_that_is_said(workspace: Workspace, nights: str, said: str) -> None:
    new = look(workspace, nights)
    assert new.is_empty
    (line,) = new.describe()
    assert line.startswith("nothing new: ")
    assert said in line


def test_a_night_that_is_earlier_than_what_the_apdb_holds_of_its_sky_is_named(
    with_second_night: tuple[Workspace, str],
) -> None:
    workspace, config = with_second_night
    # Each condition also stands beside one of the campaign's own.
    own = workspace.campaign.model_copy(update={"where": "detector < 9"})
    assert selected_by(NightSelection((THIRD,), visits=(10,)).select(own)) == images_of(THIRD) | {
        (10, 0),
        (10, 1),
    }
    new = look(workspace, f"{FIRST}..")
    assert new.too_late.keys() == images_of(FIRST)
    (error,) = new.obstacles(config)
    assert f"night {FIRST} comes too late: 4 of its 4 new images" in error.what
    assert "visit 10 detector 0 (after visit 21)" in error.what
    assert "where: visit NOT IN (10, 11)" in error.remedy
    assert [
        (night["night"], night["new"], night["done"], len(night["too_late"])) for night in new.as_dict()
    ] == [
        (FIRST, 4, 0, 4),
        (SECOND, 0, 4, 0),
        (THIRD, 4, 0, 0),
    ]
    with_others = look(workspace, f"{FIRST}..", skip_late=True)
    assert not list(with_others.obstacles(config))
    assert (
        f"night {FIRST}: 2 visits, 4 images: 4 new, 4 of these too late and left out"
        in with_others.describe()
    )
    assert with_others.taken == NightSelection((THIRD,), without=tuple(sorted(images_of(FIRST))))
    narrowed = with_others.narrow(workspace.campaign)
    assert (narrowed.day_obs, narrowed.where) == (None, with_others.taken.condition)
    assert selected_by(narrowed) == images_of(THIRD)
    day_and_visit = NightSelection((THIRD,), visits=(10, 20), without=((20, 1), (30, 0)))
    assert selected_by(day_and_visit.select(workspace.campaign)) == images_of(THIRD) - {(30, 0)} | {
        (10, 0),
        (10, 1),
        (20, 0),
    }
    # They are new the next time too, and that alone is no reason for a run.
    assert look(workspace, f"{FIRST}", skip_late=True).is_empty
    unordered = workspace.campaign.diffim.model_copy(update={"ordering": Ordering.NONE})
    campaign = workspace.campaign.model_copy(update={"diffim": unordered})
    assert not look(Workspace(campaign, workspace.runs), f"{FIRST}..").late


def test_what_an_earlier_run_has_not_associated_goes_on_with_the_next_night(
    tmp_path: Path, repository: Path
) -> None:
    workspace = open_workspace(tmp_path, repository)
    make_apdb(workspace, [FIRST])
    record_images(workspace, SECOND, without_work=[(20, 0), (20, 1)])
    again = look(workspace, f"{SECOND}")
    assert again.is_empty
    assert "resume" in list(again.describe())[-1]
    new = look(workspace, f"{THIRD}")
    assert new.new == images_of(THIRD)
    assert new.images[SECOND] == {ImageState.UNFINISHED: {(21, 0), (21, 1)}}
    assert list(new.describe()) == [
        f"night {SECOND}: 1 visit, 2 images: 2 not finished by earlier runs",
        f"night {THIRD}: 2 visits, 4 images: 4 new",
    ]
    where = new.narrow(workspace.campaign).where
    assert where == f"day_obs IN ({THIRD}) OR visit IN (21)"
    assert selected_by(new.narrow(workspace.campaign)) == images_of(THIRD) | {(21, 0), (21, 1)}
    assert not look(workspace, None).is_empty
    assert look(workspace, f"{FIRST}..").images[SECOND][ImageState.WITHOUT_WORK] == {(20, 0), (20, 1)}


def test_what_several_runs_have_not_associated_is_left_to_those_who_ask_for_it(
    tmp_path: Path, repository: Path, with_second_night: tuple[Workspace, str]
) -> None:
    workspace = open_workspace(tmp_path, repository)
    workspace.paths.apdb_config.parent.mkdir(parents=True)
    shutil.copy(with_second_night[1], workspace.paths.apdb_config)
    for hour in range(MOST_RUNS):
        record_images(workspace, FIRST, hour=hour)
    new = look(workspace, f"{FIRST}..")
    assert new.images[FIRST] == {ImageState.GIVEN_UP: images_of(FIRST)}
    assert new.narrow(workspace.campaign).day_obs == (THIRD,)
    assert "`apcampaign submit diffim --continue`" in list(new.describe())[-1]
    # Later visits have gone past these: they come after them, and are not refused.
    asked_for = look(workspace, None)
    assert asked_for.deferred.keys() == images_of(FIRST)
    assert not list(asked_for.obstacles("apdb.yaml"))
    # The next night is done without them, and nobody takes that for all of the campaign.
    record = record_images(workspace, THIRD)
    ledger = workspace.read_ledger()
    assert ledger.current() == (record,)
    left = find_left(workspace, ledger)
    assert {(each.visit, each.detector) for each in left.images} == images_of(FIRST)
    unit = SubmittedUnit(
        timestamp=record.timestamp, steps=(Step.DIFFIM,), runs=(record,), workspace=workspace
    )
    state = CampaignState(
        workspace=workspace, ledger=ledger, active=(), units=(unit,), versions={}, left=left
    )
    (refused,) = decide_resume(state, ResumeRequest()).obstacles
    assert "visit 10 detector 0" in refused.what
    assert "`apcampaign submit diffim --continue` goes on with them" in refused.what
    without = workspace.campaign.model_copy(update={"where": "visit NOT IN (10, 11)"})
    assert find_left(Workspace(without, workspace.runs), ledger) == LeftBehind()
    assert find_left(workspace, ledger.choose(record.output_run)) == LeftBehind()


def record_part(workspace: Workspace, made: set[tuple[int, int]]) -> RunRecord:
    """Record a part that has made all that the association of some images reads."""
    from lsst.daf.butler import Butler, DatasetType

    (run,) = plan_campaign(workspace.campaign, steps=[Step.DIFFIM], timestamp=f"{FIRST}T000000Z")
    part = replace(run, part="images-1", stage=Stage.IMAGES, division=run.timestamp)
    with Butler.from_config(workspace.campaign.butler, run=part.output_run, writeable=True) as butler:
        for name in MADE:
            kind = DatasetType(
                name, ("instrument", "visit", "detector"), "Config", universe=butler.dimensions
            )
            butler.registry.registerDatasetType(kind)
            data_ids = [{"instrument": "X", "visit": visit, "detector": detector} for visit, detector in made]
            butler.registry.insertDatasets(kind, data_ids, run=part.output_run)
    record = record_of(workspace, part, service="lsst.ctrl.bps.parsl.ParslService").model_copy(
        update={"part": part.part, "stage": part.stage, "division": part.division}
    )
    write_run(workspace.paths.run(part), record)
    return record


def test_an_image_that_a_part_has_made_and_no_association_has_is_left_and_comes_late(
    tmp_path: Path, repository: Path, with_second_night: tuple[Workspace, str]
) -> None:
    shutil.copytree(repository, tmp_path / "repo")
    workspace = open_workspace(tmp_path, tmp_path / "repo")
    workspace.paths.apdb_config.parent.mkdir(parents=True)
    shutil.copy(with_second_night[1], workspace.paths.apdb_config)
    made = {(10, 0), (20, 0)}  # of which the second is in the APDB
    part = record_part(workspace, made)
    # The association was planned when the first was not there, or it was given up.
    association = record_images(workspace, SECOND, without_work=images_of(SECOND)).model_copy(
        update={"part": "association-1", "stage": Stage.ASSOCIATION, "division": part.division}
    )
    files = workspace.paths.run(association)
    shutil.copytree(workspace.paths.step(Step.DIFFIM) / association.timestamp, files.folder)
    shutil.rmtree(workspace.paths.step(Step.DIFFIM) / association.timestamp)
    moved = {"output_run": f"{association.output_run}-association-1", "submit_dir": str(files.submit)}
    association = association.model_copy(update=moved)
    write_run(files, association)
    ledger = workspace.read_ledger()
    assert [run.name for run in ledger.current()] == ["diffim-images-1", "diffim-association-1"]
    (left,) = find_left(workspace, ledger).images
    assert left == LeftImage(visit=10, detector=0, output_run=part.output_run)
    new = look(workspace, None)
    assert new.images[FIRST][ImageState.UNFINISHED] == {(10, 0)}
    assert (10, 0) in new.deferred
    for failed_last in (False, True):
        deferred = find_deferred(ledger.current(), "X", failed_last=failed_last)
        assert deferred[10, 0] == 1
    assert (10, 0) in {(each.visit, each.detector) for each in find_skipped(ledger.current(), "X").skipped}


IMAGES = st.tuples(st.integers(1, 9), st.integers(0, 3))


@hypothesis.given(
    st.dictionaries(IMAGES, st.sampled_from(NIGHTS)),
    st.dictionaries(IMAGES, st.integers(1, MOST_RUNS)),
    *[st.frozensets(IMAGES)] * 3,
)
def test_each_image_that_is_selected_is_of_one_night_and_in_one_state(
    nights, runs, planned, done, undone
) -> None:
    runs = {**dict.fromkeys(planned | undone, 1), **runs}
    found = sort_images(KnownImages(nights=nights, runs=runs, planned=planned, done=done, undone=undone))
    listed = [
        (image, night) for night, states in found.items() for images in states.values() for image in images
    ]
    assert sorted(listed) == sorted(nights.items())
    new = NewImages(images=found, asked=NightSelection(NIGHTS))
    assert new.new == nights.keys() - runs.keys() - done
    assert new.is_empty == (not new.new)
    # All that is new is taken, and all that is left undone and was not given to too many runs.
    taken = {
        image for image, night in nights.items() if night in new.taken.nights or image[0] in new.taken.visits
    }
    left = {image for image in nights if image in undone or image in planned - done}
    assert new.new | {image for image in left if runs[image] < MOST_RUNS} <= taken
    assert new.pending <= taken


@pytest.mark.parametrize(
    ("text", "selection", "condition"),
    [
        ("20260911..", NightSelection(since=20260911), "day_obs >= 20260911"),
        ("20260911 20260910", NightSelection((20260910, 20260911)), "day_obs IN (20260910, 20260911)"),
        ("20260831..20260901", NightSelection((20260831, 20260901)), "day_obs IN (20260831, 20260901)"),
        (20260911, NightSelection((20260911,)), "day_obs IN (20260911)"),
    ],
)
def test_nights_are_some_or_all_from_one_on(text, selection, condition) -> None:
    assert NightSelection.read(text) == selection
    assert selection.condition == condition
    assert selection.add_visits([7, 3]).condition == f"{condition} OR visit IN (3, 7)"


@pytest.mark.parametrize(
    "text", ["20261301", "tonight", "20260911...", "..20260911", "20260912..20260911", ""]
)
def test_what_are_no_nights_is_refused_with_what_was_expected(text: str) -> None:
    with pytest.raises(SettingsError, match=r"no nights: .*; expected nights such as 20260905"):
        NightSelection.read(text)


def test_nights_cannot_be_added_to_a_query_that_is_written_whole(tmp_path: Path, repository: Path) -> None:
    diffim = {"pipeline": "p.yaml", "templates": "standing", "dataQuery": "visit > 1"}
    workspace = open_workspace(tmp_path, repository, diffim=diffim)
    with pytest.raises(SettingsError, match=r"whole data query.*--continue"):
        NightSelection.read(FIRST).select(workspace.campaign)


def test_a_submission_that_waits_is_planned_anew_when_the_campaign_is_free(
    tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(patience, "_POLL", 0.05)
    workspace = open_workspace(tmp_path, repository)
    ledger = workspace.read_ledger()
    planned: list[Ledger] = []

    class Attempt:
        def execute(self) -> Submission:
            with hold_ledger(planned[-1], [Step.DIFFIM]):
                return Submission(campaign="camp", timestamp="now", runs=())

    def plan() -> Attempt:
        # The first knows less than the ledger holds by then.
        planned.append(workspace.read_ledger() if planned else ledger)
        return Attempt()

    record_images(workspace, FIRST)
    program = (
        "import sys; from pathlib import Path; from apcampaign.ledger import submission_lock\n"
        "with submission_lock(Path(sys.argv[1])): print('mine', flush=True); sys.stdin.read()"
    )
    holder = [sys.executable, "-c", program, str(workspace.paths.step(Step.DIFFIM))]
    with subprocess.Popen(holder, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"mine\n"
        with pytest.raises(BusyError, match=rf"is being submitted by .*process {other.pid}\)"):
            plan().execute()
        with caplog.at_level("INFO"), ThreadPoolExecutor() as pool:
            waiting = pool.submit(patience.submit_when_idle, plan, lambda: None)
            while len(planned) < 4:
                time.sleep(0.02)
            other.communicate()
            assert waiting.result(timeout=60).campaign == "camp"
    assert "waiting: the diffim step of campaign camp is being submitted by" in caplog.text


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--night", "20260910", "--day-obs", "20260911"], "exclude each other"),
        (["--wait"], "--wait goes with --night"),
        (["--skip-late"], "--skip-late goes with --night"),
    ],
)
def test_options_that_do_not_go_together_are_refused(words: list[str], said: str) -> None:
    done = CliRunner().invoke(command, ["submit", *words])
    assert done.exit_code == ExitCode.USAGE
    assert said in done.output


def blocks_of(language: str) -> list[str]:
    text = (ROOT / "docs" / "nightly.md").read_text()
    return [block for found, block in FENCED.findall(text) if found == language]


def test_the_schedules_of_the_documents_run_and_say_what_is_new(tmp_path: Path, workspace: Workspace) -> None:
    """The very lines, with what they name at home: ~/campaign, and nothing of the LSST stack."""
    (script,), (cron,), units = blocks_of("bash"), blocks_of("text"), blocks_of("systemd")
    folder = tmp_path / "campaign"
    folder.mkdir()
    night = folder / "night.sh"
    night.write_text(script)
    night.chmod(0o755)
    (folder / "campaign.yaml").write_text(
        dump_campaign(workspace.campaign.model_copy(update={"where": "visit < 30"}))
    )
    environment = {
        "HOME": str(tmp_path),
        "PATH": f"{COMMAND.parent}:/usr/bin:/bin",
        "APCAMPAIGN_RUNS": str(workspace.runs),
    }
    *times, line = cron.strip().split(maxsplit=5)
    assert len(times) == 5
    done = subprocess.run(["/bin/sh", "-c", line], env=environment, check=False, timeout=120)
    log = (folder / "night.log").read_text()
    assert done.returncode == 0, log
    assert "nothing new: the campaign selects 8 images of 20260910 and later" in log
    service, timer = units
    assert f"ExecStart={str(night).replace(str(tmp_path), '%h')}\n" in service
    # What is no failure for good is tried again.
    assert "RestartPreventExitStatus=1 2 3\n" in service
    assert [ExitCode.NO, ExitCode.USAGE, ExitCode.UNKNOWN] == [1, 2, 3] != ExitCode.NOT_NOW
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze is not there")
    for name, unit in (("service", service), ("timer", timer)):
        (tmp_path / f"apcampaign-night.{name}").write_text(unit.replace("%h", str(tmp_path)))
    files = sorted(map(str, tmp_path.glob("apcampaign-night.*")))
    checked = subprocess.run(
        [analyze, "verify", *files], capture_output=True, text=True, check=False, timeout=60
    )
    assert not [line for line in checked.stderr.splitlines() if "apcampaign-night" in line], checked.stderr
