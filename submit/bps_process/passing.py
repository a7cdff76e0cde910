"""HTCondor and Parsl: later visits go past a failed association instead of waiting for it for good.

An edge of a workflow is for good: whatever waits for a failed job never runs, and for one failed association that
would be all later ones of its sky. So for the WMS the jobs up to and including the associations always succeed: a
script accepts their failures, and remembers them. What needs the outputs of a failed job is not run: the script
sees to that. What only waits for its turn goes on. DAGMan calls the script before and after each job, and its DAG
fails at the end, as if nothing had been accepted. Parsl has nothing before and after a job, so that there each job
is run by the script.

An association that failed is tried again first. What it may have written to the APDB is rolled back before: nobody
has built on it yet, since all who would are waiting.
"""

__all__ = ["UNKNOWN", "has_passed", "let_dagman_pass", "let_parsl_pass", "settle"]

import logging
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ...apdb import open_apdb, plan_rollback, roll_back
from ...common.condor_submission import write_dag_path
from ...common.errors import UnsupportedApdbError
from ...common.files import find_files, make_folder, write_atomically
from ...common.reading import read_text
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
# Lets later visits go past failed associations. DAGMan calls it:
#   before NODE                                  exit code {skip}: what it needs is missing, do not run it
#   after NODE EXIT_CODE RETRY LAST_RETRY        exit code 0: go on, whatever became of it; 1: try it again;
#                                                {stop}: neither
#   finally COMMAND...                           runs it, and fails if any job has failed
# Parsl has each job run by it:
#   run NODE COMMAND...                          all of that; fails only if nobody may go past it
folder={folder}

listed() {{
    awk -v node="$2" '$1 == node {{ found = 1; exit }} END {{ exit !found }}' "$folder/$1"
}}

block() {{  # whatever needs the outputs of a job
    awk -v node="$1" '$1 == node {{ for (i = 2; i <= NF; i++) print $i }}' "$folder/children" |
        while read -r child; do : > "$folder/blocked/$child"; done
}}

after() {{
    [ "$2" -eq 0 ] && return 0
    listed passable "$1" || return {stop}
    if listed associations "$1"; then
        {settle} "$folder" "$1" >> "$folder/settled.log" 2>&1
        case $? in
        0) [ "$3" -lt "$4" ] && return 1 ;;
        {unknown}) ;;
        *) return {stop} ;;
        esac
    fi
    : > "$folder/failed/$1"
    block "$1"
}}

case $1 in
before)
    [ -e "$folder/blocked/$2" ] || exit 0
    block "$2"
    exit {skip}
    ;;
after)
    shift
    after "$@"
    exit $?
    ;;
finally)
    shift
    "$@"
    code=$?
    [ "$code" -eq 0 ] && [ -n "$(ls "$folder/failed")" ] && code=1
    exit "$code"
    ;;
run)
    node=$2
    shift 2
    if [ -e "$folder/blocked/$node" ]; then
        block "$node"
        exit 0
    fi
    retry=0
    while :; do
        "$@"
        code=$?
        if [ "$code" -ne 0 ] && ! listed associations "$node"; then
            # Parsl tries it again, and comes back here.
            echo >> "$folder/failures/$node"
            [ "$(wc -l < "$folder/failures/$node")" -gt {retries} ] || exit "$code"
        fi
        after "$node" "$code" "$retry" {association_retries}
        case $? in
        0) exit 0 ;;
        1) retry=$((retry + 1)) ;;
        *) exit "$code" ;;
        esac
    done
    ;;
esac
"""


def let_dagman_pass(files: RunPaths, output_run: str, workflow: Any, order: Order, apdb_config: str) -> None:
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
    script = _write_script(files, workflow, order, apdb_config)
    dag = files.dag(output_run)
    final = workflow.get_final()
    end = f"SCRIPT POST {final.name} " if final else None
    lines = [
        f"{end}{write_dag_path(script)} finally {line.removeprefix(end)}"
        if end and line.startswith(end)
        else line
        for line in read_text(dag).splitlines()
    ]
    lines += [
        f"SCRIPT PRE ALL_NODES {write_dag_path(script)} before $JOB",
        f"PRE_SKIP ALL_NODES {_SKIP}",
        f"SCRIPT POST ALL_NODES {write_dag_path(script)} after $JOB $RETURN $RETRY $MAX_RETRIES",
        f"RETRY ALL_NODES {_RETRIES} UNLESS-EXIT {_STOP}",
    ]
    write_atomically(dag, "\n".join([*lines, ""]))


def let_parsl_pass(
    files: RunPaths, workflow: Any, order: Order, apdb_config: str, *, retries: int = 0
) -> None:
    """Change a workflow, before Parsl's is made of it, so that later visits go past a failed association.

    Parameters
    ----------
    files, workflow, order, apdb_config
        As for `let_dagman_pass`.
    retries
        How often Parsl itself tries a failed job again.
    """
    from lsst.ctrl.bps import GenericWorkflowExec

    script = _write_script(files, workflow, order, apdb_config, retries=retries)
    for name in workflow:
        job = workflow.get_job(name)
        if job.quanta_counts:  # the job that initialises the run has none
            job.arguments = f"run {name} {job.executable.src_uri} {job.arguments}"
            job.executable = GenericWorkflowExec("pass", shlex.quote(str(script)), transfer_executable=False)


def _write_script(
    files: RunPaths, workflow: Any, order: Order, apdb_config: str, *, retries: int = 0
) -> Path:
    """Write the script, and what it knows of the jobs."""
    import networkx

    needs: networkx.DiGraph[str] = networkx.DiGraph(workflow.edges)
    needs.remove_edges_from(order.edges)
    writers = frozenset(order.writers.values())
    before = {name for writer in writers if writer in needs for name in networkx.ancestors(needs, writer)}
    # The job that initialises the run has no quanta; without it nothing can be done.
    passable = writers | {name for name in before if workflow.get_job(name).quanta_counts}
    # Also those of jobs after the associations: what is blocked blocks what needs it.
    children = {name: sorted(needs.successors(name)) for name in needs}
    for name in ("failed", "blocked", "failures"):
        make_folder(files.order / name)
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
            retries=retries,
            association_retries=_RETRIES,
            folder=shlex.quote(str(files.order)),
            settle=shlex.join(command),
        ),
        mode=0o755,
    )
    return script


def has_passed(files: RunPaths) -> bool:
    """Tell whether jobs of a run have failed that count as done for the WMS."""
    return bool(find_files(files.order, "failed/*"))


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
    for line in read_text(folder / "associations").splitlines():
        name, visit, detector = line.split()
        if name == job:
            yield int(visit), int(detector)
