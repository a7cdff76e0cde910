"""Verification: a good run is good, and each kind of damage is found and named."""

# ruff: noqa: S608

import itertools
import json
import re
import shutil
import sqlite3
from pathlib import Path

import pytest
from apcampaign.apdb import (
    ApdbFindingKind,
    ApdbOptions,
    ApdbTarget,
    ExpectedAssociations,
    init_apdb,
    open_apdb,
    plan_init,
    read_expected_associations,
    verify_apdb,
)
from apcampaign.apdb.associations import AssociationTimes
from apcampaign.apdb.findings import StoredAssociation, compare
from apcampaign.apdb.locate import find_apdb
from apcampaign.apdb.matching import match_times
from apcampaign.apdb.tables import open_tables, snapshot
from apcampaign.common.errors import RepositoryError
from apcampaign.scripts.commands.apdb import command
from apdb_content import Copies, Survey, associate, run, run_sql
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

VISITS = [1, 2, 3, 4]
EVERYTHING = ApdbOptions(replica=True, dia_object_index="last_object_table")


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def copies(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("verify")
    url = f"sqlite:///{folder}/filled.db"
    if request.param == "postgres":
        server = request.getfixturevalue("postgres_server")
        server.create_database("verify")
        url = server.url("verify")
    return Copies(url, folder, EVERYTHING, Survey(), VISITS)


def found(target, counts, **more):
    result = verify_apdb(target, ExpectedAssociations(counts, "the record"), **more)
    assert sum(result.counts.values()) >= len(result.findings)
    assert result.good == (not result.findings)
    json.dumps(result.as_dict())
    return result


@pytest.mark.parametrize("order", ["sky", "detector", None])
def test_a_good_run_is_good(copies, order):
    result = found(copies.target, copies.counts, order=order)
    assert result.good
    assert (result.stored, result.expected) == (8, 8)
    assert result.sources == sum(copies.counts.values())
    assert result.forced > 50


OBJECT = '(SELECT min("diaObjectId") FROM $DiaForcedSource)'
FIRST = f'(SELECT min("validityStartMjdTai") FROM $DiaObject WHERE "diaObjectId" = {OBJECT})'
VERSION = f'"diaObjectId" = {OBJECT} AND "validityStartMjdTai" = {FIRST}'
SOURCE = '(SELECT min("diaSourceId") FROM $DiaSource WHERE visit = 2)'
END = '"validityEndMjdTai"'

DAMAGE = {
    "an association is gone": (
        [
            f"DELETE FROM ${table} WHERE visit = 2 AND detector = 1"
            for table in ("DiaSource", "DiaForcedSource")
        ],
        {ApdbFindingKind.MISSING: "recorded in the record with .* DiaSources, but not there"},
    ),
    "its sources are gone": (
        ["DELETE FROM $DiaSource WHERE visit = 2 AND detector = 1"],
        {ApdbFindingKind.MISSING: "has DiaForcedSources only"},
    ),
    "one source is gone": (
        [f'DELETE FROM $DiaSource WHERE "diaSourceId" = {SOURCE}'],
        {ApdbFindingKind.COUNT: "has lost rows: "},
    ),
    "an object is gone": (
        [f'DELETE FROM $DiaObject WHERE "diaObjectId" = {OBJECT}'],
        {
            ApdbFindingKind.ORPHAN: "Sources whose DiaObject does not exist, such as",
            ApdbFindingKind.LAST: "not the open one",
        },
    ),
    "a source has no object": (
        [f'UPDATE $DiaSource SET "diaObjectId" = NULL WHERE "diaSourceId" = {SOURCE}'],
        {ApdbFindingKind.ORPHAN: "1 DiaSources with neither a DiaObject nor a solar system object"},
    ),
    "a source is of object zero": (
        [f'UPDATE $DiaSource SET "diaObjectId" = 0, "ssObjectId" = 0 WHERE "diaSourceId" = {SOURCE}'],
        {ApdbFindingKind.ORPHAN: "1 DiaSources with neither a DiaObject nor a solar system object"},
    ),
    "an identifier is used twice": (
        ['UPDATE $DiaForcedSource SET "diaForcedSourceId" = 7 WHERE visit = 3 AND detector = 1'],
        {ApdbFindingKind.DUPLICATE: "rows have diaForcedSourceId 7"},
    ),
    "a version ends late": (
        [f"UPDATE $DiaObject SET {END} = {END} + 1e-5 WHERE {VERSION}"],
        {ApdbFindingKind.VALIDITY: "overlaps the next from"},
    ),
    "a version ends early": (
        [f"UPDATE $DiaObject SET {END} = {END} - 1e-5 WHERE {VERSION}"],
        {ApdbFindingKind.VALIDITY: "leaves a gap to the next from"},
    ),
    "a version has no end": (
        [f"UPDATE $DiaObject SET {END} = NULL WHERE {VERSION}"],
        {
            ApdbFindingKind.VALIDITY: "overlaps the next .* it has no end",
            ApdbFindingKind.LAST: "is not in DiaObjectLast",
        },
    ),
    "a version ends before it begins": (
        [f'UPDATE $DiaObject SET {END} = "validityStartMjdTai" - 1 WHERE {VERSION}'],
        {ApdbFindingKind.VALIDITY: "not after its start"},
    ),
    "a latest version is gone": (
        [f'DELETE FROM $DiaObjectLast WHERE "diaObjectId" = {OBJECT}'],
        {ApdbFindingKind.LAST: "its open version is not in DiaObjectLast"},
    ),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_is_found_and_named(copies, name):
    statements, expected = DAMAGE[name]
    target = copies.copy()
    run_sql(target, *statements)
    result = found(target, copies.counts)
    assert set(result.counts) == set(expected)
    for kind, message in expected.items():
        assert any(re.search(message, each.message) for each in result.findings if each.kind is kind)


def test_what_solar_system_objects_have_is_no_orphan(copies):
    target = copies.copy()
    run_sql(
        target, f'UPDATE $DiaSource SET "diaObjectId" = NULL, "ssObjectId" = 5 WHERE "diaSourceId" = {SOURCE}'
    )
    assert found(target, copies.counts).good


def test_a_source_that_is_there_twice_is_found(copies):
    target = copies.copy()
    again = f'INSERT INTO $DiaSource SELECT * FROM $DiaSource WHERE "diaSourceId" = {SOURCE}'
    if target.is_sqlite:
        # Without the foreign keys that make_engine switches on.
        connection = sqlite3.connect(target.sqlite_path)
        connection.executescript(
            'CREATE TABLE copy AS SELECT * FROM "DiaSource"; DROP TABLE "DiaSource";'
            f'ALTER TABLE copy RENAME TO "DiaSource"; {again.replace("$", "")}'
        )
        connection.close()
    else:
        run_sql(target, 'ALTER TABLE $DiaSource DROP CONSTRAINT "DiaSource_pkey" CASCADE', again)
    result = found(target, copies.counts)
    assert set(result.counts) == {ApdbFindingKind.DUPLICATE, ApdbFindingKind.COUNT}
    assert "2 rows have diaSourceId" in result.findings[-1].message


def test_what_was_written_but_not_recorded_is_found(copies):
    counts = {key: count for key, count in copies.counts.items() if key not in ((4, 0), (2, 1))}
    result = found(copies.target, counts)
    assert set(result.counts) == {ApdbFindingKind.UNRECORDED}
    assert result.unrecorded == ((2, 1), (4, 0))
    assert "but not recorded in the record" in result.findings[0].message


def test_what_was_recorded_but_not_written_is_found(copies):
    result = found(copies.target, {**copies.counts, (0, 7): 5, (3, 7): None, (9, 0): 1, (9, 1): 0})
    assert [(each.kind, each.visit, each.detector) for each in result.findings] == [
        (ApdbFindingKind.MISSING, 0, 7),
        (ApdbFindingKind.MISSING, 3, 7),
        (ApdbFindingKind.MISSING, 9, 0),
    ]


def test_an_image_that_was_written_twice_is_found(copies):
    target = copies.copy()
    associate(open_apdb(target), copies.survey, 4, 1, 61001.0, shift=50_000, forced_threshold=99)
    result = found(target, copies.counts)
    assert [(each.kind, each.visit, each.detector) for each in result.findings] == [
        (ApdbFindingKind.DOUBLED, 4, 1)
    ]


def test_only_so_many_findings_are_listed_but_all_are_counted(copies):
    target = copies.copy()
    run_sql(target, "DELETE FROM $DiaObjectLast")
    result = found(target, copies.counts, limit=3)
    assert len(result.findings) == 3
    assert result.counts[ApdbFindingKind.LAST] > 30


def new_apdb(database: str, folder: Path, **options) -> ApdbTarget:
    target = ApdbTarget.from_url(database, None if database.startswith("sqlite") else "camp")
    plan = plan_init(target, instrument="X", config=folder / "apdb.yaml", options=ApdbOptions(**options))
    init_apdb(plan)
    return target


def test_visits_of_the_same_sky_out_of_order_are_found(database, tmp_path):
    target = new_apdb(database, tmp_path)
    counts = run(open_apdb(target), Survey(detectors=1), [1, 3, 2])
    for order in ("sky", "detector"):
        result = found(target, counts, order=order)
        assert [(each.kind, each.visit, each.detector) for each in result.findings] == [
            (ApdbFindingKind.ORDER, 2, 0)
        ]
        assert "after visit 3, detector 0" in result.findings[0].message
        assert "2.0 minutes later" in result.findings[0].message
    assert found(target, counts, order=None).good


def test_visits_of_other_sky_need_no_order(database, tmp_path):
    target = new_apdb(database, tmp_path)
    apdb = open_apdb(target)
    counts = run(apdb, Survey(detectors=1), [2])
    counts |= run(apdb, Survey(detectors=1, dec0=-30), [1], start=61001)
    assert found(target, counts, order="sky").good
    assert set(found(target, counts, order="detector").counts) == {ApdbFindingKind.ORDER}


@pytest.mark.parametrize("order", [[1, 2, 3, 4], [3, 1, 4, 2]])
@pytest.mark.parametrize(
    "survey",
    [
        Survey(detectors=1),
        Survey(detectors=2, artifacts=0, chance=0.5, objects=6),
        # Nearly all images see the same objects.
        Survey(detectors=1, artifacts=0, chance=1.0, objects=5, seed=3),
    ],
    ids=["usual", "few", "same"],
)
def test_the_time_of_each_association_is_found(tmp_path, survey, order):
    target = new_apdb(f"sqlite:///{tmp_path}/apdb.db", tmp_path)
    counts = run(open_apdb(target), survey, order)
    truth = {key: 61000 + i / 1440 for i, key in enumerate(counts)}
    place = find_apdb(target)
    _, tables = open_tables(place)
    with snapshot(place) as connection:
        together = AssociationTimes(connection, tables).read_all(truth)
        each = AssociationTimes(connection, tables)
        alone = {key: each.of(key) for key in reversed(truth)}
    for said in (together, alone):
        certain = {key: one.time for key, one in said.items() if not one.ambiguous and counts[key]}
        assert certain == {key: truth[key] for key in certain}
        assert len(certain) == sum(1 for count in counts.values() if count)


@pytest.mark.parametrize(
    ("possible", "certain"),
    [
        ([], []),
        ([[1]], [1]),
        ([[]], [None]),
        # What is certain of one image helps with another.
        ([[1, 2], [2, 3], [2]], [1, 3, 2]),
        # Two can be exchanged, a third not.
        ([[1, 2], [1, 2], [1, 2, 3]], [None, None, 3]),
        # More times than images: one was written twice.
        ([[1, 2]], [None]),
        ([[1], [2, 3, 4], [3, 4]], [None, None, None]),
        # More images than times: who wrote nothing?
        ([[1], [1]], [None, None]),
        ([[1, 2], [1], [1], [2]], [None, None, None, None]),
        ([[1, 2], [1], [3]], [2, 1, 3]),
    ],
)
def test_times_are_told_if_there_is_one_way_to_deal_them_out(possible, certain):
    said = match_times({(i, 0): times for i, times in enumerate(possible)})
    assert [said.get((i, 0)) for i in range(len(possible))] == certain


@given(st.lists(st.sets(st.integers(1, 4)), max_size=4))
def test_matching_agrees_with_trying_all_ways(possible):
    times = sorted(set().union(*possible))
    ways = [
        way
        for way in itertools.product(*[[None, *each] for each in possible])
        if sorted(time for time in way if time) == times
    ]
    expected = {
        (i, 0): told.pop()
        for i in range(len(possible))
        if len(told := {way[i] for way in ways}) == 1 and None not in told
    }
    assert match_times({(i, 0): each for i, each in enumerate(possible)}) == expected


def test_comparing_is_one_pass_over_two_sorted_streams():
    stored = [
        StoredAssociation(v, d, n, 0, 60000.0, written_twice=False) for v, d, n in [(1, 2, 4), (2, 1, 6)]
    ]
    expected = ExpectedAssociations({(2, 1): 3, (1, 1): 9, (1, 2): 4}, "me")
    said = [(each.kind, each.visit, each.detector, each.rows) for each in compare(expected, iter(stored))]
    assert said == [(ApdbFindingKind.MISSING, 1, 1, 9), (ApdbFindingKind.DOUBLED, 2, 1, 3)]


def test_what_other_campaigns_have_associated_is_no_finding():
    stored = [StoredAssociation(v, 1, 4, 0, 60000.0, written_twice=False) for v in (1, 2, 3)]
    expected = ExpectedAssociations({(2, 1): 3}, "me", others=True)
    assert [(each.kind, each.visit) for each in compare(expected, iter(stored))] == [
        (ApdbFindingKind.COUNT, 2)
    ]


@pytest.fixture(scope="module")
def repository(tmp_path_factory, copies):
    """A Butler repository with what the associations would have left there."""
    import astropy.table
    from lsst.daf.butler import Butler, DatasetType
    from lsst.pex.config import Config

    root = tmp_path_factory.mktemp("butler") / "it's a repo"
    Butler.makeRepo(str(root))
    butler = Butler.from_config(str(root), run="u/me/camp/diffim", writeable=True)
    insert = butler.registry.insertDimensionData
    insert("instrument", {"name": "X", "class_name": "X", "detector_max": 2, "visit_max": 99})
    insert("physical_filter", {"instrument": "X", "name": "r", "band": "r"})
    insert("day_obs", {"instrument": "X", "id": 20250101})
    insert("detector", *[{"instrument": "X", "id": d, "full_name": str(d)} for d in (0, 1)])
    for visit in VISITS:
        record = {"instrument": "X", "id": visit, "name": str(visit), "physical_filter": "r"}
        insert("visit", {**record, "day_obs": 20250101})
    for name, storage in [("apdb_marker", "Config"), ("dia_source_apdb", "ArrowAstropy")]:
        dimensions = butler.dimensions.conform(["instrument", "visit", "detector"])
        butler.registry.registerDatasetType(DatasetType(name, dimensions, storage))
    for (visit, detector), count in copies.counts.items():
        data_id = {"instrument": "X", "visit": visit, "detector": detector}
        butler.put(Config(), "apdb_marker", data_id)
        butler.put(astropy.table.Table({"diaSourceId": range(count)}), "dia_source_apdb", data_id)
    return root


def test_butler_says_what_was_associated(repository, copies):
    expected = read_expected_associations(str(repository), ["u/me/camp/diffim"])
    assert expected.counts == copies.counts
    assert verify_apdb(copies.target, expected).good
    some = read_expected_associations(
        str(repository), ["u/me/camp/diffim"], where="instrument='X' AND visit > 3"
    )
    assert set(some.counts) == {(4, 0), (4, 1)}


def test_catalogues_that_are_gone_leave_the_number_unknown(repository, copies, tmp_path):
    root = tmp_path / "repo"
    shutil.copytree(repository, root)
    for path in root.glob("**/dia_source_apdb/**/*_2_*.parq"):
        path.unlink()
    counts = read_expected_associations(str(root), ["u/me/camp/diffim"]).counts
    assert {key: counts[key] for key in counts if key[0] == 2} == {(2, 0): None, (2, 1): None}
    assert {key: counts[key] for key in counts if key[0] != 2} == {
        key: count for key, count in copies.counts.items() if key[0] != 2
    }


def test_a_wrong_repository_or_collection_is_named(repository, tmp_path):
    with pytest.raises(RepositoryError, match=r"there is no Butler repository .*nowhere"):
        read_expected_associations(str(tmp_path / "nowhere"), ["c"])
    with pytest.raises(RepositoryError, match="has no collection u/other; wait for the end of the run"):
        read_expected_associations(str(repository), ["u/other"])


def test_the_command_exits_with_one_if_anything_is_wrong(repository, copies):
    reference = [copies.target.url, *(["--namespace", "camp"] if copies.target.namespace else [])]
    recorded = ["--butler", str(repository), "--collection", "u/me/camp/diffim"]
    good = CliRunner().invoke(command, ["verify", *reference, *recorded, "--json"], catch_exceptions=False)
    assert good.exit_code == 0
    assert json.loads(good.stdout)["expected"] == 8
    target = copies.copy()
    run_sql(target, "DELETE FROM $DiaSource WHERE visit = 3 AND detector = 0")
    reference[0] = target.url
    bad = CliRunner().invoke(command, ["verify", *reference, *recorded], catch_exceptions=False)
    assert bad.exit_code == 1
    assert "missing: 1" in bad.stdout
    assert bad.stdout.endswith(": 1 finding\n")
    alone = CliRunner().invoke(command, ["verify", *reference, "--no-butler"], catch_exceptions=False)
    assert alone.exit_code == 0
    assert "checked against itself: good" in alone.stdout
