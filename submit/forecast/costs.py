"""Costs of quanta and jobs: measured, or assumed."""

__all__ = ["GUESS", "Costs", "TaskCost"]

import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

from ...bps.data import read_mapping

#: What stands for a source where nothing has been measured.
GUESS = "guess"
#: Seconds that a job takes besides its quanta, mostly imports, where that was not measured.
_OVERHEAD = 15.0
#: Seconds between the end of a job and the begin of one that waits for it, although a slot is free, where that was
#: not measured: by default HTCondor assigns slots every 20 s at the earliest, and DAGMan looks every 5 s.
_PAUSE = 25.0


@dataclass(frozen=True)
class TaskCost:
    """What a quantum of a task takes.

    Parameters
    ----------
    seconds
        On one core, on average.
    sources
        The RUN collections in which it was measured, or `GUESS`.
    """

    seconds: float
    sources: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Costs:
    """What the tasks and jobs of a step take.

    Parameters
    ----------
    tasks
        By label, those that were measured.
    datasets
        The mean size of a dataset in MiB, by type.
    overhead
        Seconds that a job takes besides its quanta.
    sources
        The RUN collections in which the overhead was measured, or `GUESS`.
    pause
        The most seconds between a job and one that waits for it, although a slot is free.
    """

    tasks: Mapping[str, TaskCost] = field(default_factory=dict)
    datasets: Mapping[str, float] = field(default_factory=dict)
    overhead: float = _OVERHEAD
    sources: tuple[str, ...] = (GUESS,)
    pause: float = _PAUSE

    def of(self, label: str) -> TaskCost:
        """Find what a quantum of a task takes; a guess where nothing was measured."""
        return self.tasks.get(label) or TaskCost(float(_find_default(label)["seconds"]), (GUESS,))

    def disk_of(self, label: str, outputs: Iterable[str]) -> float:
        """Compute the MiB of a quantum's outputs, one dataset of each type; a guess where none was measured."""
        measured = [self.datasets[name] for name in outputs if name in self.datasets]
        return sum(measured) if measured else float(_find_default(label)["disk"])


def _find_default(label: str) -> Mapping[str, Any]:
    defaults = _read_defaults()
    values: Mapping[str, Any] = defaults.get(label, defaults["other"])
    return values


@functools.cache
def _read_defaults() -> Mapping[str, Any]:
    return read_mapping(Path(str(resources.files(__package__))) / "default_costs.yaml")
