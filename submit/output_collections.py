"""Output collections of a step: what they read, and whether they hold what its runs have made."""

__all__ = ["find_outputs", "rebase_output_chain", "register_outputs"]

import logging
import subprocess
from collections.abc import Iterable

from ..bps import PlannedRun
from ..common.butler import open_butler
from ..common.environment import environment_for_batch
from ..common.errors import RepositoryError
from ..ledger import RunRecord

# 10⁵ quanta took four minutes; whoever has more than ten times as many should see that it hangs.
_REGISTER_SECONDS = 3600

_log = logging.getLogger(__name__)


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
    command.append("--update-output-chain")
    try:
        done = subprocess.run(
            command,
            env=environment_for_batch(),
            capture_output=True,
            text=True,
            check=False,
            timeout=_REGISTER_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise RepositoryError(f"`{' '.join(command)}` failed: {error}") from error
    if done.returncode:
        said = "\n".join(done.stderr.splitlines()[-5:])
        raise RepositoryError(f"`{' '.join(command)}` failed: {said}")


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
