"""How fast `verify_apdb` is, and how much memory it takes: ``python benchmarks/apdb_verify.py [ROWS …]``.

Fills APDBs of growing size in a private PostgreSQL server with plain SQL, as an error-free campaign would:
detectors that see the same sky again and again, a version of a DiaObject for each of its DiaSources, a third of
the sources of objects that are seen once. Each verification runs in a process of its own, whose peak memory is
that of the whole process.

Measured on two cores that others were using too, PostgreSQL 15, as many DiaObject versions as DiaSources and
two thirds as many DiaForcedSources: 99,000 DiaSources in 1.2 s, 999,000 in 9.7 s, 3,000,000 in 38 s (85,000,
103,000 and 79,000 DiaSources a second), the process growing by less than 10 MB. 9,999,000 took 843 s at the
lowest of ten processes' priority, the process growing by 39 MB.
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import sqlalchemy
from apcampaign.apdb import ApdbTarget, init_apdb, plan_init
from apcampaign.apdb.connection import make_engine
from apcampaign.sandbox.servers import PostgresServer
from rich.console import Console
from rich.table import Table

DETECTORS = 20
# DiaSources of one image.
IMAGE = 150

_CHILD = """
import json, resource, sys
from apcampaign.apdb import ApdbTarget, ExpectedAssociations, verify_apdb
from apcampaign.apdb.locate import find_apdb
url, namespace, visits, detectors, image = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:])
counts = {(v, d): image for v in range(1, visits + 1) for d in range(detectors)}
find_apdb(ApdbTarget.from_url(url, namespace)).open()
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
before = peak()
result = verify_apdb(ApdbTarget.from_url(url, namespace), ExpectedAssociations(counts, "the benchmark"))
assert result.good, result.findings[:5]
print(json.dumps([result.sources, result.seconds, before, peak()]))
"""


def fill(target: ApdbTarget, visits: int) -> None:
    """Write what ``visits`` visits of all detectors would have written.

    Of the places of an image the first third is new in each visit; the others are the same objects in all.
    """
    filled = {"x": 1.0, "y": 1.0, "psfNdata": 0, "trailNdata": 0, "dipoleNdata": 0, "bboxSize": 9}
    ndata = {f"{band}_psfFluxNdata": 0 for band in "ugrizy"}
    names = {**filled, **ndata}
    quoted = {key: f'"{key}"' for key in names}
    images = f"""
        SELECT v, d, i,
            -- The association of an image takes a second; they come one after the other.
            61000 + (v * {DETECTORS} + d) / 86400.0::float8 AS now,
            61000 + ((v + 1) * {DETECTORS} + d) / 86400.0::float8 AS next,
            CASE WHEN i < {IMAGE // 3} THEN (v * 1000 + d) * 1000000::bigint + i
                ELSE d * 1000000::bigint + i END AS object,
            56 + d * 0.2 + mod(i, 12) * 0.015 AS ra, -36 + (i / 12) * 0.015 AS dec,
            (15::bigint << 40) + (d * 1000000::bigint + i) * 4096
                + CASE WHEN i < {IMAGE // 3} THEN v ELSE 0 END AS pixel
        FROM generate_series(1, {visits}) v, generate_series(0, {DETECTORS - 1}) d,
            generate_series(0, {IMAGE - 1}) i
    """  # noqa: S608
    source_columns = ", ".join(quoted[name] for name in filled)
    object_columns = ", ".join(quoted[name] for name in ndata)
    statements = [
        f"""INSERT INTO bench."DiaSource" ("diaSourceId", visit, detector, "diaObjectId", ra, dec, "pixelId",
            "midpointMjdTai", "timeProcessedMjdTai", {source_columns})
            SELECT (v * 1000 + d) * 1000000::bigint + i, v, d, object, ra, dec, pixel, 60000 + v / 720.0, 60500,
            {", ".join(str(value) for value in filled.values())} FROM ({images}) image""",  # noqa: S608
        f"""INSERT INTO bench."DiaObject" ("diaObjectId", "validityStartMjdTai", "validityEndMjdTai", ra, dec,
            "pixelId", "nDiaSources", {object_columns})
            SELECT object, now, CASE WHEN i >= {IMAGE // 3} AND v < {visits} THEN next END, ra, dec, pixel,
            1, {", ".join(str(value) for value in ndata.values())} FROM ({images}) image""",  # noqa: S608
        f"""INSERT INTO bench."DiaForcedSource" ("diaForcedSourceId", "diaObjectId", visit, detector, ra, dec,
            "midpointMjdTai", "timeProcessedMjdTai")
            SELECT (v * 1000 + d) * 1000000::bigint + i, object, v, d, ra, dec, 60000 + v / 720.0, now - 1e-7
            FROM ({images}) image WHERE i >= {IMAGE // 3} AND v > 1""",  # noqa: S608
    ]
    with make_engine(target).begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


def measure(url: str, rows: int) -> tuple[int, float, float, float]:
    """Make an APDB of about so many DiaSources, and verify it."""
    target = ApdbTarget.from_url(url, "bench")
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "apdb.yaml"
        init_apdb(plan_init(target, instrument="bench", config=config, reset=True))
    visits = max(2, rows // (DETECTORS * IMAGE))
    begin = time.monotonic()
    fill(target, visits)
    print(f"filled {visits * DETECTORS * IMAGE:,} rows in {time.monotonic() - begin:.0f} s", file=sys.stderr)
    with make_engine(target).connect() as connection:
        connection.execute(sqlalchemy.text("SELECT 1"))
    arguments = [target.url, "bench", str(visits), str(DETECTORS), str(IMAGE)]
    done = subprocess.run(
        [sys.executable, "-c", _CHILD, *arguments], stdout=subprocess.PIPE, text=True, check=True
    )
    sources, seconds, before, peak = json.loads(done.stdout)
    return sources, seconds, before, peak


def main() -> None:
    """Print a table."""
    sizes = [int(float(word)) for word in sys.argv[1:]] or [100_000, 300_000, 1_000_000]
    table = Table(
        "DiaSources", "seconds", "rows/s", "time ÷ first", "rows ÷ first", "peak MB", "of verify MB"
    )
    first: tuple[int, float] | None = None
    with (
        tempfile.TemporaryDirectory() as folder,
        PostgresServer(Path(folder) / "data", time_to_live=120) as server,
    ):
        server.create_database("bench")
        for rows in sizes:
            sources, seconds, before, peak = measure(server.url("bench"), rows)
            first = first or (sources, seconds)
            ratios = (f"{seconds / first[1]:.1f}", f"{sources / first[0]:.1f}")
            memory = (f"{peak:.0f}", f"{peak - before:.0f}")
            table.add_row(f"{sources:,}", f"{seconds:.1f}", f"{sources / seconds:,.0f}", *ratios, *memory)
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
