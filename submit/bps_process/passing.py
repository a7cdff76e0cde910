"""HTCondor: later visits go past a failed association instead of waiting for it for good.

An edge of a DAG is for good: whatever waits for a failed job never runs, and for one failed association that would
be all later ones of its sky. So for DAGMan the jobs up to and including the associations always succeed: a script
after each of them accepts its failure, and remembers it. What needs the outputs of a failed job is not run: a
script before it sees to that. What only waits for its turn goes on. At the end the DAG fails, as if nothing had
been accepted.

An association that failed is tried again first. What it may have written to the APDB is rolled back before: nobody
has built on it yet, since all who would are waiting.
"""

__all__ = ["UNKNOWN", "has_passed", "let_later_visits_pass", "settle"]

import logging
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ...apdb import open_apdb, plan_rollback, roll_back
from ...common.condor import write_dag_path
from ...common.errors import UnsupportedApdbError
from ...common.files import write_atomically
from ...ledger import RunPaths
from ...ordering import Order, VisitDetector

_log = logging.getLogger(__name__)

#: How often a failed association is tried again.
_RETRIES = 1

#: Exit codes of the scripts: before a job that is not to be run, and after one that others must not go past.
_SKIP, _STOP = 77, 3

#: The exit code of ``apcampaign node settle`` where nobody can tell what is in the APDB.
UNKNOWN = 4

_SCRIPT = """\
#!/bin/sh
# Lets later visits go past failed associations; DAGMan calls it:
#   before NODE                                  exit code {skip}: what it needs is missing, do not run it
#   after NODE EXIT_CODE RETRY LAST_RETRY        exit code 0: go on, whatever became of it; 1: try it again;
#                                                {stop}: neither
#   finally COMMAND...                           runs it, and fails if any job has failed
folder={folder}

listed() {{
    awk -v node="$2" '$1 == node {{ found = 1; exit }} END {{ exit !found }}' "$folder/$1"
}}

block() {{  # whatever needs the outputs of a job
    awk -v node="$1" '$1 == node {{ for (i = 2; i <= NF; i++) print $i }}' "$folder/children" |
        while read -r child; do : > "$folder/blocked/$child"; done
}}

case $1 in
before)
    [ -e "$folder/blocked/$2" ] || exit 0
    block "$2"
    exit {skip}
    ;;
after)
    [ "$3" -eq 0 ] && exit 0
    listed passable "$2" || exit {stop}
    if listed associations "$2"; then
        {settle} "$folder" "$2" >> "$folder/settled.log" 2>&1
        case $? in
        0) [ "$4" -lt "$5" ] && exit 1 ;;
        {unknown}) ;;
        *) exit {stop} ;;
        esac
    fi
    : > "$folder/failed/$2"
    block "$2"
    exit 0
    ;;
finally)
    shift
    "$@"
    code=$?
    [ "$code" -eq 0 ] && [ -n "$(ls "$folder/failed")" ] && code=1
    exit "$code"
    ;;
esac
"""


def let_later_visits_pass(
    files: RunPaths, output_run: str, workflow: Any, order: Order, apdb_config: str
) -> None:
    """Change a prepared DAG so that later visits go past a failed association.

    Parameters
    ----------
    files
        The run's files.
    output_run
        Its RUN collection.
    workflow
        BPS's workflow, with the order of visits.
    order
        The order.
    apdb_config
        The APDB that the run fills.

    Raises
    ------
    PreconditionError
        If a path cannot be written in a DAG.
    """
    import networkx

    needs: networkx.DiGraph[str] = networkx.DiGraph(workflow.edges)
    needs.remove_edges_from(order.edges)
    writers = frozenset(order.writers.values())
    before = {name for writer in writers if writer in needs for name in networkx.ancestors(needs, writer)}
    # The job that initialises the run has no quanta; without it nothing can be done.
    passable = writers | {name for name in before if workflow.get_job(name).quanta_counts}
    # Also those of jobs after the associations: what is blocked blocks what needs it.
    children = {name: sorted(needs.successors(name)) for name in needs}
    for name in ("failed", "blocked"):
        (files.order / name).mkdir(parents=True, exist_ok=True)
    write_atomically(
        files.order / "children",
        "".join(f"{' '.join([name, *after])}\n" for name, after in children.items() if after),
    )
    write_atomically(files.order / "passable", "".join(f"{name}\n" for name in sorted(passable)))
    write_atomically(
        files.order / "associations",
        "".join(f"{name} {visit} {detector}\n" for (visit, detector), name in order.writers.items()),
    )
    command = [sys.executable, "-m", "apcampaign.scripts.cli", "node", "settle", apdb_config]
    script = files.order / "pass.sh"
    write_atomically(
        script,
        _SCRIPT.format(
            skip=_SKIP,
            stop=_STOP,
            unknown=UNKNOWN,
            folder=shlex.quote(str(files.order)),
            settle=shlex.join(command),
        ),
    )
    script.chmod(0o755)
    dag = files.dag(output_run)
    final = workflow.get_final()
    end = f"SCRIPT POST {final.name} " if final else None
    lines = [
        f"{end}{write_dag_path(script)} finally {line.removeprefix(end)}"
        if end and line.startswith(end)
        else line
        for line in dag.read_text(encoding="utf-8").splitlines()
    ]
    lines += [
        f"SCRIPT PRE ALL_NODES {write_dag_path(script)} before $JOB",
        f"PRE_SKIP ALL_NODES {_SKIP}",
        f"SCRIPT POST ALL_NODES {write_dag_path(script)} after $JOB $RETURN $RETRY $MAX_RETRIES",
        f"RETRY ALL_NODES {_RETRIES} UNLESS-EXIT {_STOP}",
    ]
    write_atomically(dag, "\n".join([*lines, ""]))


def has_passed(files: RunPaths) -> bool:
    """Tell whether jobs of a run have failed that count as done in its DAG."""
    return any((files.order / "failed").glob("*"))


def settle(apdb_config: str, folder: Path, job: str) -> bool:
    """Roll back what a failed association has written to the APDB.

    Parameters
    ----------
    apdb_config
        The APDB.
    folder
        `RunPaths.order` of the run.
    job
        The name of the job.

    Returns
    -------
    known
        Whether nothing of it is in the APDB now, so that it can be tried again; false if that cannot be told.

    Raises
    ------
    ApdbError
        If the APDB cannot be asked, or it cannot be rolled back.
    """
    try:
        apdb = open_apdb(apdb_config)
    except UnsupportedApdbError as reason:
        _log.warning("%s: %s is not tried again", reason, job)
        return False
    stored = [key for key in _read_associations(folder, job) if apdb.containsVisitDetector(*key)]
    if stored:
        _log.info("%s has failed after its write: rolling it back", job)
        roll_back(plan_rollback(apdb_config, stored))
    return True


def _read_associations(folder: Path, job: str) -> Iterator[VisitDetector]:
    for line in (folder / "associations").read_text(encoding="utf-8").splitlines():
        name, visit, detector = line.split()
        if name == job:
            yield int(visit), int(detector)
