"""The DAG that BPS makes of a run for HTCondor: its jobs, and whether it is whole."""

__all__ = ["count_missing", "is_dag_whole", "read_dag"]

import re
from pathlib import Path

from ..bps import Wms
from ..common.errors import LedgerError
from ..common.reading import open_text
from .nodes import Node, Workflow
from .paths import RunPaths
from .records import RunRecord

_NODE = re.compile(r'(JOB|FINAL|SUBDAG EXTERNAL)\s+(\S+)\s+"?([^"\s]+)"?(?:\s+DIR\s+"?([^"\s]+)"?)?')


def read_dag(path: Path) -> Workflow:
    """Read the nodes of an HTCondor DAG and their edges.

    Raises
    ------
    LedgerError
        If it cannot be read.
    """
    heads: dict[str, tuple[str, str, Path]] = {}
    parents: dict[str, list[str]] = {}
    try:
        with open_text(path) as stream:
            for line in stream:
                if line.startswith("PARENT "):
                    before, after = line[7:].split(" CHILD ")
                    for child in after.split():
                        parents.setdefault(child, []).extend(before.split())
                elif found := _NODE.match(line):
                    kind, name, _, folder = found.groups()
                    # BPS gives the jobs of a label a folder of that name.
                    parts = Path(folder).parts if folder else ()
                    label = parts[1] if len(parts) > 1 and parts[0] == "jobs" else name
                    heads[name] = (kind, label, path.parent / (folder or ""))
    except (OSError, ValueError) as error:
        raise LedgerError(f"{path} cannot be read as a DAG: {error}") from error
    return Workflow(
        nodes={
            name: Node(
                name=name,
                label=label,
                folder=folder,
                parents=tuple(parents.get(name, ())),
                final=kind == "FINAL",
                subdag=kind == "SUBDAG EXTERNAL",
            )
            for name, (kind, label, folder) in heads.items()
        }
    )


def is_dag_whole(paths: RunPaths, run: RunRecord) -> bool:
    """Tell whether the DAG of a run can be read, and has all of its jobs; true of one that needs none."""
    jobs = sum(run.jobs.values())
    if run.wms is not Wms.HTCONDOR or not jobs:
        return True
    try:
        return not count_missing(read_dag(paths.dag(run.output_run)), jobs)
    except LedgerError:
        return False


def count_missing(workflow: Workflow, expected: int) -> int:
    """Count the jobs that a DAG lacks; of jobs in groups it does not tell itself."""
    grouped = any(node.subdag for node in workflow.nodes.values())
    return 0 if grouped else max(expected - len(workflow.nodes), 0)
