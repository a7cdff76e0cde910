"""How long `apcampaign check` takes as a repository grows.

``python benchmarks/check_large.py FOLDER [VISITS…]`` makes a miniature DC2 of all 189 detectors in FOLDER, adds
visits to its registry (rows only: no check opens an image), and checks a campaign of all of them each time.
"""

__all__: list[str] = []

import json
import os
import resource
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import yaml
from apcampaign.sandbox.create import Sandbox, create_sandbox
from apcampaign.sandbox.survey import SandboxSize

_DETECTORS = tuple(range(189))
_VISITS = (10, 100, 1000)
_OF_A_VISIT = (
    "group",
    "exposure",
    "visit",
    "visit_definition",
    "visit_system_membership",
    "visit_detector_region",
)


def main(folder: Path, visits: tuple[int, ...]) -> None:
    """Print a row for each number of visits."""
    sandbox = create_sandbox(folder / "dc2", SandboxSize(visits=1, detectors=_DETECTORS, pixels=32))
    campaign = folder / "campaign.yaml"
    campaign.write_text(yaml.safe_dump({**sandbox.campaign(), "site": "parsl-local"}))
    sys.stdout.write(
        "| visits | raws | quanta of templates | check, s | peak memory, MiB |\n|--:|--:|--:|--:|--:|\n"
    )
    for count in visits:
        _run(sandbox, __file__, "add", str(sandbox.butler), str(count))
        begin = time.monotonic()
        arguments = [
            "check",
            "--step",
            "templates",
            "--json",
            "--campaign",
            str(campaign),
            "--runs",
            str(folder / "runs"),
        ]
        result = json.loads(_run(sandbox, "-m", "apcampaign.scripts.cli", *arguments))
        seconds = time.monotonic() - begin
        if not result["good"]:
            raise SystemExit(f"the campaign is not good: {result['findings']}")
        raws, quanta = (
            result["selections"]["templates"]["raw"],
            sum(result["estimates"]["templates"].values()),
        )
        memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
        sys.stdout.write(f"| {count} | {raws} | {quanta} | {seconds:.1f} | {memory} |\n")
        sys.stdout.flush()


def _run(sandbox: Sandbox, *arguments: str) -> str:
    environment = os.environ | dict(sandbox.environment)
    command = [sys.executable, *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=3600)
    if done.returncode:
        raise SystemExit(done.stderr[-2000:])
    return done.stdout


def _add(repository: str, count: int) -> None:
    """Add visits until there are ``count``, each like the first but a minute later."""
    from astropy.time import TimeDelta
    from lsst.daf.butler import Butler, Timespan

    with Butler.from_config(repository, writeable=True) as butler, butler.transaction():
        there = sorted(
            record.id for record in butler.query_dimension_records("visit", instrument="LSSTCam-imSim")
        )
        first = there[0]
        exposures = butler.query_dimension_records("exposure", instrument="LSSTCam-imSim", limit=None)
        group = next(record.group for record in exposures if record.id == first)
        for element in _OF_A_VISIT:
            found = butler.query_dimension_records(element, instrument="LSSTCam-imSim", limit=None)
            like = [each for record in found if _is_of(each := record.toDict(), first, group)]
            rows = []
            for number in range(len(there), count):
                for record in like:
                    moved = {str(first): first + number, group: f"{group}-{number}"}
                    row = {key: _moved(value, moved) for key, value in record.items()}
                    if (span := row.get("timespan")) is not None:
                        later = TimeDelta(60.0 * number, format="sec")
                        row["timespan"] = Timespan(span.begin + later, span.end + later)
                    rows.append(row)
            if rows:
                butler.registry.insertDimensionData(element, *rows)
        data_ids = [
            {"instrument": "LSSTCam-imSim", "exposure": first + number, "detector": detector}
            for number in range(len(there), count)
            for detector in _DETECTORS
        ]
        if data_ids:
            butler.registry.insertDatasets("raw", data_ids, run="2.2i/raw/all")
    # As the sandbox does when it is made: without statistics SQLite joins in an order that takes minutes.
    with sqlite3.connect(Path(repository) / "gen3.sqlite3") as connection:
        connection.execute("ANALYZE")


def _moved(value: Any, moved: dict[str, Any]) -> Any:
    return type(value)(moved[str(value)]) if str(value) in moved else value


def _is_of(row: dict[str, object], visit: int, group: str) -> bool:
    """Tell whether a dimension record is of a visit or of its group."""
    return any(str(value) in (str(visit), group) for value in row.values())


if __name__ == "__main__":
    if sys.argv[1] == "add":
        _add(sys.argv[2], int(sys.argv[3]))
    else:
        main(Path(sys.argv[1]), tuple(map(int, sys.argv[2:])) or _VISITS)
