"""How long it takes to measure the completeness of many injected sources: ``completeness_large.py [ROWS …]``.

As many sources are injected as there are DiaSources, two hundred in an image; those that are bright enough are
found. Each size is measured in a process of its own, whose peak memory is that of the whole process, both tables
included. What the repository and the database take to give these tables is not in it:
`benchmarks/compare_large.py` reads as many DiaSources, and the catalogues of what was injected are one small file
for each of at most 4,000 images.
"""

import json
import subprocess
import sys

from rich.console import Console
from rich.table import Table

_CHILD = """
import json, resource, sys, time
import numpy as np, pandas as pd
from apcampaign.report.completeness_measure import measure_completeness
rows, in_image, depth = int(sys.argv[1]), 200, 23.0
rng = np.random.default_rng(1)
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
image = np.arange(rows) // in_image
injected = pd.DataFrame({
    "visit": image // 50, "detector": image % 50, "band": np.array(list("gri"))[image // 50 % 3],
    "ra": rng.uniform(50, 51, rows), "dec": rng.uniform(-31, -30, rows), "mag": rng.uniform(20, 26, rows),
})
found = rng.uniform(size=rows) < 0.97 / (1 + np.exp((injected["mag"] - depth) / 0.2))
sources = injected[["visit", "detector", "ra", "dec"]].copy()
# The others are DiaSources of the sky.
sources.loc[~found, "dec"] += 2.0
sources["dec"] += rng.normal(0, 0.02 / 3600, rows)
sources["psfFlux"] = 10 ** ((31.4 - injected["mag"]) / 2.5) + rng.normal(0, 300, rows)
sources["psfFluxErr"] = 300.0
before, begin = peak(), time.perf_counter()
result = measure_completeness(injected, sources, radius=0.5)
seconds = time.perf_counter() - begin
limit = result.depth("g", 0.5)
assert limit is not None and abs(limit.magnitude - depth) < 0.1, limit
print(json.dumps([rows, result.images, result.found, seconds, before, peak()]))
"""


def main() -> None:
    """Print a table."""
    sizes = [int(float(word)) for word in sys.argv[1:]] or [100_000, 1_000_000]
    table = Table("injected, and DiaSources", "images", "found", "s", "MiB before", "peak MiB")
    for rows in sizes:
        done = subprocess.run(
            [sys.executable, "-c", _CHILD, str(rows)], stdout=subprocess.PIPE, text=True, check=True
        )
        numbers = json.loads(done.stdout)
        table.add_row(
            *(f"{number:,}" for number in numbers[:3]), *(f"{number:.1f}" for number in numbers[3:])
        )
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
