"""How fast an APDB is exported and imported, and how much memory that takes.

``python benchmarks/apdb_export.py [ROWS …]`` fills APDBs of growing size in a private PostgreSQL server as
`benchmarks/apdb_verify.py` does, gives numbers to the columns of a DiaSource that a pipeline fills, and exports
each APDB, then imports it into an empty one, which verifies it. Each is done in a process of its own, whose peak
memory is that of the whole process.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import sqlalchemy
from apcampaign.apdb import ApdbTarget, init_apdb, plan_init
from apcampaign.apdb.connection import make_engine
from apcampaign.sandbox.servers import PostgresServer
from apdb_verify import DETECTORS, IMAGE, fill
from rich.console import Console
from rich.table import Table

_CHILD = """
import json, resource, sys, time
from pathlib import Path
from apcampaign.apdb import ApdbTarget, open_apdb
from apcampaign.apdb.export import export_apdb, import_apdb, plan_export, plan_import
what, folder, url, namespace = sys.argv[1:]
target = ApdbTarget.from_url(url, namespace)
open_apdb(target)
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
before, begin, used = peak(), time.perf_counter(), time.process_time()
if what == "export":
    export_apdb(plan_export(target, Path(folder)))
else:
    import_apdb(plan_import(Path(folder), target))
print(json.dumps([time.perf_counter() - begin, time.process_time() - used, before, peak()]))
"""


def fill_columns(target: ApdbTarget) -> int:
    """Give numbers and flags of the DiaSources values, as a pipeline does; return how many columns these are."""
    engine = make_engine(target)
    table = sqlalchemy.Table("DiaSource", sqlalchemy.MetaData(schema="bench"), autoload_with=engine)
    values = {
        column.name: 'mod("diaSourceId", 997) / 7.0'
        if isinstance(column.type, sqlalchemy.Float)
        else 'mod("diaSourceId", 2) = 0'
        for column in table.columns
        if column.nullable
        and isinstance(column.type, sqlalchemy.Float | sqlalchemy.Boolean)
        and "Time" not in column.name
    }
    changes = ", ".join(f'"{name}" = {value}' for name, value in values.items())
    with engine.begin() as connection:
        connection.exec_driver_sql(f"UPDATE bench.\"DiaSource\" SET {changes}, band = 'r'")  # noqa: S608
    return len(values)


def run(what: str, folder: Path, target: ApdbTarget) -> tuple[float, float, float, float]:
    """Do it in a process of its own; return the seconds, those of its CPU, and its memory before and at most."""
    done = subprocess.run(
        [sys.executable, "-c", _CHILD, what, str(folder), target.url, str(target.namespace)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    seconds, cpu, before, peak = json.loads(done.stdout)
    return seconds, cpu, before, peak


def main() -> None:
    """Print a table."""
    sizes = [int(float(word)) for word in sys.argv[1:]] or [100_000, 300_000, 1_000_000]
    table = Table(
        "DiaSources", "rows of all tables", "MB", "", "seconds", "of CPU", "rows/s", "peak MB", "of it MB"
    )
    with (
        tempfile.TemporaryDirectory() as folder,
        PostgresServer(Path(folder) / "data", time_to_live=120) as server,
    ):
        server.create_database("bench")
        for rows in sizes:
            source = ApdbTarget.from_url(server.url("bench"), "bench")
            copy = ApdbTarget.from_url(server.url("bench"), "copy")
            for target in (source, copy):
                config = Path(folder) / f"{target.namespace}.yaml"
                init_apdb(plan_init(target, instrument="bench", config=config, reset=True))
            visits = max(2, rows // (DETECTORS * IMAGE))
            fill(source, visits)
            columns = fill_columns(source)
            print(f"filled {visits * DETECTORS * IMAGE:,} rows with {columns} more columns", file=sys.stderr)
            out = Path(folder) / "export"
            for what, target in (("export", source), ("import", copy)):
                seconds, cpu, before, peak = run(what, out, target)
                files = json.loads((out / "manifest.json").read_text())["files"].values()
                written = sum(file["row_count"] for file in files)
                size = sum(file["size_bytes"] for file in files) / 1e6
                figures = (
                    f"{seconds:.1f}",
                    f"{cpu:.1f}",
                    f"{written / seconds:,.0f}",
                    f"{peak:.0f}",
                    f"{peak - before:.0f}",
                )
                row = (f"{visits * DETECTORS * IMAGE:,}", f"{written:,}", f"{size:.0f}", what, *figures)
                print(*row, file=sys.stderr)  # the next size may take long
                table.add_row(*row)
            shutil.rmtree(out)
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
