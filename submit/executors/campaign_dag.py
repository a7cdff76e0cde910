"""Campaign DAG: the runs of a plan and the nodes between them, written for HTCondor's DAGMan."""

__all__ = [
    "MARK",
    "SUMMARY_NODE",
    "announce",
    "dump_work",
    "parse_work",
    "read_work",
    "write_campaign_dag",
    "write_empty_run",
    "write_work",
]

import itertools
import shutil
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from ...bps import CampaignConfig, Plan, PlannedRun, dump_campaign, gate_node, prepare_node
from ...bps.shape import PART_QUANTA
from ...common.condor_submission import write_dag_path
from ...common.errors import LedgerError
from ...common.files import write_atomically
from ...ledger import DagPaths, DagRecord, RunPaths, Workspace, read_copy, write_dag_record
from ..work import Work

#: Categories of nodes, of which only so many are in the queue at a time: those that build graphs, or look at the
#: repository before, take a core and memory on the submit host, a run has a DAGMan process there.
_PREPARE, _RUN = "prepare", "run"
_MOST_RUNNING = 50

#: MiB that building a graph takes (docs/benchmarks.md), and half as much again: Python with its modules, and each
#: quantum. A run whose quanta nobody has counted is as large as one can be that is not divided by default.
_GRAPH_MEMORY, _QUANTUM_MEMORY = 320.0, 0.045
_MOST_QUANTA = 2 * PART_QUANTA

#: The attribute that tells a campaign DAG's own jobs from all others: the DAG's folder.
MARK = "apcampaign_dag"

#: The node that runs at the end, whatever happened before.
SUMMARY_NODE = "summary"

# By default DAGMan looks every five seconds whether a node has ended; whole seconds, and 0 stops it. The script
# after a run opens the repository, with 180 MiB: of runs that end together only a few do so at a time.
_DAGMAN_CONFIG = "DAGMAN_USER_LOG_SCAN_INTERVAL = 1\nDAGMAN_MAX_POST_SCRIPTS = 4\n"


def write_campaign_dag(work: Work, prepared: Collection[str] | None = None) -> DagPaths:
    """Write the files of a campaign DAG: the campaign and the plan as they are now, the nodes, and the DAG.

    Some runs that wait for no other are prepared already. Before each of the others there is a node that builds
    its graph, and before that one that checks its templates.

    Parameters
    ----------
    work
        What the DAG executes.
    prepared
        The names of the runs that are prepared; by default the first that waits for no other.

    Raises
    ------
    PreconditionError
        If a path cannot be written in a DAG.
    """
    files = work.workspace.paths.dag(work.plan.timestamp)
    write_work(work, files)
    write_atomically(files.dagman_config, _DAGMAN_CONFIG)
    lines = [
        f"# Campaign {work.workspace.campaign.name}: {', '.join(run.name for run in work.plan)}",
        f"CONFIG {write_dag_path(files.dagman_config)}",
        f"MAXJOBS {_PREPARE} {work.workspace.campaign.prepare_slots}",
        f"MAXJOBS {_RUN} {_MOST_RUNNING}",
    ]
    heights = work.plan.heights
    if prepared is None:
        prepared = (work.plan.ready[0].name,)
    for run in work.plan:
        lines += _write_run(work, files, run, heights[run.name], is_prepared=run.name in prepared)
    # FINAL: it also runs, and tells why, when something before it failed.
    lines += [_write_node(work, files, SUMMARY_NODE, [], kind="FINAL"), ""]
    write_atomically(files.dag, "\n".join(lines))
    return files


def write_empty_run(files: DagPaths, run_files: RunPaths, run: PlannedRun) -> None:
    """Write the DAG of a run that has nothing to do, and remember that it has.

    Parameters
    ----------
    files
        The campaign DAG.
    run_files, run
        The run.
    """
    nothing = run_files.submit / "nothing.sub"
    write_atomically(nothing, "executable = /bin/true\nqueue\n")
    write_atomically(run_files.dag(run.output_run), f"JOB nothing {write_dag_path(nothing)} NOOP\n")
    write_atomically(files.empty(run.name), "")


@contextmanager
def announce(work: Work, files: DagPaths) -> Iterator[DagRecord]:
    """Write what is to be executed before any of it is, so that it is known also if this process is killed.

    The ledger takes no notice of it until a run of it is prepared. If the block raises an error before that, it is
    removed.

    Parameters
    ----------
    work
        What is to be executed.
    files
        Where it is written.

    Returns
    -------
    record
        As a context: the record of the plan, which no scheduler has yet.
    """
    record = DagRecord(
        campaign=work.workspace.campaign.name,
        timestamp=work.plan.timestamp,
        cluster="",
        runs=tuple(run.name for run in work.plan),
        remaining=work.remaining,
    )
    try:
        write_work(work, files)
        write_dag_record(files, record)
        yield record
    except BaseException:
        if not any(work.workspace.paths.run(run).record.exists() for run in work.plan):
            shutil.rmtree(files.folder, ignore_errors=True)
        raise


def write_work(work: Work, files: DagPaths) -> None:
    """Write what is executed, for `read_work`: the campaign as it is now, and all that was decided.

    What is not done is in the record of the DAG: it changes when the DAG is resumed.
    """
    write_atomically(files.campaign, dump_campaign(work.workspace.campaign))
    write_atomically(files.plan, dump_work(work))


def dump_work(work: Work) -> str:
    """Write what is executed, but for the campaign, as YAML."""
    content = {
        **work.plan.as_dict(),
        "apdb_config": work.apdb_config,
        "deferred": [[*key, place] for key, place in sorted(work.deferred.items())],
        "refuse_associated": work.refuse_associated,
    }
    return yaml.safe_dump(content, sort_keys=False)


