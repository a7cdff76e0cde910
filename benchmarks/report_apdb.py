"""How long the report's queries of a large APDB take: ``python benchmarks/report_apdb.py [ROWS …]``.

Fills APDBs of growing size in a private PostgreSQL server as `benchmarks/apdb_verify.py` does, and reads from each
what the report shows.
"""

import resource
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import sqlalchemy
from apcampaign.apdb import ApdbExplorer, ApdbTarget, count_dia_objects, init_apdb, plan_init
from apcampaign.apdb.connection import make_engine
from apcampaign.report.apdb_content import read_catalog
from apcampaign.sandbox.servers import PostgresServer
from apdb_verify import DETECTORS, IMAGE, fill


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, PostgresServer(Path(folder) / "postgres") as server:
        for rows in [int(text) for text in sys.argv[1:]] or [100_000, 1_000_000]:
            visits = rows // (DETECTORS * IMAGE)
            name = f"apdb_{rows}"
            server.create_database(name)
            target = ApdbTarget.from_url(server.url(name), "bench")
            config = Path(folder) / f"{name}.yaml"
            init_apdb(plan_init(target, instrument="LSSTCam-imSim", config=config))
            fill(target, visits)
            measured = """snr = 4 + ("diaSourceId" % 977) / 5.0, reliability = ("diaSourceId" % 100) / 100.0,
                "psfFlux" = 100, band = 'r'"""
            with make_engine(target).begin() as connection:
                connection.execute(sqlalchemy.text(f'UPDATE bench."DiaSource" SET {measured}'))  # noqa: S608
            explorer = ApdbExplorer(str(config))
            queries: dict[str, Callable[[], object]] = {
                "pixels": explorer.count_by_pixel,
                "light curves": explorer.read_most_detected,
                "images": explorer.count_by_image,
                "histograms": explorer.count_by_value,
                "notable": explorer.find_notable,
                "objects": partial(count_dia_objects, str(config)),
                "all": partial(read_catalog, str(config), explorer),
            }
            taken = []
            for query, run in queries.items():
                begin = time.perf_counter()
                run()
                taken.append(f"{query} {time.perf_counter() - begin:.2f} s")
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            print(f"{visits * DETECTORS * IMAGE:,} DiaSources: {', '.join(taken)}; peak {peak:.0f} MiB")


if __name__ == "__main__":
    main()
