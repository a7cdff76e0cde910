"""The same campaign again: a new file under names that are free, and nothing of the old one is touched."""

import hashlib
import json
from pathlib import Path

import pytest
import yaml
from apcampaign import Campaign
from apcampaign.apdb import ApdbTarget, init_apdb, plan_init
from apcampaign.common.errors import ApdbError, PreconditionError, SettingsError
from apcampaign.lifecycle.free_names import choose_names
from apcampaign.lifecycle.start_over import StartOverPlan
from apcampaign.scripts.cli import command
from click.testing import CliRunner

pytestmark = pytest.mark.slow

FILE = """\
# yaml-language-server: $schema=campaign.schema.json
# What we found out in June.
name: dc2          # as on the wiki
butler: {butler}
operator: me
tracts: [3828]     # not 3829: no calibrations
inCollection: 2.2i/defaults
diffim:
  where: visit > 1  # the others have no reference
{apdb}"""


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository that has collections of the old campaign, and of its second attempt."""
    from lsst.daf.butler import Butler, CollectionType

    root = tmp_path_factory.mktemp("again") / "repo"
    Butler.makeRepo(str(root))
    with Butler.from_config(str(root), writeable=True) as butler:
        butler.collections.register("u/me/dc2/templates", CollectionType.CHAINED)
        butler.collections.register("u/me/dc2-v2/templates/1")
    return root


@pytest.fixture
def folder(tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A campaign with an SQLite APDB."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path, repository, f"apdb:\n  url: sqlite:///{tmp_path}/apdb.db  # small\n")
    return tmp_path


def write(folder: Path, repository: Path, apdb: str) -> None:
    (folder / "campaign.yaml").write_text(FILE.format(butler=repository, apdb=apdb))


def start_over(to: str | None = None, **options: object) -> StartOverPlan:
    return Campaign.plan_start_over("campaign.yaml", to, **options)


def content_of(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_the_new_file_is_the_old_one_under_names_that_are_free(folder: Path) -> None:
    before = content_of(folder)
    plan = start_over()
    assert content_of(folder) == before
    # -v2 is taken in the repository.
    file = plan.execute()
    assert file == Path("campaign-v3.yaml")
    assert {**content_of(folder), str(file): ""} == {**before, str(file): ""}
    old, new = ((folder / name).read_text().splitlines() for name in ("campaign.yaml", file))
    assert [pair for pair in zip(old, new, strict=True) if pair[0] != pair[1]] == [
        ("name: dc2          # as on the wiki", "name: dc2-v3          # as on the wiki"),
        (f"  url: sqlite:///{folder}/apdb.db  # small", f"  url: sqlite:///{folder}/apdb-v3.db  # small"),
    ]
    campaign = Campaign.open(file)
    assert campaign.settings.root_collection == "u/me/dc2-v3"
    assert plan.commands == (
        "apcampaign apdb init --campaign campaign-v3.yaml",
        "apcampaign submit --campaign campaign-v3.yaml",
    )
    campaign.create_apdb()
    assert start_over().new.campaign.name == "dc2-v4"
    with pytest.raises(PreconditionError, match=r"campaign-v3\.yaml is there already"):
        plan.execute()


def test_names_are_free_in_runs_folder_and_database_too(folder: Path) -> None:
    (folder / "runs" / "dc2-v3").mkdir(parents=True)
    (folder / "apdb-v4.db").touch()
    (folder / "campaign-v5.yaml").touch()
    assert start_over().new.campaign.name == "dc2-v6"
    # A name that is given is not replaced by another.
    plan = start_over(name="dc2-v2")
    (error,) = plan.obstacles
    assert "has collections u/me/dc2-v2/…" in error.what
    with pytest.raises(PreconditionError, match="--name"):
        plan.execute()
    assert start_over(name="dc2").obstacles
    assert start_over(name="dc2-v2", check=False).obstacles == ()


def test_the_templates_of_the_old_campaign_can_be_kept(folder: Path, repository: Path) -> None:
    file = start_over(keep_templates=True).execute()
    settings = Campaign.open(file).settings
    assert settings.steps == ("diffim",)
    assert settings.diffim.templates == "u/me/dc2/templates"
    assert settings.diffim.skip_existing == ("u/me/dc2/templates",)
    assert "  where: visit > 1  # the others have no reference" in file.read_text().splitlines()
    # They are the old campaign's also where it is started over from the second one.
    assert "takes too" in str(Campaign.plan_start_over(file, keep_templates=True).obstacles[0])
    write(folder, repository, "outCollection: u/me/other\n")
    (error,) = start_over(keep_templates=True).obstacles
    assert "has no collection u/me/other/templates" in error.what


@pytest.mark.parametrize(
    ("apdb", "changes"),
    [
        ("apdb: {url: 'postgresql://me@host/db', namespace: mine}\n", {"apdb.namespace": "mine_v3"}),
        ("apdb:\n  url: postgresql://me@host/db\n", {}),
        ("outCollection: shared/{name}\n", {}),
        ("outCollection: shared/night\n", {"outCollection": "shared/night-v3"}),
    ],
)
def test_what_follows_from_the_name_is_not_written(
    folder: Path, repository: Path, apdb: str, changes: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write(folder, repository, apdb)
    plan = start_over(name="dc2-v3", check=False)
    renamed = {
        key: value.replace("_v3", "_dc2_v3").replace("-v3", "-dc2-v3") for key, value in changes.items()
    }
    assert plan.changes == {"name": "dc2-v3", **renamed}
    target = plan.new.target
    assert target is None or target.namespace == renamed.get("apdb.namespace", "dc2_v3")


def test_where_only_apdb_init_was_told_the_database_the_new_file_names_it(
    folder: Path, repository: Path
) -> None:
    write(folder, repository, "")
    Campaign.open().create_apdb(f"sqlite:///{folder}/found.db")
    assert start_over().changes["apdb.url"] == f"sqlite:///{folder}/found-v3.db"
    assert start_over(database="postgresql://me@host/db", check=False).new.target == ApdbTarget.from_url(
        "postgresql://me@host/db", "dc2_v2"
    )
    assert "--db" not in start_over().commands[0]


def test_a_file_for_every_night_stays_one(folder: Path, repository: Path) -> None:
    write(folder, repository, 'outCollection: "nights/{day_obs}"\n')
    text = (folder / "campaign.yaml").read_text().replace("name: dc2 ", 'name: "night-{day_obs}" ')
    (folder / "campaign.yaml").write_text(text)
    with pytest.raises(SettingsError, match="names the night"):
        start_over()
    plan = start_over(day_obs=20260905)
    assert plan.changes == {"name": "night-{day_obs}-v2", "outCollection": "nights/{day_obs}-v2"}
    assert plan.new.campaign.root_collection == "nights/20260905-v2"
    assert plan.commands[1] == "apcampaign submit --campaign campaign-v2.yaml --day-obs 20260905"


def test_beside_a_ready_apdb_none_is_made_unless_a_database_is_named(folder: Path, repository: Path) -> None:
    write(folder, repository, "apdb: {config: 'label:prod', filled: true}\n")
    before = content_of(folder)
    with pytest.raises(SettingsError, match=r"ready APDB label:prod.*--db"):
        start_over()
    assert content_of(folder) == before
    plan = start_over(database=f"sqlite:///{folder}/own.db")
    assert plan.changes == {"name": "dc2-v3", "apdb.config": None, "apdb.url": f"sqlite:///{folder}/own.db"}


def test_bad_input_changes_nothing(folder: Path, repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = content_of(folder)
    with pytest.raises(SettingsError, match="in another folder"):
        start_over(to="elsewhere/campaign.yaml")
    with pytest.raises(SettingsError, match="not a campaign name"):
        start_over(name="a b")
    with pytest.raises(SettingsError, match="holds a password"):
        start_over(database="postgresql://me:hunter2@host/db")
    with pytest.raises(ApdbError):
        start_over(database="postgresql://me@127.0.0.1:9/db")
    with pytest.raises(SettingsError, match="no campaign file"):
        Campaign.plan_start_over("nowhere.yaml")
    monkeypatch.setenv("APCAMPAIGN_DB", f"sqlite:///{folder}/apdb.db")
    assert "is that of dc2" in start_over().obstacles[0].what
    assert content_of(folder) == before


def test_what_was_submitted_with_other_options_is_told(folder: Path) -> None:
    from apcampaign.bps import Step, dump_campaign, plan_campaign
    from apcampaign.ledger import write_run
    from run_records import record_of

    workspace = Campaign.open(tracts=[3829]).workspace
    run = plan_campaign(workspace.campaign).runs_of(Step.TEMPLATES)[0]
    files = workspace.paths.run(run)
    write_run(files, record_of(workspace, run, service="lsst.ctrl.bps.parsl.ParslService"))
    files.campaign.write_text(dump_campaign(workspace.campaign))
    (note,) = start_over().notes
    assert "other settings than its file has (tracts)" in note


def test_the_command_shows_and_then_writes(folder: Path) -> None:
    shown = CliRunner().invoke(command, ["start-over", "--dry-run", "--json"])
    assert shown.exit_code == 0, shown.output
    told = json.loads(shown.stdout)
    assert (told["name"], told["file"]) == ("dc2-v3", "campaign-v3.yaml")
    assert not (folder / "campaign-v3.yaml").exists()
    done = CliRunner().invoke(command, ["start-over", "again.yaml", "--name", "june"])
    assert done.exit_code == 0, done.output
    assert "next: `apcampaign apdb init --campaign again.yaml`, then" in done.stdout
    assert yaml.safe_load((folder / "again.yaml").read_text())["name"] == "june"
    assert CliRunner().invoke(command, ["start-over", "--dry-run", "--name", "dc2"]).exit_code == 1


@pytest.mark.postgres
def test_a_namespace_that_is_there_is_not_free(folder: Path, repository: Path, postgres_url: str) -> None:
    write(folder, repository, f"apdb:\n  url: {postgres_url}\n")
    for namespace in ("dc2", "dc2_v3"):
        init_apdb(
            plan_init(
                ApdbTarget.from_url(postgres_url, namespace),
                instrument="X",
                config=folder / f"{namespace}.yaml",
            )
        )
    assert start_over().new.campaign.name == "dc2-v4"


@pytest.mark.parametrize(
    ("name", "names"),
    [
        ("dc2-test-med-1", ["dc2-test-med-1-v2", "dc2-test-med-1-v3"]),
        ("dc2-v2", ["dc2-v3", "dc2-v4"]),
        ("daytimeAP-{day_obs}", ["daytimeAP-{day_obs}-v2", "daytimeAP-{day_obs}-v3"]),
    ],
)
def test_attempts_are_numbered(name: str, names: list[str]) -> None:
    assert [choose_names(name, attempt).name for attempt in (1, 2)] == names


def test_a_long_namespace_stays_one(folder: Path, repository: Path) -> None:
    names = choose_names("x" * 80, 1)
    assert names.rename_namespace("a" * 63) == "a" * 60 + "_v2"
    assert (
        choose_names("a", 2).rename_file("sqlite:////tmp/a.b/apdb-v2.db") == "sqlite:////tmp/a.b/apdb-v3.db"
    )
