"""Retirement: what is removed, what never is, and going on where it was killed."""

import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from apcampaign.apdb import look_at_apdb, open_apdb
from apcampaign.bps import Step
from apcampaign.common.errors import BusyError, LedgerError, PreconditionError, SchedulerError
from apcampaign.doctor.model import Condition
from apcampaign.ledger import (
    RetirementAct,
    RetirementKind,
    RetirementRecord,
    RetirementScope,
    read_run,
    submission_lock,
    write_retirement,
    write_run,
)
from apcampaign.lifecycle.retirement import RetirementRequest, read_holdings
from apcampaign.lifecycle.retirement.continuation import find_differences, narrow
from apcampaign.lifecycle.retirement.holdings import TypeHolding
from apcampaign.scripts.cli import command
from apdb_content import Survey, associate
from click.testing import CliRunner
from retired_ground import TYPES, Ground, make_ground, run_and_kill

LEAST_DEATHS, MOST_DEATHS = 10, 40


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Where the campaigns of all tests are, and a copy of them as they were made."""
    folder = tmp_path_factory.mktemp("retirement") / "it's there"
    folder.mkdir()
    make_ground(folder, {name: f"sqlite:///{folder}/{name}.db" for name in ("mine", "theirs")})
    shutil.copytree(folder, saved := folder.with_name("saved"))
    return folder, saved


@pytest.fixture
def ground(untouched: tuple[Path, Path]) -> Ground:
    """The campaigns as they were made, which no other test has touched."""
    folder, saved = untouched
    shutil.rmtree(folder)
    shutil.copytree(saved, folder)
    return Ground(folder)


def test_what_a_campaign_holds_is_what_lies_there(ground: Ground) -> None:
    plan = ground.open().plan_retirement()
    holdings = plan.state.holdings
    assert (plan.acts, plan.obstacles) == ((), ())
    files = ground.list_files("mine")
    assert sum(each.datasets for each in holdings.types.values()) == len(files)
    assert sum(each.size for each in holdings.types.values()) == sum(path.stat().st_size for path in files)
    assert {run.record.step: set(run.types) for run in holdings.runs} == {
        step: set(types) for step, types in TYPES.items()
    }
    assert holdings.apdb is not None
    assert holdings.apdb.contents.tables["DiaSource"] > 0
    folder = ground.runs / "mine"
    of_runs = [path for path in folder.glob("*/*/**/*") if path.is_file()]
    assert sum(each.size for each in holdings.files) == sum(
        path.stat().st_size for path in (*of_runs, folder / "apdb_config.yaml")
    )


def test_intermediates_go_and_what_is_needed_later_stays(ground: Ground) -> None:
    before, theirs = ground.list_files("mine"), ground.look("theirs")
    plan = ground.open().plan_retirement(
        intermediates=True, keep=["direct_warp"], types=["*_log", "difference_image"]
    )
    assert plan.obstacles == ()
    record = plan.execute()
    wanted = {name for types in TYPES.values() for name, (_, intermediate) in types.items() if intermediate}
    wanted = wanted - {"direct_warp"} | {"difference_image"}
    assert {name for act in record.acts for name in act.dataset_types} == wanted
    left = {path.relative_to(ground.folder / "repo/u/me/mine").parts[2] for path in ground.list_files("mine")}
    assert left == {name for types in TYPES.values() for name in types} - wanted
    assert sum(act.datasets for act in record.acts) == len(before) - len(ground.list_files("mine"))
    assert "*_log" in " ".join(plan.notes)
    assert ground.look("theirs") == theirs
    assert ground.count_trash() == 0
    assert "retired at" in ground.open().status().retired[0].describe()


def assert_gone(ground: Ground, apdb: str, namespace: str | None) -> None:
    """See that nothing of a campaign is left but the record of that."""
    assert set(ground.look("mine")) <= {
        str(path) for path in (ground.runs / "mine").glob("retired/*.yaml")
    } | {str(ground.runs / "mine" / step / "submission.lock") for step in Step}
    assert ground.list_files("mine") == []
    # Those above are the operator's, with their other campaigns.
    assert [path.name for path in (ground.folder / "repo/u/me").iterdir()] == ["theirs"]
    assert ground.count_trash() == 0
    assert look_at_apdb(apdb, namespace) is None


def call(ground: Ground, *words: str, stdin: str = "") -> tuple[int, str]:
    """Call the command for the campaign that is to be retired."""
    options = ["--campaign", str(ground.folder / "mine.yaml"), "--runs", str(ground.runs)]
    done = CliRunner().invoke(command, [*words, *options], input=stdin)
    return done.exit_code, done.output


def test_everything_goes_and_nothing_of_others(ground: Ground) -> None:
    mine, theirs = ground.look("mine"), ground.look("theirs")
    code, said = call(ground, "retire")
    assert code == 0
    assert "post_isr_image" in said
    code, said = call(ground, "retire", "--everything", stdin="n\n")
    assert code != 0
    assert "Remove 24 datasets and 27 rows of the APDB" in said
    assert ground.look("mine") == mine
    archive = ground.folder / "mine.tar.gz"
    code, said = call(ground, "retire", "--everything", "--yes", "--json", "--archive", str(archive))
    assert code == 0
    assert '"kind": "apdb"' in said
    assert_gone(ground, f"sqlite:///{ground.folder}/mine.db", None)
    assert not (ground.folder / "mine.db").exists()
    assert ground.look("theirs") == theirs
    assert archive.exists()
    campaign = ground.open()
    (record,) = campaign.ledger().retirements
    assert campaign.status().retired == campaign.summary().retired == (record,)
    assert {state for _, state in campaign.runs()} == {"retired"}
    assert campaign.examine().findings == ()
    for words in ("status", "runs", "summary", "retire"):
        code, said = call(ground, words)
        assert "retired" in said
        assert code == (1 if words == "summary" else 0)  # nobody knows whether it was complete
    assert call(ground, "retire", "--everything", "--dry-run")[0] == 1


@pytest.mark.postgres
def test_only_the_namespace_of_the_campaign_goes(tmp_path: Path, postgres_url: str) -> None:
    ground = make_ground(tmp_path, dict.fromkeys(("mine", "theirs"), postgres_url))
    theirs = ground.look("theirs")
    assert kill_and_go_on(ground, {"everything": True})
    assert_gone(ground, postgres_url, "mine")
    assert ground.look("theirs") == theirs


def test_a_run_goes_alone_and_leaves_the_chains_that_held_it(ground: Ground) -> None:
    theirs = ground.look("theirs")
    campaign = ground.open()
    plan = campaign.plan_retirement(runs=["diffim/20260101T000000Z"])
    assert "2 associations in the APDB would be recorded by no run" in str(plan.obstacles[0])
    with pytest.raises(PreconditionError, match="2 associations"):
        plan.execute()
    (somebodys := ground.folder / "repo/u/me/mine/empty").mkdir()
    campaign.plan_retirement(runs=[ground.collection(Step.TEMPLATES)]).execute()
    assert {path.name for path in somebodys.parent.iterdir()} == {"diffim", "empty"}
    found = ground.look("mine")
    assert ground.collection(Step.TEMPLATES) not in found
    assert found["u/me/mine/diffim"][1] == (ground.collection(Step.DIFFIM), "inputs")
    assert ground.look("theirs") == theirs
    assert [record.step for record in campaign.ledger().runs] == [Step.DIFFIM]
    with pytest.raises(LedgerError, match="has no run 20250101T000000Z"):
        campaign.plan_retirement(runs=["20250101T000000Z"])


def chain_of_others(ground: Ground) -> None:
    from lsst.daf.butler import CollectionType

    with ground.butler() as butler:
        butler.collections.register("u/other/inner", CollectionType.CHAINED)
        butler.collections.redefine_chain("u/other/inner", [ground.collection(Step.TEMPLATES)])


def chain_of_the_chain(ground: Ground) -> None:
    from lsst.daf.butler import CollectionType

    with ground.butler() as butler:
        butler.collections.register("u/other/outer", CollectionType.CHAINED)
        butler.collections.redefine_chain("u/other/outer", ["u/me/mine/templates"])


def tag_of_others(ground: Ground) -> None:
    from lsst.daf.butler import CollectionType

    with ground.butler() as butler:
        butler.collections.register("u/other/tagged", CollectionType.TAGGED)
        refs = butler.query_datasets("template_coadd", ground.collection(Step.TEMPLATES))
        butler.registry.associate("u/other/tagged", refs)


def templates_of_theirs(ground: Ground) -> None:
    """Let another campaign have read the templates, of which no collection tells."""
    campaign = ground.open("theirs")
    (run,) = campaign.ledger().runs_of(Step.DIFFIM)
    changed = run.model_copy(update={"inputs": ("u/me/mine/templates", "inputs")})
    write_run(campaign.workspace.paths.run(run), changed)


def apdb_of_theirs(ground: Ground) -> None:
    """Let another campaign fill the same APDB, by a configuration of its own."""
    shutil.copy(ground.runs / "mine/apdb_config.yaml", ground.folder / "shared.yaml")
    campaign = ground.open("theirs")
    (run,) = campaign.ledger().runs_of(Step.DIFFIM)
    changed = run.model_copy(update={"apdb_config": str(ground.folder / "shared.yaml")})
    write_run(campaign.workspace.paths.run(run), changed)


def rows_of_others(ground: Ground) -> None:
    apdb = open_apdb(str(ground.runs / "mine/apdb_config.yaml"))
    associate(apdb, Survey(detectors=1, objects=3), 7, 0, 62000.0)


#: What others do with what is the campaign's, and how it is refused.
USES: dict[Callable[[Ground], None], str] = {
    chain_of_others: "the CHAINED collection u/other/inner uses u/me/mine/templates/20260101T000000Z",
    chain_of_the_chain: "the CHAINED collection u/other/outer uses u/me/mine/templates/20260101T000000Z",
    tag_of_others: "the TAGGED collection u/other/tagged uses template_coadd of u/me/mine/templates",
    templates_of_theirs: "campaign theirs, run u/me/theirs/diffim/20260101T000000Z, uses u/me/mine/templates",
    apdb_of_theirs: "campaign theirs uses the APDB in the SQLite file",
    rows_of_others: "the APDB holds 1 association that no run of campaign mine has recorded",
}


def test_what_others_use_is_refused_and_named(ground: Ground) -> None:
    for use in USES:
        use(ground)
    before = ground.look("mine"), ground.look("theirs")
    plan = ground.open().plan_retirement(everything=True)
    for said in USES.values():
        assert sum(str(obstacle).startswith(said) for obstacle in plan.obstacles) == 1
    with pytest.raises(PreconditionError):
        plan.execute()
    assert (ground.look("mine"), ground.look("theirs")) == before


def test_what_others_have_come_to_use_since_is_left(ground: Ground) -> None:
    """The APDB is gone by then; its run, and what comes after, is not touched."""
    plan = ground.open().plan_retirement(everything=True)
    tag_of_others(ground)
    with pytest.raises(PreconditionError, match="u/other/tagged"):
        plan.execute()
    found = ground.look("mine")
    assert sum(name.startswith("u/me/mine/templates/") for name in found) == 1
    assert "has not ended" in ground.open().status().retired[0].describe()
    again = ground.open().plan_retirement(everything=True)
    assert "u/other/tagged" in str(again.obstacles[0])


def test_an_apdb_that_is_to_stay_stays(ground: Ground) -> None:
    """And one that cannot be looked into is not removed."""
    plan = ground.open().plan_retirement(everything=True, keep_apdb=True)
    assert plan.obstacles == ()
    assert not {"apdb", "apdb_config.yaml"} & {
        name for act in plan.acts for name in (str(act.kind), act.name)
    }
    assert "stays, with its configuration" in " ".join(plan.notes)
    (ground.folder / "mine.db").write_text("no database, but a text that is longer than the head of one" * 99)
    assert ground.open().plan_retirement().obstacles == ()
    (obstacle,) = ground.open().plan_retirement(everything=True).obstacles
    assert "is not an SQLite database" in str(obstacle)


def test_an_apdb_that_the_campaign_was_given_stays(ground: Ground) -> None:
    file, config = ground.folder / "mine.yaml", ground.runs / "mine/apdb_config.yaml"
    content = yaml.safe_load(file.read_text())
    file.write_text(yaml.safe_dump({**content, "apdb": {"config": str(config)}}))
    campaign = ground.open()
    holdings = read_holdings(campaign.workspace, campaign.ledger())
    assert holdings.apdb is None
    assert "was given to the campaign, and stays" in holdings.apdb_note


def test_what_was_adopted_stays(ground: Ground) -> None:
    campaign = ground.open()
    (run,) = campaign.ledger().runs_of(Step.DIFFIM)
    files = campaign.workspace.paths.run(run)
    write_run(files, run.model_copy(update={"adopted_from": str(files.submit)}))
    plan = campaign.plan_retirement(everything=True)
    assert {"diffim", "u/me/mine/diffim"} & {act.name.partition("/2026")[0] for act in plan.acts} == set()
    assert f"adopted, and stays: {run.output_run}" in plan.notes
    assert "fills the APDB" in str(plan.obstacles[0])
    (obstacle, *_) = campaign.plan_retirement(runs=["diffim"]).obstacles
    assert "was adopted" in str(obstacle)


def test_an_active_campaign_is_refused(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    campaign = ground.open()
    plan = campaign.plan_retirement(everything=True)
    with submission_lock(campaign.workspace.paths.step(Step.DIFFIM)):
        refused = campaign.plan_retirement(everything=True)
        assert "diffim step is being submitted" in str(refused.obstacles[0])
        with pytest.raises(PreconditionError, match="is being submitted by"):
            plan.execute()
    for run in campaign.ledger().runs:
        files = campaign.workspace.paths.run(run)
        service = "lsst.ctrl.bps.htcondor.HTCondorService"
        write_run(files, read_run(files).model_copy(update={"wms_service": service}))
    monkeypatch.setenv("CONDOR_CONFIG", "/nowhere/condor_config")
    with pytest.raises(SchedulerError):
        campaign.plan_retirement(everything=True)


def test_intermediates_that_a_later_step_takes_over_are_refused(ground: Ground) -> None:
    shutil.rmtree(ground.runs / "mine/diffim")
    (obstacle,) = ground.open().plan_retirement(intermediates=True).obstacles
    assert "the diffim step of campaign mine has not begun" in str(obstacle)


def kill_and_go_on(ground: Ground, choice: dict[str, Any]) -> int:
    """Retire a campaign, and kill that at random writes, each time it goes on, until it has ended."""
    generator = random.Random(2)
    for deaths in range(MOST_DEATHS):
        # The first writes of each are its locks, and what it reads of the repository.
        _, killed = run_and_kill(lambda: ground.open().plan_retirement(**choice), generator.randrange(25, 75))
        if not killed:
            return deaths
    raise AssertionError(f"killed {MOST_DEATHS} times, it has not ended")


@pytest.mark.slow
def test_killed_at_any_moment_it_goes_on_and_touches_nothing_else(ground: Ground) -> None:
    theirs = ground.look("theirs")
    assert kill_and_go_on(ground, {"everything": True}) >= LEAST_DEATHS
    assert_gone(ground, f"sqlite:///{ground.folder}/mine.db", None)
    assert ground.look("theirs") == theirs
    (record,) = ground.open().ledger().retirements
    assert record.ended
    assert all(act.done for act in record.acts)


def test_killed_between_registry_and_datastore_no_file_is_forgotten(ground: Ground) -> None:
    """Butler itself would leave these files for ever: no query finds them any more."""
    files = ground.list_files("mine")
    _, killed = run_and_kill(lambda: ground.open().plan_retirement(intermediates=True), 0, only=".yaml")
    assert killed
    assert ground.list_files("mine") == files
    ground.open().plan_retirement(intermediates=True).execute()
    left = {path.parts[-3] for path in ground.list_files("mine")}
    assert len(files) > len(ground.list_files("mine")) > 0
    assert not {"post_isr_image", "preliminary_visit_image"} & left
    assert ground.count_trash() == 0


def test_another_choice_has_to_wait_for_the_one_that_was_interrupted(ground: Ground) -> None:
    run_and_kill(lambda: ground.open().plan_retirement(everything=True), 40)
    campaign = ground.open()
    (obstacle,) = campaign.plan_retirement(intermediates=True).obstacles
    for plan in (campaign.plan_submission(check=False), campaign.plan_resume()):
        assert "has not ended (everything): go on with" in str(plan.obstacles[0])
    assert "go on with it first: `apcampaign retire --everything`" in str(obstacle)
    (finding,) = campaign.examine().findings
    assert finding.condition is Condition.RETIREMENT
    assert "part" in finding.what
    assert finding.remedy.endswith("go on with `apcampaign retire --everything`")
    assert campaign.examine().good is False
    # It does not end by itself; what somebody does at this moment does.
    refused = {"killed": campaign.plan_submission(check=False).obstacles[0]}
    with submission_lock(campaign.workspace.paths.step(Step.DIFFIM)):
        refused["running"] = campaign.plan_submission(check=False).obstacles[0]
    assert {why: isinstance(error, BusyError) for why, error in refused.items()} == {
        "killed": False,
        "running": True,
    }


def test_what_is_to_be_kept_after_all_is_never_removed_by_going_on(ground: Ground) -> None:
    campaign = ground.open()
    acts = campaign.plan_retirement(everything=True).acts
    write_retirement(campaign.workspace.paths, begun(RetirementScope.EVERYTHING, acts=acts))
    apdb = ground.folder / "mine.db"
    apdb.rename(apdb.with_suffix(".away"))  # as if it had been killed before it wrote down that it is gone
    (obstacle,) = campaign.plan_retirement(everything=True, keep_apdb=True).obstacles
    assert "is removed already" in str(obstacle)
    assert "go on with it first: `apcampaign retire --everything`" in str(obstacle)
    apdb.with_suffix(".away").rename(apdb)
    plan = campaign.plan_retirement(everything=True, keep_apdb=True)
    assert plan.obstacles == ()
    assert "was to be removed too, and stays: the APDB" in " ".join(plan.notes)
    assert plan.execute().command == "apcampaign retire --everything --keep-apdb"
    assert look_at_apdb(str(campaign.workspace.paths.apdb_config)) is not None
    assert ground.list_files("mine") == []


def begun(scope: RetirementScope, **values: Any) -> RetirementRecord:
    """Make the record of a retirement that has not ended."""
    return RetirementRecord(
        campaign="mine", timestamp="20260101T000000Z", scope=scope, by="me@host", **values
    )


def test_what_differs_from_the_retirement_that_was_begun_is_named(ground: Ground) -> None:
    runs = ground.open().ledger().runs
    everything, intermediates = RetirementScope.EVERYTHING, RetirementScope.INTERMEDIATES
    both = begun(RetirementScope.RUNS, runs=runs)
    ends = tuple(run.output_run.partition("mine/")[2] for run in runs)
    for record, request, said in (
        (both, {"runs": ends}, ""),
        (both, {"runs": ends[:1]}, f"it removes {runs[1].output_run} too"),
        (begun(RetirementScope.RUNS, runs=runs[:1]), {"runs": ends}, f"it does not remove {ends[1]}"),
        (begun(everything), {"keep_apdb": True}, ""),
        (begun(everything, keep_apdb=True), {}, "it leaves the APDB"),
        (begun(intermediates), {"keep": ("a",)}, ""),
        (begun(intermediates, keep=("a", "b")), {"keep": ("a",)}, "it keeps b"),
        (begun(intermediates, dataset_types=("c",)), {}, "it counts c as intermediate"),
        (begun(intermediates), {"dataset_types": ("c",)}, "it does not count c as intermediate"),
    ):
        assert "; ".join(find_differences(record, RetirementRequest(scope=record.scope, **request))) == said
    kept = begun(intermediates, keep=("my_*",), dataset_types=("x",))
    assert kept.command == "apcampaign retire --intermediates --type x --keep 'my_*'"


def test_a_dataset_type_that_is_kept_after_all_leaves_the_acts() -> None:
    act = {"kind": RetirementKind.DATASETS, "datasets": 9, "size": 90}
    acts = (
        RetirementAct(name="done", dataset_types=("calexp", "icExp"), done=True, **act),
        RetirementAct(name="left", dataset_types=("calexp", "icExp"), **act),
        RetirementAct(name="none", dataset_types=("calexp",), **act),
    )
    request = RetirementRequest(scope=RetirementScope.INTERMEDIATES, keep=("calexp",))
    record = narrow(
        begun(request.scope or RetirementScope.RUNS, acts=acts),
        request,
        "apdb_config.yaml",
        {"left": {"icExp": TypeHolding(datasets=4, size=40), "calexp": TypeHolding(datasets=5, size=50)}},
    )
    assert [(each.name, each.dataset_types, each.datasets) for each in record.acts] == [
        ("done", ("calexp", "icExp"), 9),
        ("left", ("icExp",), 4),
    ]
    assert record.keep == ("calexp",)


def test_only_one_choice_can_be_made(tmp_path: Path) -> None:
    (campaign := tmp_path / "campaign.yaml").write_text("{name: x, butler: /nowhere, inCollection: inputs}\n")
    for words in (
        ["--intermediates", "--everything"],
        ["--keep", "x"],
        ["--keep-apdb"],
        ["--archive", "x.tar.gz"],
    ):
        assert CliRunner().invoke(command, ["retire", "--campaign", str(campaign), *words]).exit_code == 2


def test_a_pattern_decides_what_is_intermediate_but_never_on_logs() -> None:
    request = RetirementRequest(
        scope=RetirementScope.INTERMEDIATES, dataset_types=("my_*",), keep=("calexp",)
    )
    told = {
        name: request.is_intermediate(name)
        for name in ("my_image", "my_log", "calexp", "icExp", "template_coadd")
    }
    assert told == {
        "my_image": True,
        "my_log": False,
        "calexp": False,
        "icExp": True,
        "template_coadd": False,
    }
