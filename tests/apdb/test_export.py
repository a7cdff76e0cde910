"""Export and import: what comes out of an APDB goes into another, exactly, or nothing does."""

import json
import logging
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlalchemy
from apcampaign.apdb import ApdbOptions, ApdbTarget, describe_apdb, init_apdb, plan_init, verify_apdb
from apcampaign.apdb.connection import make_engine
from apcampaign.apdb.export import (
    Circle,
    Selection,
    export_apdb,
    import_apdb,
    parse_visits,
    plan_export,
    plan_import,
)
from apcampaign.apdb.export.digest import ContentDigest
from apcampaign.apdb.sky import separation, within
from apcampaign.common.errors import ApdbError, FileError, PreconditionError
from apcampaign.scripts.commands.apdb import command
from apdb_content import Copies, Survey, dump, run_sql
from click.testing import CliRunner

EVERYTHING = ApdbOptions(replica=True, dia_object_index="last_object_table")
VISITS = [1, 2, 3]
#: Read with double precision and rounded, its shortest text is another number.
AWKWARD = float(np.float32("7.038531e-26"))
LARGEST = 2**63 - 1
TEXT = 'é"\n,\\N'
#: What databases, CSV and Parquet confuse most easily, in columns of all types.
SEEN = "2026-01-02 03:04:05.678901"
HOSTILE = (
    f"""UPDATE $DiaSource SET "psfFlux" = {AWKWARD!r}, "ssObjectId" = {LARGEST}, "reliabilityVersion" = '{TEXT}',
        "psfFlux_flag" = true, "centroid_flag" = false, snr = NULL, blob = {{blob}}, seen = '{SEEN}{{zone}}'
        WHERE "diaSourceId" = 100000000""",  # noqa: S608
    """UPDATE $DiaSource SET "reliabilityVersion" = '', "parentDiaSourceId" = -1, "apFlux" = 3.4028234663852886e38
        WHERE "diaSourceId" = 100000001""",
    "INSERT INTO $DiaObject_To_Object_Match VALUES (1, 2, 0.5, NULL)",
    "INSERT INTO $DiaObject_To_Object_Match VALUES (1, 2, NULL, -1.5)",
)


def add_columns(target: ApdbTarget) -> None:
    """Add columns of the types that the schema does not use now."""
    blob, seen = ("BLOB", "TIMESTAMP") if target.is_sqlite else ("BYTEA", "TIMESTAMP WITH TIME ZONE")
    run_sql(
        target,
        f"ALTER TABLE $DiaSource ADD COLUMN blob {blob}",
        f"ALTER TABLE $DiaSource ADD COLUMN seen {seen}",
    )


class Apdbs:
    """A filled APDB in each kind of database, and empty ones like it."""

    def __init__(self, request, folder: Path):
        self._request, self.folder, self._filled, self._number = request, folder, {}, 0

    def _url(self, backend: str) -> str:
        self._number += 1
        if backend == "sqlite":
            return f"sqlite:///{self.folder}/{self._number}.db"
        server = self._request.getfixturevalue("postgres_server")
        server.create_database(f"export_{self._number}")
        return server.url(f"export_{self._number}")

    def filled(self, backend: str) -> ApdbTarget:
        if backend not in self._filled:
            folder = self.folder / f"filled-{backend}"
            folder.mkdir()
            made = Copies(self._url(backend), folder, EVERYTHING, Survey(), VISITS)
            blob = "x'00ff27'" if backend == "sqlite" else r"'\x00ff27'"
            add_columns(made.target)
            zone = "" if backend == "sqlite" else "+00"
            run_sql(made.target, *(each.replace("{blob}", blob).replace("{zone}", zone) for each in HOSTILE))
            self._filled[backend] = made.target
        return self._filled[backend]

    def empty(self, backend: str, options: ApdbOptions = EVERYTHING, instrument: str = "X") -> ApdbTarget:
        target = ApdbTarget.from_url(self._url(backend), None if backend == "sqlite" else "copy")
        config = self.folder / f"{self._number}.yaml"
        init_apdb(plan_init(target, instrument=instrument, config=config, options=options, campaign="night"))
        if options == EVERYTHING:
            add_columns(target)
        return target


@pytest.fixture(scope="module")
def apdbs(request, tmp_path_factory):
    return Apdbs(request, tmp_path_factory.mktemp("apdbs"))


@pytest.fixture(scope="module")
def exported(apdbs):
    """An export of the APDB in SQLite."""
    folder = apdbs.folder / "exported"
    export_apdb(plan_export(apdbs.filled("sqlite"), folder))
    return folder


