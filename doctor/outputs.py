"""Output collections of steps: whether they hold what the runs of the step have made, and how they do again."""

__all__ = ["decide_chain", "find_broken_chains", "restore_chain"]

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence

from ..bps import Step
from ..common.butler import open_butler
from ..common.errors import RepositoryError
from ..ledger import Ledger, RunRecord, newest_of
from .model import BrokenChain

_log = logging.getLogger(__name__)


def find_broken_chains(ledger: Ledger) -> tuple[BrokenChain, ...]:
    """Find the output collections that are gone, or lack a run that counts or all of an input. Changes nothing.

    Raises
    ------
    RepositoryError
        If a repository cannot be read, or something else has the name of an output collection.
    """
    return tuple(chain for step in Step for chain in _find(ledger, step))


def restore_chain(ledger: Ledger, chain: BrokenChain) -> None:
    """Let an output collection hold again what the runs of its step have made, and what they have read.

    Killed at any moment, it is found as broken again: without a run it is as good as gone.

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
        if chain.inputs:
            collections.extend_chain(chain.output, chain.inputs)
        if chain.lacking:
            collections.prepend_chain(chain.output, chain.lacking)
        _log.info("%s holds %s again", chain.output, ", ".join((*chain.lacking, *chain.inputs)))


def _find(ledger: Ledger, step: Step) -> Iterator[BrokenChain]:
    by_output: dict[tuple[str, str], list[RunRecord]] = {}
    for run in ledger.runs_of(step):
        if run.output:  # what was adopted may have none
            by_output.setdefault((run.butler, run.output), []).append(run)
    current = {run.output_run for run in ledger.current(step)}
    for (butler, output), runs in by_output.items():
        with open_butler(butler, f"the collections of {butler} cannot be read") as repository:
            from lsst.daf.butler import CollectionType

            collections = repository.collections
            known = set(collections.query("*"))
            children: Sequence[str] | None = None
            if output in known:
                info = collections.get_info(output)
                if info.type is not CollectionType.CHAINED:
                    raise RepositoryError(
                        f"{output} in {butler} is no chained collection, but {info.type.name}"
                    )
                children = collections.query(output, flatten_chains=True) if info.children else ()
            inputs = dict.fromkeys(name for run in reversed(runs) for name in run.inputs)
            leaves = {
                name: tuple(collections.query(name, flatten_chains=True))
                for name in inputs
                if name in known and name != output
            }
            made = [run for run in runs if run.output_run in known]
            if broken := decide_chain(made, current, children, leaves):
                yield broken


def decide_chain(
    runs: Sequence[RunRecord],
    current: Collection[str],
    children: Collection[str] | None,
    leaves: Mapping[str, Sequence[str]],
) -> BrokenChain | None:
    """Decide whether an output collection is broken, and what it must hold again. Asks nobody.

    Parameters
    ----------
    runs
        The runs with this output whose RUN collection is there, the oldest first.
    current
        The RUN collections of those that count.
    children
        All that the output collection holds, without chains between; `None` if it is gone.
    leaves
        The same of each input that is there.
    """
    if not runs:
        return None
    made = [run.output_run for run in reversed(runs)]
    whole = children is not None and not set(children).isdisjoint(made)
    counting = [run for run in reversed(runs) if run.output_run in current]
    if whole and counting:
        # What a new run reads takes the place of what the earlier ones have read.
        counting = [run for run in counting if run.timestamp == counting[0].timestamp]
    held = set(children or ())
    # A chain that is read may hold more than when it was read: not all of it is needed.
    inputs = dict.fromkeys(
        leaf
        for run in counting
        for name in run.inputs
        if held.isdisjoint(leaves.get(name, ()))
        for leaf in leaves.get(name, ())
    )
    lacking = tuple(
        name for name in made if name not in inputs and name not in held and (name in current or not whole)
    )
    if whole and not lacking and not inputs:
        return None
    first = runs[0]
    return BrokenChain(first.step, first.output, children is not None, lacking, tuple(inputs))