def read_work(files: DagPaths, runs: Path) -> Work:
    """Read what a campaign DAG executes.

    Parameters
    ----------
    files
        Its files.
    runs
        The folder of all campaigns' runs.

    Raises
    ------
    LedgerError
        If it or its copy of the campaign cannot be read, or an older version wrote it and left no plan.
    SettingsError
        If what the campaign names, such as a site, is not there any more.
    """
    workspace = Workspace.of_copy(files, runs)
    try:
        return parse_work(workspace, read_copy(files.plan))
    except (KeyError, TypeError, ValueError) as error:
        raise LedgerError(
            f"{files.plan} cannot be read: {error}", remedy="`apcampaign doctor` tells what can be done"
        ) from error


def parse_work(workspace: Workspace, content: Mapping[str, Any]) -> Work:
    """Make what is executed again from what `dump_work` wrote; raises KeyError, TypeError or ValueError."""
    return Work(
        workspace=workspace,
        plan=Plan.from_dict(content),
        apdb_config=content["apdb_config"],
        deferred={(visit, detector): place for visit, detector, place in content["deferred"]},
        refuse_associated=bool(content.get("refuse_associated")),  # a plan of before that was written
    )


def _write_run(
    work: Work, files: DagPaths, run: PlannedRun, priority: int, *, is_prepared: bool
) -> Iterator[str]:
    """Write the nodes of a run, and give their lines of the DAG, in the order in which they are executed."""
    parents = work.plan.parents(run)
    nodes = []
    if parents and run.needs_templates:
        nodes.append(gate_node(run))
        yield _write_node(work, files, gate_node(run), ["gate", run.name])
        yield f"CATEGORY {gate_node(run)} {_PREPARE}"
    if not is_prepared:
        nodes.append(prepare_node(run))
        memory = _find_memory(work.workspace.campaign, run)
        yield _write_node(work, files, prepare_node(run), ["prepare", run.name], memory=memory)
        yield f"CATEGORY {prepare_node(run)} {_PREPARE}"
    dag = work.workspace.paths.run(run).dag(run.output_run)
    # BPS writes all paths in a run's DAG relative to its submit directory.
    yield f"SUBDAG EXTERNAL {run.name} {write_dag_path(dag)} DIR {write_dag_path(dag.parent)}"
    nodes.append(run.name)
    yield f"CATEGORY {run.name} {_RUN}"
    children = [other for other in work.plan if run.name in work.plan.parents(other)]
    if run.part or any(child.needs_templates for child in children):
        # Without this, the first job that failed would end the campaign, even where all templates are there.
        # What a signal or a removal has ended returned a negative number, which is no option.
        close = _command(work, files, "close", ["--", run.name, "$RETURN"])
        yield f"SCRIPT POST {run.name} {' '.join([sys.executable, *close])}"
    if run.part:
        # DAGMan passes it on to the jobs of a run. Without it, the last job of a part would wait for all jobs of
        # others that are in the queue already, and so would every part after it.
        yield from (f"PRIORITY {node} {priority}" for node in nodes)
    if parents:
        yield f"PARENT {' '.join(parents)} CHILD {nodes[0]}"
    for before, after in itertools.pairwise(nodes):
        yield f"PARENT {before} CHILD {after}"


def _find_memory(campaign: CampaignConfig, run: PlannedRun) -> int | None:
    """Find how much memory (MiB) the batch job gets that builds the graph of a run; `None` if none is to."""
    if campaign.prepare_memory != "auto":
        return campaign.prepare_memory
    return round(_GRAPH_MEMORY + _QUANTUM_MEMORY * (run.quanta or _MOST_QUANTA))


def _write_node(
    work: Work,
    files: DagPaths,
    name: str,
    arguments: Sequence[str],
    kind: str = "JOB",
    memory: int | None = None,
) -> str:
    """Write the submit description of a node, and give its line of the DAG.

    Its job runs on the submit host or, with ``memory`` (MiB), wherever there is a slot that shares the file
    system, in the environment of whoever submitted the campaign.
    """
    command, *rest = arguments or [name]
    settings = {
        "universe": "local",
        "executable": sys.executable,
        "arguments": _quote(_command(work, files, command, rest)),
        "getenv": "True",
        "initialdir": str(files.folder),
        "output": f"{name}.out",
        "error": f"{name}.err",
        "log": "nodes.log",
        "+apcampaign_node": f'"{name}"',
        f"+{MARK}": f'"{files.folder}"',
    }
    if memory is not None:
        # Nothing is transferred but what it prints; shared paths need not be what HTCondor calls a shared domain.
        settings |= {
            "universe": "vanilla",
            "request_cpus": "1",
            "request_memory": str(memory),
            "should_transfer_files": "YES",
            "transfer_executable": "False",
            "transfer_output_files": '""',
        }
    text = "\n".join([*(f"{key} = {value}" for key, value in settings.items()), "queue", ""])
    write_atomically(files.node(name, "sub"), text)
    return f"{kind} {name} {write_dag_path(files.node(name, 'sub'))}"


def _command(work: Work, files: DagPaths, command: str, arguments: Sequence[str]) -> list[str]:
    """The arguments of ``python`` that run a node."""
    where = [write_dag_path(files.folder), "--runs", write_dag_path(work.workspace.runs.resolve())]
    return ["-m", "apcampaign.scripts.cli", "node", command, *where, *arguments]


def _quote(arguments: Sequence[str]) -> str:
    """Quote the arguments of a job in HTCondor's way: spaces in single quotes, quotes doubled."""
    quoted = []
    for argument in arguments:
        argument = argument.replace('"', '""').replace("'", "''")
        quoted.append(f"'{argument}'" if any(c.isspace() or c == "'" for c in argument) else argument)
    return f'"{" ".join(quoted)}"'
