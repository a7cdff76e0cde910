"""Looking into an APDB, through the command as people and machines use it."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from apcampaign.apdb import (
    RELIABILITY_EDGES,
    SNR_EDGES,
    ApdbExplorer,
    ApdbTarget,
    NotableKind,
    count_dia_objects,
    describe_apdb,
    describe_rows,
    init_apdb,
    open_apdb,
    plan_init,
    read_dia_objects,
    read_dia_sources,
    read_kept_sources,
    read_light_curves,
)
from apcampaign.common.errors import ApdbError
from apcampaign.scripts.commands.apdb import command
from apdb_content import Survey, run, run_sql
from click.testing import CliRunner
from lsst.sphgeom import HtmPixelization, LonLat, UnitVector3d


@pytest.fixture
def target(database, tmp_path):
    target = ApdbTarget.from_url(database, None if database.startswith("sqlite") else "camp")
    init_apdb(plan_init(target, instrument="LSSTCam-imSim", config=tmp_path / "apdb.yaml"))
    return target


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    """An SQLite file with an empty APDB."""
    folder = tmp_path_factory.mktemp("empty")
    target = ApdbTarget.from_url(f"sqlite:///{folder}/apdb.db")
    init_apdb(plan_init(target, instrument="LSSTCam-imSim", config=folder / "apdb.yaml"))
    return target.sqlite_path


@pytest.fixture
def odd(empty, tmp_path):
    """A copy of it, to be spoilt."""
    return ApdbTarget.from_url(f"sqlite:///{shutil.copy(empty, tmp_path)}")


def test_what_is_in_an_apdb_is_told(target, tmp_path):
    empty = describe_apdb(tmp_path / "apdb.yaml")
    assert (empty.visits, empty.visit_detectors, empty.time_range) == (0, 0, None)
    counts = run(open_apdb(target), Survey(), [1, 2])
    run_sql(target, "CREATE TABLE $mine (x INTEGER)")
    info = describe_apdb(target)
    assert info.instrument == "LSSTCam-imSim"
    assert info.compatible
    assert info.tables["DiaSource"] == sum(counts.values())
    assert (info.visits, info.visit_detectors) == (2, 4)
    assert info.time_range == (Survey.mjd(1), Survey.mjd(2))
    assert info.foreign == ("mine",)
    assert info.metadata["version:schema"] == info.versions["schema"]
    assert (info.owner is None) == target.is_sqlite


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE $metadata SET value = '9.0' WHERE name = 'version:schema'",
        "UPDATE $metadata SET value = '' WHERE name = 'version:ApdbSql'",
        "DELETE FROM $metadata WHERE name LIKE 'version:%'",
        "UPDATE $metadata SET value = '{\"a' WHERE name LIKE 'config:%'",
        "UPDATE $metadata SET value = '[1]' WHERE name LIKE 'config:%'",
        "DELETE FROM $metadata",
    ],
)
def test_metadata_that_make_no_sense_are_told_with_what_is_there(odd, change):
    run_sql(odd, change)
    if "config" not in change:
        assert not describe_apdb(odd).compatible
    with pytest.raises(
        ApdbError, match=r"metadata of the APDB in .* cannot be used: .*`apcampaign apdb info`"
    ):
        open_apdb(odd)


def test_where_and_how_often_something_was_detected(target):
    survey = Survey()
    counts = run(open_apdb(target), survey, [1, 2, 3, 4])
    sources = pd.concat([survey.sources(visit, detector) for visit, detector in counts])
    explorer = ApdbExplorer(target)
    by_image = explorer.count_by_image()
    assert {key: each.sources for key, each in by_image.items()} == counts
    # Every DiaObject was made for one DiaSource.
    assert sum(each.new for each in by_image.values()) == count_dia_objects(target)
    assert all(each.new == each.sources for (visit, _), each in by_image.items() if visit == 1)

    level, cells = explorer.count_by_pixel()
    assert sum(cell.sources for cell in cells.values()) == len(sources)
    pixels = HtmPixelization(level)
    expected = pd.Series(
        pixels.index(UnitVector3d(LonLat.fromDegrees(ra, dec)))
        for ra, dec in zip(sources["ra"], sources["dec"], strict=True)
    )
    assert {number: cell.sources for number, cell in cells.items()} == expected.value_counts().to_dict()
    coarse, few = explorer.count_by_pixel(most=2)
    assert coarse < level
    assert len(few) <= 2
    assert sum(cell.objects for cell in few.values()) == sum(cell.objects for cell in cells.values())

    measured = explorer.read_most_detected(count=3)
    pd.testing.assert_frame_equal(measured, read_light_curves(target, measured["diaObjectId"].unique()))
    detections = measured[~measured["forced"]].groupby("diaObjectId", sort=False).size()
    assert len(detections) == 3
    assert detections.is_monotonic_decreasing
    assert detections.max() == 4
    assert set(measured["visit"]) <= {1, 2, 3, 4}
    # What is withdrawn is not there.
    first = detections.index[0]
    withdraw = f"""UPDATE $DiaSource SET "timeWithdrawnMjdTai" = 61001 WHERE "diaObjectId" = {first}"""  # noqa: S608
    run_sql(target, withdraw)
    assert first not in set(explorer.read_most_detected(count=1)["diaObjectId"])
    left = sum(each.sources for each in explorer.count_by_image().values())
    assert left == len(sources) - detections.iloc[0]
    kept = read_kept_sources(target)
    assert len(kept) == left
    assert first not in set(kept["diaObjectId"])


def test_an_object_counts_once_however_many_versions_it_has(target, tmp_path):
    run(open_apdb(target), Survey(), [1, 2, 3])
    info, objects = describe_apdb(target), read_dia_objects(target)
    assert info.dia_objects == count_dia_objects(target) == len(objects) == objects["diaObjectId"].nunique()
    assert info.dia_objects < info.tables["DiaObject"]
    shown = f"{info.dia_objects} ({info.tables['DiaObject']} versions)"
    assert describe_rows(info.tables, info.dia_objects)["DiaObject"] == shown
    spoken = CliRunner().invoke(command, ["info", str(tmp_path / "apdb.yaml")], catch_exceptions=False)
    assert shown in spoken.stdout
    # The name of the column is that of the schema's version.
    run_sql(target, 'ALTER TABLE $DiaObject RENAME COLUMN "validityEndMjdTai" TO "validityEnd"')
    assert describe_apdb(target).dia_objects == info.dia_objects


def test_sources_are_counted_by_value_and_the_notable_ones_found(target):
    run(open_apdb(target), Survey(), [1, 2, 3])
    rest = '("diaSourceId" - {0} * ("diaSourceId" / {0}))'.format
    run_sql(
        target,
        f"UPDATE $DiaSource SET snr = 3.5 + {rest(89)}, reliability = 0.02 + 0.05 * {rest(20)}",  # noqa: S608
        f"UPDATE $DiaSource SET snr = NULL, reliability = NULL WHERE {rest(11)} = 0",  # noqa: S608
    )
    sources = read_dia_sources(target)
    explorer = ApdbExplorer(target)
    by_snr, by_reliability = explorer.count_by_value()
    known = sources.dropna(subset="snr")
    assert by_snr.pop(None) == by_reliability.pop(None) == len(sources) - len(known) > 0
    for counts, name, edges in (
        (by_snr, "snr", (*SNR_EDGES, np.inf)),
        (by_reliability, "reliability", (*RELIABILITY_EDGES[:-1], np.inf)),
    ):
        expected, _ = np.histogram(known[name], edges)
        assert [counts.get(place, 0) for place in range(len(expected))] == expected.tolist()
        assert sum(counts.values()) == len(known)

    run_sql(target, f'UPDATE $DiaSource SET "diaObjectId" = NULL WHERE {rest(7)} = 0')  # noqa: S608
    kept = read_kept_sources(target)
    of_none = sources["diaSourceId"] % 7 == 0
    assert kept["diaSourceId"].tolist() == sources["diaSourceId"].tolist()
    assert kept["diaObjectId"].tolist() == sources["diaObjectId"].where(~of_none, 0).tolist()
    assert kept["snr"].to_numpy() == pytest.approx(sources["snr"].to_numpy(float), nan_ok=True)
    run_sql(target, 'UPDATE $DiaSource SET "diaObjectId" = "diaSourceId" WHERE "diaObjectId" IS NULL')

    notable = explorer.find_notable(count=4)
    assert [len(each) for each in notable.values()] == [4, 4, 4]
    best = known.sort_values(["snr", "diaSourceId"], ascending=[False, True]).drop_duplicates("diaObjectId")
    assert [each.dia_source for each in notable[NotableKind.SIGNIFICANT]] == best["diaSourceId"].head(
        4
    ).tolist()
    worst = [each.reliability for each in notable[NotableKind.UNRELIABLE]]
    assert worst == sorted(worst)
    assert worst[0] == known["reliability"].min()
    for each in notable[NotableKind.NEW]:
        assert each.dia_source == each.dia_object
        assert each.visit == 3


def test_an_apdb_of_another_schema_version_is_described_but_not_opened(target):
    run_sql(target, "UPDATE $metadata SET value = '9.0.0' WHERE name = 'version:schema'")
    info = describe_apdb(target)
    assert not info.compatible
    with pytest.raises(ApdbError, match=r"does not fit the installed software: .*9\.0\.0"):
        open_apdb(target)


def test_a_place_without_an_apdb_is_named(database, tmp_path):
    target = ApdbTarget.from_url(database, None if database.startswith("sqlite") else "nothing")
    for look in (describe_apdb, open_apdb):
        with pytest.raises(ApdbError, match=r"there is no (APDB in|file) .*apcampaign apdb init"):
            look(target)


def test_the_command_speaks_to_people_and_to_machines(target, tmp_path):
    config = str(tmp_path / "apdb.yaml")
    spoken = CliRunner().invoke(command, ["info", config], catch_exceptions=False)
    assert spoken.exit_code == 0
    assert "LSSTCam-imSim" in spoken.stdout
    written = CliRunner().invoke(command, ["info", config, "--json"], catch_exceptions=False)
    assert json.loads(written.stdout)["tables"]["DiaForcedSource"] == 0


def test_the_campaign_says_which_apdb(tmp_path):
    """From the campaign file alone: where the APDB is made, and where it is looked for."""
    campaign = tmp_path / "campaign.yaml"
    campaign.write_text(
        f"name: small-1\nbutler: {tmp_path}/repo\ntracts: [3828]\ninCollection: 2.2i/defaults\n"
        f"apdb: {{url: 'sqlite:///{tmp_path}/small.db'}}\n"
    )
    options = ["--campaign", str(campaign), "--runs", str(tmp_path / "runs")]
    planned = CliRunner().invoke(command, ["init", *options, "--dry-run"], catch_exceptions=False)
    assert planned.exit_code == 0
    assert not (tmp_path / "small.db").exists()
    made = CliRunner().invoke(command, ["init", *options, "--json"], catch_exceptions=False)
    assert json.loads(made.stdout)["config"] == str(tmp_path / "runs/small-1/apdb_config.yaml")
    info = CliRunner().invoke(command, ["info", *options, "--json"], catch_exceptions=False)
    assert json.loads(info.stdout)["metadata"]["apcampaign:campaign"] == "small-1"
    dropped = CliRunner().invoke(command, ["init", *options, "--reset"], input="n\n", catch_exceptions=False)
    assert dropped.exit_code == 1


@pytest.mark.slow
def test_an_error_is_one_sentence_and_no_answer(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "apcampaign.scripts.cli", "apdb", "info", "nowhere.yaml"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 3
    assert done.stderr.startswith("apcampaign: there is no APDB configuration nowhere.yaml")
    assert done.stderr.count("\n") == 1