def first_source(target: ApdbTarget) -> dict:
    schema = f"{target.namespace}." if target.namespace else ""
    with make_engine(target).connect() as connection:
        columns = '*, CAST("psfFlux" AS double precision) AS flux'
        query = f'SELECT {columns} FROM {schema}"DiaSource" WHERE "diaSourceId" = 100000000'  # noqa: S608
        return dict(connection.execute(sqlalchemy.text(query)).mappings().one())


POSTGRES = pytest.mark.postgres
WAYS = [
    ("sqlite", "sqlite"),
    pytest.param("sqlite", "postgres", marks=POSTGRES),
    pytest.param("postgres", "postgres", marks=POSTGRES),
    pytest.param("postgres", "sqlite", marks=POSTGRES),
]


@pytest.mark.slow
@pytest.mark.parametrize(("source", "copy"), WAYS)
def test_an_imported_apdb_equals_the_exported_one_whatever_database_each_is_in(
    apdbs, tmp_path, source, copy, caplog, monkeypatch
):
    monkeypatch.setattr(logging.getLogger("apcampaign.common.progress"), "propagate", True)
    caplog.set_level(logging.DEBUG, "apcampaign.common.progress")
    original, target = apdbs.filled(source), apdbs.empty(copy)
    done = export_apdb(plan_export(original, tmp_path / "export"))
    plan = plan_import(tmp_path / "export", target)
    imported = import_apdb(plan)
    rows = done.manifest.rows
    assert [
        (progress.done, progress.total)
        for progress in (record.progress for record in caplog.records)
        if progress.ended and progress.unit == "rows"
    ] == [(sum(rows.values()),) * 2, (sum(rows.values()) - rows["metadata"],) * 2]
    assert imported.rows == done.manifest.rows
    assert {name: len(rows) for name, rows in dump(target).items()} == {
        name: rows for name, rows in imported.rows.items() if name != "metadata"
    }
    if source == copy:
        assert dump(target) == dump(original)
        again = export_apdb(plan_export(target, tmp_path / "again")).manifest.files["DiaSource.parquet"]
        assert again.content_digest == done.manifest.files["DiaSource.parquet"].content_digest
    row = first_source(target)
    assert (row["flux"], row["ssObjectId"], row["reliabilityVersion"]) == (AWKWARD, LARGEST, TEXT)
    assert (bool(row["psfFlux_flag"]), bool(row["centroid_flag"]), row["snr"]) == (True, False, None)
    assert row["centroid_flag"] is not None
    assert bytes(row["blob"]) == b"\x00\xff'"
    assert str(row["seen"]).startswith(SEEN)
    theirs, ours = describe_apdb(original), describe_apdb(target)
    alike = ("instrument", "visits", "visit_detectors", "time_range", "dia_objects", "compatible")
    assert [getattr(ours, name) for name in alike] == [getattr(theirs, name) for name in alike]
    assert ours.metadata["version:schema"] == theirs.metadata["version:schema"]
    assert theirs.target.place in ours.metadata["apcampaign:imported_from"]
    assert ours.metadata["apcampaign:campaign"] == "night"
    assert verify_apdb(target, None).counts == verify_apdb(original, None).counts


@POSTGRES
@pytest.mark.slow
def test_nan_and_null_stay_what_they_are_and_sqlite_is_refused_what_it_cannot_hold(apdbs, tmp_path):
    original = apdbs.filled("postgres")
    columns = '"apFlux" = {}, "apFluxErr" = {}, "dipoleChi2" = {}'
    values = f'UPDATE $DiaSource SET {columns} WHERE "diaSourceId" = 100000002'  # noqa: S608
    run_sql(original, values.format("'NaN'", "'-Infinity'", "'-0'"))
    done = export_apdb(plan_export(original, tmp_path / "export"))
    assert done.manifest.files["DiaSource.parquet"].nan == {"apFlux": 1}
    target = apdbs.empty("postgres")
    import_apdb(plan_import(tmp_path / "export", target))
    assert dump(target).keys() == dump(original).keys()
    rows = [
        (row["apFlux"], row["apFluxErr"], math.copysign(1, row["dipoleChi2"]))
        for row in pq.read_table(tmp_path / "export" / "DiaSource.parquet").to_pylist()
        if row["diaSourceId"] == 100000002
    ]
    assert str(rows) == "[(nan, -inf, -1.0)]"
    with make_engine(target).connect() as connection:
        columns = '"apFlux"::text, "apFluxErr"::text, "dipoleChi2"::text'
        query = f'SELECT {columns} FROM copy."DiaSource" WHERE "diaSourceId"'  # noqa: S608
        found = [connection.exec_driver_sql(f"{query} = {number}").one() for number in (100000002, 100000003)]
    assert [tuple(row) for row in found] == [("NaN", "-Infinity", "-0"), (None, None, None)]
    refused = plan_import(tmp_path / "export", apdbs.empty("sqlite")).obstacles
    assert ["1 NaN (in apFlux), which SQLite cannot hold" in str(error) for error in refused] == [True]
    run_sql(original, values.format("NULL", "NULL", "NULL"))


