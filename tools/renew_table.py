"""Compare the table of what apcampaign relies on with Rubin's packages, and renew it.

    renew_table.py [--checkouts FOLDER] [--weekly w_YYYY_WW] [--table FILE] [--write]

The packages are those of the stack that is set up, or the folders ``ap_pipe``, ``drp_pipe``, … in FOLDER, all of
one release. Prints what is different, and exits with 1 if something is; with ``--write`` it writes the table anew.
What needs the classes of the tasks (dimensions, dataset types) is kept where these cannot be imported.
"""

import argparse
import os
import re
import subprocess
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path

from apcampaign.pipelines.reference import (
    PackageVersion,
    PipelineFacts,
    PublicTable,
    TaskFacts,
    compare_pipelines,
    dump_table,
    parse_table,
    read_pipeline,
)

TABLE = Path(__file__).resolve().parents[1] / "pipelines/reference/table.yaml"


def set_up(folder: Path) -> None:
    """Set the variables of all packages in a folder, as EUPS would."""
    for path in folder.resolve().iterdir():
        if path.is_dir() and re.fullmatch(r"\w+", path.name):
            os.environ[f"{path.name.upper()}_DIR"] = str(path)


def find_version(package: str, weekly: str | None) -> PackageVersion | None:
    """Find which state of a package is set up: from git, else from the name of its folder, as EUPS has it."""
    folder = os.environ.get(f"{package.upper()}_DIR")
    if folder is None:
        return None

    def git(*arguments: str) -> str:
        command = ["git", "-C", folder, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()

    if Path(folder, ".git").exists():
        tag = git("describe", "--tags", "--match", "w.*", "--abbrev=0").replace(".", "_")
        commit, day = git("log", "-1", "--format=%h"), git("log", "-1", "--format=%cs")
        return PackageVersion(weekly=weekly or tag, commit=commit, date=date.fromisoformat(day))
    return PackageVersion(weekly=weekly or "unknown", commit=Path(folder).name, date=date.today())


def merge(old: PipelineFacts, new: PipelineFacts) -> PipelineFacts:
    """Keep of the old facts what is written by hand, and what is not known of the new ones."""
    tasks = {}
    for label, task in new.tasks.items():
        before = old.tasks.get(label)
        if before is not None and before.class_name is None:
            tasks[label] = TaskFacts()
        elif task.dimensions is None and before is not None:
            tasks[label] = replace(
                task, dimensions=before.dimensions, inputs=before.inputs, outputs=before.outputs
            )
        else:
            tasks[label] = task
    optional = tuple(label for label in old.optional if label in tasks)
    return replace(new, instrument=old.instrument, since=old.since, tasks=tasks, optional=optional)


def main() -> int:
    """Compare, and write if that is asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--checkouts", type=Path, metavar="FOLDER")
    parser.add_argument(
        "--weekly", help="which weekly it is; by default the last weekly tag of each checkout"
    )
    parser.add_argument("--table", type=Path, default=TABLE)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    if options.checkouts is not None:
        set_up(options.checkouts)
    table = parse_table(options.table.read_text(encoding="utf-8"))
    pipelines, count = {}, 0
    for name, old in table.pipelines.items():
        found, gap = read_pipeline(old.location, labels=old.tasks if old.part else None)
        if gap:
            print(f"{name}: dimensions and dataset types are not compared: {gap}")
        for difference in compare_pipelines(old, found):
            count += 1
            print(f"{name}: {difference.weight}: {difference.what}")
        pipelines[name] = merge(old, found)
    versions = {
        package: find_version(package, options.weekly) or version
        for package, version in table.packages.items()
    }
    if options.write:
        options.table.write_text(
            dump_table(PublicTable(packages=versions, pipelines=pipelines)), encoding="utf-8"
        )
    return int(count > 0 and not options.write)


sys.exit(main())
