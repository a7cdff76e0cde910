"""Records that were damaged, and those of folders that were moved."""

import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from apcampaign.bps import TIMESTAMP, CampaignConfig, Step, plan_campaign
from apcampaign.common.errors import LedgerError
from apcampaign.ledger import (
    CampaignPaths,
    DagPaths,
    DagRecord,
    Workspace,
    is_dag_whole,
    is_moved_dag,
    read_ledger,
    read_sound_ledger,
    restore_dag_record,
    restore_run,
    write_dag_record,
)
from apcampaign.monitor import read_jobs
from apcampaign.submit.executors.campaign_dag import write_campaign_dag
from apcampaign.submit.work import Work
from older_runs import unpack_older_runs


@pytest.fixture(scope="module")
def complete(tmp_path_factory: pytest.TempPathFactory) -> CampaignPaths:
    """A whole campaign, its files only."""
    folder = unpack_older_runs(tmp_path_factory.mktemp("older"), Path("/nowhere"))
    return CampaignPaths(folder / "complete" / "runs", "complete")


@pytest.fixture
def moved(tmp_path: Path, complete: CampaignPaths) -> CampaignPaths:
    """The same in another folder."""
    shutil.copytree(complete.runs, tmp_path / "elsewhere")
    return CampaignPaths(tmp_path / "elsewhere", "complete")


def test_records_name_the_folder_that_they_are_in(complete: CampaignPaths, moved: CampaignPaths) -> None:
    before, after = read_ledger(complete), read_ledger(moved)
    assert len(after.runs) == 2
    for old, new in zip(before.runs, after.runs, strict=True):
        files = moved.run(new)
        assert (new.config, new.submit_dir) == (str(files.config), str(files.submit))
        assert new.graph == str(files.graph(new.output_run))
        assert Path(new.graph).exists()
        changed = ("config", "submit_dir", "graph", "apdb_config")
        assert old.model_dump(exclude={*changed}) == new.model_dump(exclude={*changed})
    assert [run.apdb_config for run in after.runs] == [None, str(moved.apdb_config)]
    assert [is_moved_dag(files) for files, _ in (*before.dags, *after.dags)] == [False, True]


def test_a_folder_that_is_seen_under_another_name_was_not_moved(
    tmp_path: Path, complete: CampaignPaths
) -> None:
    (tmp_path / "mount").symlink_to(complete.runs.parent)
    seen = CampaignPaths(tmp_path / "mount" / "runs", "complete")
    assert read_ledger(seen).runs == read_ledger(complete).runs


@pytest.mark.parametrize("kept", [None, 0, 100, 700])
def test_a_run_record_is_made_again_from_the_files_beside_it(moved: CampaignPaths, kept: int | None) -> None:
    whole = read_ledger(moved).runs
    for run in whole:
        record = moved.run(run).record
        if kept is None:
            record.unlink()
        else:
            record.write_bytes(record.read_bytes()[:kept])
    with pytest.raises(LedgerError, match="apcampaign doctor --fix"):
        read_ledger(moved)
    ledger, damaged = read_sound_ledger(moved)
    assert (ledger.runs, len(ledger.dags), len(damaged)) == ((), 1, 2)
    for run in whole:
        # What is in no other file.
        expected = run.model_copy(update={"versions": {}, "config_hash": None})
        assert restore_run(moved, moved.run(run)) == expected


def test_what_was_never_run_and_has_no_record_is_no_run(moved: CampaignPaths) -> None:
    for run in read_ledger(moved).runs:
        moved.run(run).record.unlink()
        for path in moved.run(run).submit.glob("*.dag.dagman.out"):
            path.unlink()
    assert read_ledger(moved).runs == ()


