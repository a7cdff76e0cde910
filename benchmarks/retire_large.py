"""How long it takes to look at what a large campaign holds and to remove it: ``retire_large.py [DATASETS …]``.

The campaign is made by hand, in a repository with a SQLite registry: ten dataset types of as many visits as that
takes, each dataset a small file of its own, and an APDB in a SQLite file. It is looked at, then its intermediate
datasets are removed, then all of it, each in a process of its own, whose peak memory is that of the whole process.
"""

import importlib
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from apcampaign.bps import Step
from rich.console import Console
from rich.table import Table

SUPPORT = Path(__file__).resolve().parents[1] / "tests" / "support"

_CHUNK = 5_000
_CHILD = """
import json, resource, sys, time
from pathlib import Path
from retired_ground import Ground
choices = {"look": {}, "intermediates": {"intermediates": True}, "everything": {"everything": True}}
what, folder = sys.argv[1:]
campaign = Ground(Path(folder)).open()
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
begin, used = time.perf_counter(), time.process_time()
plan = campaign.plan_retirement(**choices[what])
planned = time.perf_counter()
assert not plan.obstacles, plan.obstacles
if what != "look":
    plan.execute()
removed = sum(act.datasets for act in plan.acts)
held = sum(each.datasets for each in plan.state.holdings.types.values())
times = [planned - begin, time.perf_counter() - planned, time.process_time() - used]
print(json.dumps([held, removed, *times, peak()]))
"""


def fill(ground: Any, datasets: int) -> int:
    """Let the campaign hold about so many datasets more, and return how many these are."""
    from lsst.daf.butler import DataCoordinate, DatasetRef, FileDataset

    support = importlib.import_module("retired_ground")
    kinds = [
        (step, name)
        for step, types in support.TYPES.items()
        for name, (dimensions, _) in types.items()
        if dimensions == ("instrument", "visit", "detector")
    ]
    instrument = {"instrument": "LSSTCam-imSim"}
    first = max(support.VISITS) + 1
    visits = range(first, first + -(-datasets // len(kinds)))
    with ground.butler() as butler:
        butler.registry.insertDimensionData(
            "visit",
            *(
                {**instrument, "id": visit, "name": str(visit), "physical_filter": "r", "day_obs": 20250101}
                for visit in visits
            ),
        )
        for step, name in kinds:
            run = ground.collection(Step(step))
            kind = butler.get_dataset_type(name)
            folder = Path(ground.repository) / run / name
            folder.mkdir(parents=True, exist_ok=True)
            made = []
            for visit in visits:
                path = folder / f"{visit}.json"
                path.write_text('{"of": "mine"}')
                data_id = {**instrument, "visit": visit, "detector": 0}
                coordinate = DataCoordinate.standardize(data_id, dimensions=kind.dimensions)
                made.append(FileDataset(str(path), DatasetRef(kind, coordinate, run)))
            for begin in range(0, len(made), _CHUNK):
                butler.ingest(*made[begin : begin + _CHUNK], transfer=None)
    return len(visits) * len(kinds)


def main() -> None:
    """Print a table."""
    sys.path.insert(0, str(SUPPORT))
    make_ground = importlib.import_module("retired_ground").make_ground
    sizes = [int(float(word)) for word in sys.argv[1:]] or [10_000, 100_000]
    table = Table("datasets", "", "removed", "planned in s", "removed in s", "CPU s", "peak MiB")
    for size in sizes:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name) / "ground"
            folder.mkdir()
            ground = make_ground(folder, {"mine": f"sqlite:///{folder}/mine.db"})
            begin = time.perf_counter()
            made = fill(ground, size)
            print(f"made {made:,} datasets in {time.perf_counter() - begin:.0f} s", file=sys.stderr)
            for what in ("look", "intermediates", "everything"):
                done = subprocess.run(
                    [sys.executable, "-c", _CHILD, what, str(folder)],
                    stdout=subprocess.PIPE,
                    text=True,
                    check=True,
                    cwd=SUPPORT,
                )
                held, removed, *numbers = json.loads(done.stdout)
                row = (
                    f"{held:,}",
                    what,
                    f"{removed:,}",
                    *(f"{number:.1f}" for number in numbers[:3]),
                    f"{numbers[3]:.0f}",
                )
                print(*row, file=sys.stderr)
                table.add_row(*row)
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
