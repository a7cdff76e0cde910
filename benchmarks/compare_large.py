"""How long a comparison of large catalogues takes, and how much memory: ``compare_large.py [ROWS …]``.

Of the second side one DiaSource in fifty is lost, as many are new, and the others have other fluxes and positions.
Each size is measured in a process of its own, whose peak memory is that of the whole process: both catalogues,
what is compared of them, and the page. What is read is an APDB in a private PostgreSQL server, filled as
`benchmarks/apdb_verify.py` does.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from apcampaign.apdb import ApdbTarget, init_apdb, plan_init
from apcampaign.sandbox.servers import PostgresServer
from apdb_verify import DETECTORS, IMAGE, fill
from rich.console import Console
from rich.table import Table

SUPPORT = Path(__file__).resolve().parents[1] / "tests" / "support"

_COMPARE = """
import json, resource, sys, time
import numpy as np, pandas as pd
from apcampaign.report.comparison import compare, render_comparison
from catalogues import make_comparable, make_sources
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
rows = int(sys.argv[1])
a = make_sources(rows, visits=max(2, rows // 5000), detectors=50)
rng = np.random.default_rng(1)
b = a[np.arange(rows) % 50 != 0].reset_index(drop=True)
b = b.assign(
    dec=b["dec"] + rng.normal(0, 0.02 / 3600, len(b)),
    psfFlux=(b["psfFlux"] + rng.normal(0, 20, len(b))).astype(np.float32),
)
new = a.iloc[::50].assign(dec=lambda frame: frame["dec"] + 20 / 3600)
b = pd.concat([b, new], ignore_index=True).astype({"band": "category"})
sides = make_comparable("a", a), make_comparable("b", b)
before, begin = peak(), time.perf_counter()
found = compare(*sides)
compared = time.perf_counter()
page = render_comparison(found)
drawn = time.perf_counter()
counts = found.sources.counts
assert counts.only_a == counts.only_b == len(new), counts
print(json.dumps([rows, compared - begin, drawn - compared, len(page) / 1e6, before, peak()]))
"""
_READ = """
import json, resource, sys, time
from apcampaign.apdb import ApdbTarget, read_kept_sources
from apcampaign.apdb.locate import find_apdb
target = ApdbTarget.from_url(sys.argv[1], "bench")
find_apdb(target).open()
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
before, begin = peak(), time.perf_counter()
rows = len(read_kept_sources(target))
print(json.dumps([rows, time.perf_counter() - begin, before, peak()]))
"""


def run(code: str, argument: str) -> list[float]:
    """Run a measurement in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", code, argument], stdout=subprocess.PIPE, text=True, check=True, cwd=SUPPORT
    )
    values: list[float] = json.loads(done.stdout)
    return values


def main() -> None:
    sizes = [int(float(word)) for word in sys.argv[1:]] or [100_000, 1_000_000]
    console = Console(width=110)
    table = Table("DiaSources on each side", "compare s", "page s", "page MB", "MiB before", "peak MiB")
    for rows in sizes:
        numbers = run(_COMPARE, str(rows))
        table.add_row(f"{numbers[0]:,}", *(f"{number:.1f}" for number in numbers[1:]))
    console.print(table)
    table = Table("DiaSources read", "s", "MiB before", "peak MiB")
    with tempfile.TemporaryDirectory() as folder, PostgresServer(Path(folder) / "postgres") as server:
        for rows in sizes:
            name = f"apdb_{rows}"
            server.create_database(name)
            target = ApdbTarget.from_url(server.url(name), "bench")
            config = Path(folder) / f"{name}.yaml"
            init_apdb(plan_init(target, instrument="LSSTCam-imSim", config=config))
            fill(target, max(2, rows // (DETECTORS * IMAGE)))
            numbers = run(_READ, target.url)
            table.add_row(f"{numbers[0]:,}", *(f"{number:.1f}" for number in numbers[1:]))
    console.print(table)


if __name__ == "__main__":
    main()
