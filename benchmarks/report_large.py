"""The report of a campaign of a hundred thousand jobs: how long it takes, how large it is.

``python benchmarks/report_large.py FILE [JOBS]`` writes the page and prints seconds, memory and sizes. Its data is
made up: reading it from files is what `benchmarks/synthetic_run.py` measures.
"""

import gzip
import resource
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "support"))

from apcampaign.report import render_report
from report_data import make_data, make_jobs


def main() -> None:
    file = Path(sys.argv[1])
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 100_000
    jobs = make_jobs(count, slots=2000)
    data = make_data(jobs, visits=2000, cells=2000)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    begin = time.perf_counter()
    page = render_report(data)
    seconds = time.perf_counter() - begin
    file.write_text(page, encoding="utf-8")
    more = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 - peak
    size = len(page.encode())
    print(
        f"{len(jobs):,} jobs: drawn in {seconds:.2f} s with {more:.0f} MiB besides the data; {size / 1e6:.2f} MB, "
        f"{len(gzip.compress(page.encode())) / 1e6:.2f} MB when packed"
    )


if __name__ == "__main__":
    main()
