"""What quanta and jobs take: measured, or guessed."""

__all__ = ["GUESS", "Costs", "TaskCost"]

import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

from ...bps.data import read_mapping

#: What `TaskCost.source` is where nothing has been measured.
GUESS = "guess"
#: Seconds that a job takes beside its quanta: mostly imports.
_OVERHEAD = 15.0


@dataclass(frozen=True)
class TaskCost:
    """What a quantum of a task takes.

    Parameters
    ----------
    seconds
        On one core, on average.
    source
        The RUN collection in which it was measured, or `GUESS`.
    """

    seconds: float
    source: str


@dataclass(frozen=True)
class Costs:
    """What the tasks and jobs of a step take.

    Parameters
    ----------
    tasks
        By label, those that were measured.
    datasets
        MiB of a dataset on average, by type.
    overhead
        Seconds that a job takes beside its quanta.
    source
        Where that was measured, or `GUESS`.
    """

    tasks: Mapping[str, TaskCost] = field(default_factory=dict)
    datasets: Mapping[str, float] = field(default_factory=dict)
    overhead: float = _OVERHEAD
    source: str = GUESS

    def of(self, label: str) -> TaskCost:
        """Give what a quantum of a task takes; guessed where nothing was measured."""
        return self.tasks.get(label) or TaskCost(float(_guess(label)["seconds"]), GUESS)

    def disk_of(self, label: str, outputs: Iterable[str]) -> float:
        """Give the MiB of a quantum's outputs, of one dataset of each type; guessed where none was measured."""
        measured = [self.datasets[name] for name in outputs if name in self.datasets]
        return sum(measured) if measured else float(_guess(label)["disk"])


def _guess(label: str) -> Mapping[str, Any]:
    guesses = _read_guesses()
    values: Mapping[str, Any] = guesses.get(label, guesses["other"])
    return values


@functools.cache
def _read_guesses() -> Mapping[str, Any]:
    return read_mapping(Path(str(resources.files(__package__))) / "guesses.yaml")