def test_numbers_that_sqlite_holds_with_more_digits_than_their_column_has_are_not_cut(exported):
    manifest = json.loads((exported / "manifest.json").read_text())
    assert {"psfFlux", "x"} <= set(manifest["files"]["DiaSource.parquet"]["wide"])
    schema = pq.read_schema(exported / "DiaSource.parquet")
    assert schema.field("x").type == pa.float64()
    assert schema.field("psfFluxErr").type == pa.float32()


def test_units_and_provenance_are_where_readers_look_for_them(apdbs, exported):
    from astropy.table import Table
    from lsst.daf.butler.formatters.parquet import arrow_to_astropy

    path = exported / "DiaSource.parquet"
    schema = pq.read_schema(path)
    assert schema.field("psfFlux").metadata[b"unit"] == b"nJy"
    assert schema.field("ra").metadata == {
        b"description": b"Right ascension coordinate of the center of this diaSource.",
        b"unit": b"deg",
        b"ucd": b"pos.eq.ra",
    }
    assert b'ucd="pos.eq.ra"' in schema.metadata[b"IVOA.VOTable-Parquet.content"]
    assert schema.metadata[b"apcampaign:instrument"] == b"X"
    assert schema.metadata[b"apcampaign:schema_version"] == b"10.0.0"
    for table in (Table.read(path), arrow_to_astropy(pq.read_table(path))):
        assert (table["psfFlux"].unit, table["ra"].unit, len(table)) == ("nJy", "deg", 65)
        assert "Right ascension" in table["ra"].description
    frame = pd.read_parquet(path)
    assert frame["ssObjectId"].dtype == "Int64"  # as a float, identifiers would lose digits
    assert frame.set_index("diaSourceId")["ssObjectId"][100000000] == LARGEST
    assert frame["psfFlux_flag"].dtype == "boolean"


@POSTGRES
@pytest.mark.slow
def test_no_password_gets_into_an_export(apdbs, postgres_server, tmp_path):
    target = apdbs.filled("postgres")
    password = postgres_server.passfile.read_text().strip().rpartition(":")[2]
    url = sqlalchemy.make_url(target.url).set(password=password, query={})
    given = ApdbTarget.from_url(url.render_as_string(hide_password=False), target.namespace)
    export_apdb(plan_export(given, tmp_path / "export"))
    files = list((tmp_path / "export").iterdir())
    assert len(files) == 12
    assert not [path for path in files if password.encode() in path.read_bytes()]


BACKENDS = ["sqlite", pytest.param("postgres", marks=[POSTGRES, pytest.mark.slow])]


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_part_is_sources_that_fulfil_all_conditions_and_the_objects_they_belong_to(
    apdbs, tmp_path, backend
):
    original = apdbs.filled(backend)
    whole = {name: pq.read_table(path).to_pandas() for name, path in whole_files(apdbs, original).items()}
    circle = Circle(np.float64(56.8), np.float64(-36.3), 0.1)
    begin = np.float64(Survey.mjd(2))
    selection = Selection(visits=((1, 1), (np.int64(2), 9)), circle=circle, time=(begin, 70000.0))
    plan = plan_export(original, tmp_path / "part", selection)
    done = export_apdb(plan)
    assert done.manifest.rows == plan.rows
    assert "DiaSourceChunks" not in plan.rows
    expected = {}
    for name in ("DiaSource", "DiaForcedSource"):
        rows = whole[name]
        places = zip(rows["ra"], rows["dec"], strict=True)
        near = np.array([separation(circle, ra, dec) <= 0.1 for ra, dec in places])
        expected[name] = rows[near & (rows["midpointMjdTai"] >= begin)]
    assert 0 < len(expected["DiaSource"]) < len(whole["DiaSource"]) / 2
    ids = set(expected["DiaSource"]["diaObjectId"]) | set(expected["DiaForcedSource"]["diaObjectId"])
    expected["DiaObject"] = whole["DiaObject"][whole["DiaObject"]["diaObjectId"].isin(ids)]
    for name, rows in expected.items():
        written = pq.read_table(tmp_path / "part" / f"{name}.parquet").to_pandas()
        pd.testing.assert_frame_equal(written, rows.reset_index(drop=True))


