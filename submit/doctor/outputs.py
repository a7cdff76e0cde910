"""Output collections of steps: whether they hold what the runs of the step have made, and how they do again."""

__all__ = ["find_broken_chains", "restore_chain"]

import logging
from collections.abc import Iterator

from ...bps import Step
from ...common.butler import open_butler
from ...common.errors import RepositoryError
from ...ledger import Ledger, RunRecord, newest_of
from .model import BrokenChain

_log = logging.getLogger(__name__)


def find_broken_chains(ledger: Ledger) -> tuple[BrokenChain, ...]:
    """Find the output collections that are gone, or lack a run that counts. Changes nothing.

    Raises
    ------
    RepositoryError
        If a repository cannot be read, or something else has the name of an output collection.
    """
    return tuple(chain for step in Step for chain in _find(ledger, step))


def restore_chain(ledger: Ledger, chain: BrokenChain) -> None:
    """Let an output collection hold again what the runs of its step have made, and what they have read.

    Raises
    ------
    RepositoryError
        If the repository cannot be read or written.
    """
    runs = [run for run in ledger.runs_of(chain.step) if run.output == chain.output]
    butler = newest_of(runs).butler
    purpose = f"{chain.output} in {butler} cannot be made again"
    with open_butler(butler, purpose, writeable=True) as repository:
        from lsst.daf.butler import CollectionType

        collections = repository.collections
        collections.register(chain.output, CollectionType.CHAINED)
        if chain.there:
            collections.prepend_chain(chain.output, chain.lacking)
        else:
            known = set(collections.query("*"))
            current = {run.output_run for run in ledger.current(chain.step)}
            read = dict.fromkeys(
                name
                for run in reversed(runs)
                if run.output_run in current
                for name in run.inputs
                if name in known and name != chain.output
            )
            inputs = collections.query(list(read), flatten_chains=True) if read else ()
            own = [name for name in chain.lacking if name not in inputs]
            collections.redefine_chain(chain.output, (*own, *inputs))
        _log.info("%s holds %s again", chain.output, ", ".join(chain.lacking))


def _find(ledger: Ledger, step: Step) -> Iterator[BrokenChain]:
    by_output: dict[tuple[str, str], list[RunRecord]] = {}
    for run in ledger.runs_of(step):
        by_output.setdefault((run.butler, run.output), []).append(run)
    current = {run.output_run for run in ledger.current(step)}
    for (butler, output), runs in by_output.items():
        with open_butler(butler, f"the collections of {butler} cannot be read") as repository:
            from lsst.daf.butler import CollectionType

            known = set(repository.collections.query("*"))
            made = [run.output_run for run in reversed(runs) if run.output_run in known]
            if output not in known:
                if made:
                    yield BrokenChain(step, output, there=False, lacking=tuple(made))
                continue
            info = repository.collections.get_info(output)
            if info.type is not CollectionType.CHAINED:
                raise RepositoryError(f"{output} in {butler} is no chained collection, but {info.type.name}")
            lacking = tuple(name for name in made if name in current and name not in info.children)
            if lacking:
                yield BrokenChain(step, output, there=True, lacking=lacking)
