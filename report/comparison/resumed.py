"""Outcomes of a step that was resumed, put together over its runs: each leaves out what was done before it."""

__all__ = ["add_earlier_counts", "add_earlier_troubles"]

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from ...common.butler import open_butler
from ...ledger import RunRecord, newest_of
from ...monitor.outcomes import QuantaCount, QuantumTrouble, read_outcomes
from .repository import count_done


def add_earlier_troubles(
    troubles: Iterable[QuantumTrouble], earlier: Iterable[RunRecord]
) -> list[QuantumTrouble]:
    """Add the quanta that earlier runs have done with trouble, each once; what failed there was done again.

    Parameters
    ----------
    troubles
        Those of the current runs.
    earlier
        The runs that they continue, the oldest first.
    """
    found = {}
    for trouble in (each for run in earlier for each in read_outcomes(run).troubles if each.run):
        found[trouble.label, frozenset(trouble.data_id.items())] = trouble
    found |= {(trouble.label, frozenset(trouble.data_id.items())): trouble for trouble in troubles}
    return list(found.values())


def add_earlier_counts(
    current: Mapping[str, QuantaCount], runs: Sequence[RunRecord], troubles: Iterable[QuantumTrouble]
) -> dict[str, QuantaCount]:
    """Add what earlier runs had done and the current ones have left out.

    Parameters
    ----------
    current
        Outcomes of the quanta of the current runs, by task label.
    runs
        All runs of the step, of which there is at least one, the oldest first.
    troubles
        The quanta of all of them that were done with trouble.

    Raises
    ------
    RepositoryError
        If the repository cannot be read.
    """
    labels = dict.fromkeys(label for run in runs for label in run.quanta)
    partial = Counter(trouble.label for trouble in troubles if trouble.run and trouble.why)
    found = {}
    with open_butler(newest_of(runs).butler, "the quanta of earlier runs cannot be counted") as butler:
        known = set(butler.collections.query("*"))
        there = [run.output_run for run in runs if run.output_run in known]
        for label in labels:
            now = current.get(label, QuantaCount(expected=0, successful=0, failed=0, blocked=0, unknown=0))
            done = max(count_done(butler, label, there) if there else 0, now.successful)
            found[label] = replace(
                now, expected=now.expected + done - now.successful, successful=done, partial=partial[label]
            )
    return found