def whole_files(apdbs, target: ApdbTarget) -> dict[str, Path]:
    folder = apdbs.folder / f"whole-{'sqlite' if target.is_sqlite else 'postgres'}"
    if not folder.exists():
        export_apdb(plan_export(target, folder))
    return {name: folder / f"{name}.parquet" for name in ("DiaSource", "DiaForcedSource", "DiaObject")}


@pytest.mark.parametrize(
    ("ra", "dec", "radius"), [(0.02, 0, 0.1), (359.9, 60, 0.3), (120, 89.9, 0.3), (10, -90, 2)]
)
def test_a_circle_is_round_also_at_the_poles_and_where_right_ascension_begins(ra, dec, radius):
    from lsst.sphgeom import HtmPixelization, LonLat, UnitVector3d

    circle, rng = Circle(ra, dec, radius), np.random.default_rng(1)
    places = [
        ((ra + spread / max(0.01, math.cos(math.radians(dec)))) % 360, max(-90.0, min(90.0, dec + up)))
        for spread, up in rng.uniform(-2 * radius, 2 * radius, (300, 2))
    ]
    pixels = HtmPixelization(20)
    engine = sqlalchemy.create_engine("sqlite://")
    table = sqlalchemy.Table(
        "place",
        sqlalchemy.MetaData(),
        *(sqlalchemy.Column(name, sqlalchemy.Double) for name in ("ra", "dec")),
        sqlalchemy.Column("pixel", sqlalchemy.BigInteger),
    )
    with engine.begin() as connection:
        table.create(connection)
        index = [pixels.index(UnitVector3d(LonLat.fromDegrees(*place))) for place in places]
        rows = [{"ra": x, "dec": y, "pixel": pixel} for (x, y), pixel in zip(places, index, strict=True)]
        connection.execute(table.insert(), rows)
        inside = {place for place in places if separation(circle, *place) <= radius}
        assert 0 < len(inside) < 300
        for pixel in (None, table.c.pixel):
            condition = within(circle, table.c.ra, table.c.dec, pixel=pixel, level=20)
            found = connection.execute(sqlalchemy.select(table.c.ra, table.c.dec).where(condition))
            assert set(map(tuple, found)) == inside


def test_a_digest_knows_every_value_and_no_batches():
    table = pa.table(
        {"a": [1, None, 3], "b": ["x", "", None], "c": pa.array([0.5, float("nan"), None], pa.float32())}
    )

    def digest(content: pa.Table, rows: int) -> str:
        found = ContentDigest(content.schema)
        for batch in content.to_batches(rows):
            found.update(batch)
        return found.hexdigest()

    assert digest(table, 1) == digest(table, 3) == digest(table.select(["c", "a", "b"]), 2)
    others = [
        table.set_column(0, "a", [[1, 0, 3]]),
        table.set_column(1, "b", [["x", None, ""]]),
        table.set_column(1, "b", [["", "x", None]]),
        table.set_column(2, "c", pa.array([0.5, None, float("nan")], pa.float32())),
        table.slice(0, 2),
        table.take([1, 0, 2]),
        table.cast(pa.schema([("a", pa.int32()), ("b", pa.string()), ("c", pa.float32())])),
    ]
    assert len({digest(table, 3), *(digest(other, 3) for other in others)}) == 1 + len(others)


def test_an_import_that_would_not_give_an_equal_apdb_is_refused_with_all_reasons(apdbs, exported):
    target = apdbs.empty("sqlite", ApdbOptions(htm_level=18), instrument="HSC")
    found = [str(error) for error in plan_import(exported, target).obstacles]
    assert [error.partition(",")[0] for error in found] == [
        "the export is of instrument X",
        "the exported APDB has enable_replica True",
        "the exported APDB has dia_object_index last_object_table",
        "the exported APDB has htm_level 20",
    ]
    assert "`apcampaign apdb init --htm-level 20`" in found[-1]
    run_sql(target, "UPDATE $metadata SET value = '10.0.1' WHERE name = 'version:schema'")
    with pytest.raises(PreconditionError, match=r"schema version 10\.0\.0, the APDB in .* 10\.0\.1"):
        import_apdb(plan_import(exported, target))
    full = plan_import(exported, apdbs.filled("sqlite"))
    with pytest.raises(PreconditionError, match="is not empty: 65 rows in DiaObject"):
        import_apdb(full)