def test_what_is_submitted_next_is_newer_whatever_the_clock_says(moved: CampaignPaths, caplog) -> None:
    ledger = read_ledger(moved)
    first = ledger.next_timestamp()
    assert abs(datetime.strptime(first, TIMESTAMP).replace(tzinfo=UTC) - datetime.now(UTC)) < timedelta(
        seconds=9
    )
    later = [run.model_copy(update={"timestamp": "29991231T235959Z"}) for run in ledger.runs]
    for changed in (
        replace(ledger, runs=tuple(later)),
        replace(ledger, dags=((DagPaths(moved.folder), later[0]),)),
    ):
        caplog.clear()
        assert changed.next_timestamp() == "30000101T000000Z"
        assert "behind the time of what campaign complete has submitted last" in caplog.text
    odd = replace(ledger, runs=(later[0].model_copy(update={"timestamp": "tonight"}),))
    assert odd.next_timestamp() >= first


def test_jobs_that_are_cut_off_are_told_with_what_to_do(moved: CampaignPaths, caplog) -> None:
    run = read_ledger(moved).current(Step.TEMPLATES)[0]
    files, jobs = moved.run(run), sum(run.jobs.values())
    dag = files.dag(run.output_run)
    assert is_dag_whole(files, run)
    whole = files.jobs.read_text()
    files.jobs.write_text(whole[: len(whole) // 2])
    assert len(read_jobs(files)) == jobs  # from its DAG
    assert "JSONDecodeError" in caplog.text
    dag.write_text(dag.read_text()[:2000])
    assert not is_dag_whole(files, run)
    for _ in range(2):
        with pytest.raises(LedgerError, match=r"is cut off: .*`apcampaign resume --new-graph`"):
            read_jobs(files)
        files.jobs.unlink(missing_ok=True)
    dag.unlink()
    with pytest.raises(LedgerError, match=r"cannot be read as a DAG: .*`apcampaign resume --new-graph`"):
        read_jobs(files)


def test_a_run_of_which_nothing_else_is_there_is_given_up(moved: CampaignPaths) -> None:
    run = read_ledger(moved).runs[0]
    moved.run(run).jobs.unlink()
    with pytest.raises(LedgerError, match="which gives that run up"):
        restore_run(moved, moved.run(run))


def test_the_record_of_a_campaign_dag_is_made_again_from_its_plan_and_log(tmp_path: Path) -> None:
    content = {"name": "camp", "butler": "/repo/dc2", "tracts": [3828], "inCollection": "2.2i/defaults"}
    workspace = Workspace(CampaignConfig.model_validate(content), tmp_path)
    files = write_campaign_dag(Work(workspace=workspace, plan=plan_campaign(workspace.campaign)))
    record = DagRecord(
        campaign="camp", timestamp=files.folder.name, cluster="9", runs=("templates", "diffim"), schedd="host"
    )
    write_dag_record(files, record)
    files.dag.with_name("campaign.dag.dagman.log").write_text(
        "000 (7.000.000) 2026-11-25 20:51:22 Job submitted\n...\n"
        "000 (009.000.000) 2026-11-25 21:51:22 Job submitted\n...\n"
    )
    text = files.record.read_text()
    files.record.write_text(f"{text}\x00")
    assert restore_dag_record(files) == record
    files.record.write_text(text[:20])
    assert restore_dag_record(files) == record.model_copy(update={"schedd": ""})


def test_a_campaign_dag_whose_record_is_gone_is_damaged_as_soon_as_a_run_was_prepared(
    moved: CampaignPaths,
) -> None:
    ledger = read_ledger(moved)
    (files, record), *_ = ledger.dags
    files = moved.dag(files.folder.name)
    files.folder.mkdir(parents=True, exist_ok=True)
    files.plan.write_text("runs: []\n")
    write_dag_record(files, record)
    assert not read_sound_ledger(moved)[1]
    files.record.unlink()
    # Jobs of it may be in the queue: they are not those of nobody.
    assert list(read_sound_ledger(moved)[1]) == [files]
    planned = moved.dag("30000101T000000Z")
    planned.folder.mkdir()
    planned.plan.write_text("runs: []\n")
    assert list(read_sound_ledger(moved)[1]) == [files]
