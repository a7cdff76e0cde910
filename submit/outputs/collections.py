"""Output collections of a step: what they read, and whether they hold what its runs have made."""

__all__ = ["choose_inputs", "find_outputs", "join_step_output", "rebase_output_chain", "register_outputs"]

import logging
import subprocess
from collections.abc import Iterable
from dataclasses import replace

from ...bps import PlannedRun, Stage
from ...common.butler import open_butler, refresh_statistics
from ...common.environment import environment_for_batch
from ...common.errors import RepositoryError
from ...ledger import RunRecord

# 10⁵ quanta took four minutes; whoever has more than ten times as many should see that it hangs.
_REGISTER_SECONDS = 3600

_log = logging.getLogger(__name__)


def choose_inputs(butler: str, run: PlannedRun) -> PlannedRun:
    """Leave out the inputs of a part that no other part has made yet, where it can do without them.

    Parameters
    ----------
    butler
        The repository.
    run
        The run that is about to be prepared.

    Raises
    ------
    RepositoryError
        If the repository cannot be read.
    """
    if not run.part:
        return run
    optional = {run.output}
    if run.stage is Stage.VISITS:
        optional |= {*run.inputs[:1], *run.skip_existing}
    with open_butler(butler, f"the inputs of {run.output_run} in {butler} cannot be read") as repository:
        missing = optional - set(repository.collections.query("*"))
    return replace(
        run,
        inputs=tuple(name for name in run.inputs if name not in missing),
        skip_existing=tuple(name for name in run.skip_existing if name not in missing),
    )


def join_step_output(butler: str, run: PlannedRun | RunRecord) -> bool:
    """Let the output collection of a step hold what one of its parts has made, and what that has read.

    Parameters
    ----------
    butler
        The repository.
    run
        The run of the part.

    Returns
    -------
    there
        Whether the part has made anything.

    Raises
    ------
    RepositoryError
        If the repository cannot be read or written.
    """
    purpose = f"{run.output_run} cannot join {run.output} in {butler}"
    with open_butler(butler, purpose, writeable=True) as repository:
        from lsst.daf.butler import CollectionType

        known = set(repository.collections.query("*"))
        if run.output_run not in known:
            return False
        repository.collections.register(run.output, CollectionType.CHAINED)
        # Not a chain that is read, changed and written: several parts may end at the same moment. Killed between
        # the two it lacks the run, which is noticed.
        inputs = [name for name in run.inputs if name in known and name != run.output]
        repository.collections.extend_chain(run.output, inputs)
        repository.collections.prepend_chain(run.output, run.output_run)
    refresh_statistics(butler)  # the next graph is built on what is there now
    return True


def rebase_output_chain(butler: str, run: PlannedRun) -> bool:
    """Let the CHAINED output collection of a step read what its next run is to read.

    Once it is there, building a graph searches it and not the inputs that are given (with ``--rebase`` too,
    which has an effect only where outputs are written): older templates would be used silently.

    Parameters
    ----------
    butler
        The repository.
    run
        The next run. Its output gets the step's earlier runs, then the inputs of this one.

    Returns
    -------
    changed
        Whether it has been changed.

    Raises
    ------
    RepositoryError
        If the repository cannot be read or written.
    """
    purpose = f"the inputs of {run.output} in {butler} cannot be set"
    with open_butler(butler, purpose, writeable=True) as repository:
        from lsst.daf.butler import CollectionType, MissingCollectionError

        try:
            info = repository.collections.get_info(run.output)
        except MissingCollectionError:
            return False
        if info.type is not CollectionType.CHAINED:
            return False  # BPS says what is wrong with that
        inputs = repository.collections.query(run.inputs, flatten_chains=True)
        own = [name for name in info.children if name.startswith(f"{run.output}/")]
        wanted = (*own, *inputs)
        if tuple(info.children) == wanted:
            return False
        repository.collections.redefine_chain(run.output, wanted)
    _log.info("%s read %s, and now reads %s", run.output, ", ".join(info.children), ", ".join(wanted))
    return True


def register_outputs(record: RunRecord) -> None:
    """Merge what a run's jobs have made into the repository.

    The run's final job does it, and a run that was cancelled may have had none.

    Raises
    ------
    RepositoryError
        If it cannot be done; it can be tried again.
    """
    _log.info("%s: registering the outputs of %s in the repository", record.step, record.output_run)
    command = ["butler", "aggregate-graph", record.graph, record.butler, "--register-dataset-types"]
    if not record.part:
        command.append("--update-output-chain")
    try:
        done = subprocess.run(
            command,
            env=environment_for_batch(),
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=_REGISTER_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise RepositoryError(f"`{' '.join(command)}` failed: {error}") from error
    if done.returncode:
        said = "\n".join(done.stderr.splitlines()[-5:])
        raise RepositoryError(f"`{' '.join(command)}` failed: {said}")
    if record.part:
        join_step_output(record.butler, record)


def find_outputs(records: Iterable[RunRecord]) -> set[str]:
    """Find which RUN collections of some runs exist, so that a new graph can skip what is in them."""
    wanted: dict[str, set[str]] = {}
    for record in records:
        wanted.setdefault(record.butler, set()).add(record.output_run)
    found: set[str] = set()
    for butler, outputs in wanted.items():
        with open_butler(butler, f"the collections of {butler} cannot be read") as repository:
            found |= outputs & set(repository.collections.query("*"))
    return found