def test_damaged_files_are_refused(apdbs, exported, tmp_path):
    target = apdbs.empty("sqlite")

    def damage(name: str, change) -> list[str]:
        folder = tmp_path / name.replace(".", "-") / str(len(list(tmp_path.iterdir())))
        folder.mkdir(parents=True)
        for file in exported.iterdir():
            (folder / file.name).write_bytes(
                file.read_bytes() if file.name != name else change(file.read_bytes())
            )
        return [str(error).partition(": ")[2] for error in plan_import(folder, target).obstacles]

    flipped = damage(
        "DiaObject.parquet", lambda content: content[:999] + bytes([content[999] ^ 1]) + content[1000:]
    )
    assert [text.startswith("its SHA-256 is not that of the manifest") for text in flipped] == [True]
    assert damage("DiaObject.parquet", lambda content: content[:-5])[0].startswith("it has ")
    with pytest.raises(FileError, match="is damaged"):
        damage("manifest.json", lambda content: content[:-9])
    with pytest.raises(FileError, match="is no export of an APDB"):
        plan_import(tmp_path, target)


@pytest.mark.parametrize("backend", BACKENDS)
def test_an_import_that_fails_leaves_nothing_behind(apdbs, exported, backend):
    target = apdbs.empty(backend)
    before = describe_apdb(target).metadata
    run_sql(target, "CREATE UNIQUE INDEX one ON $DiaForcedSource (visit)")
    with pytest.raises(ApdbError, match=r"the database says: .*(unique|UNIQUE)"):
        import_apdb(plan_import(exported, target))
    assert not any(dump(target).values())
    assert describe_apdb(target).metadata == before


def test_an_export_that_fails_leaves_nothing_behind(apdbs, tmp_path):
    from shutil import copy

    copied = tmp_path / "copy.db"
    copy(apdbs.filled("sqlite").sqlite_path, copied)
    target = ApdbTarget.from_url(f"sqlite:///{copied}")
    run_sql(target, "UPDATE $DiaForcedSource SET \"psfFlux\" = 'x'")
    with pytest.raises(ApdbError, match="column psfFlux of table DiaForcedSource holds what is no double"):
        export_apdb(plan_export(target, tmp_path / "folder" / "export"))
    assert not list((tmp_path / "folder").iterdir())


def test_the_commands_say_what_they_would_do_and_what_they_did(apdbs, tmp_path):
    runner, original, target = CliRunner(), apdbs.filled("sqlite"), apdbs.empty("sqlite")
    folder = str(tmp_path / "out")

    def run(*words: str):
        return runner.invoke(command, list(words))

    shown = run("export", folder, original.url, "--visits", "1..2", "--dry-run")
    assert (shown.exit_code, "of it visits 1..2" in shown.stdout) == (0, True)
    assert not Path(folder).exists()
    done = run("export", folder, original.url, "--visits", "1 2", "--json")
    assert json.loads(done.stdout)["selection"]["visits"] == [[1, 1], [2, 2]]
    again = run("export", folder, original.url, "--dry-run", "--json")
    assert (again.exit_code, "exists already" in json.loads(again.stdout)["obstacles"][0]) == (1, True)
    assert isinstance(run("export", folder, original.url).exception, PreconditionError)
    part = run("import", folder, target.url, "--dry-run")
    assert (part.exit_code, "holds a part of an APDB only" in part.stdout) == (1, True)
    imported = run("import", folder, target.url, "--filtered")
    assert (imported.exit_code, "and verified: all rows were read again" in imported.stdout) == (0, True)


@pytest.mark.parametrize("text", ["", "a", "3..1", "1-3", "1...2", "9" * 20])
def test_what_is_no_visit_is_refused(text):
    assert parse_visits("1 3..5,9") == ((1, 1), (3, 5), (9, 9))
    with pytest.raises(ApdbError, match="is not a visit"):
        parse_visits(text)


@pytest.mark.parametrize("values", [(-1, 0, 1), (0, 91, 1), (0, 0, 0), (math.nan, 0, 1)])
def test_what_is_no_circle_is_refused(values):
    with pytest.raises(ApdbError, match="there is no circle"):
        Circle(*values)
    with pytest.raises(ApdbError, match="nothing is between"):
        Selection(time=(2.0, 1.0))
