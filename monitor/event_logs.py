"""Event logs of a DAG and of the DAGs inside of it, read as one."""

__all__ = ["EventLogs"]

from pathlib import Path

from ..common.files import find_files
from .event_log import EventLog
from .history import History


class EventLogs:
    """The event logs of a run's DAG, and of those inside of it with which BPS runs groups of jobs in order.

    Parameters
    ----------
    dag
        The run's DAG.
    """

    def __init__(self, dag: Path):
        self._dag = dag
        self._logs: dict[Path, EventLog] = {}
        #: What happened, by cluster, in the order of submission within each log.
        self.histories: dict[int, History] = {}

    @property
    def dags(self) -> tuple[Path, ...]:
        """The DAGs whose logs were read, the run's own first."""
        return tuple(path.with_name(path.name.removesuffix(".nodes.log")) for path in self._logs)

    @property
    def told_damaged(self) -> bool:
        """Whether one of them was warned of."""
        return any(log.told_damaged for log in self._logs.values())

    def read(self) -> set[int]:
        """Read what was appended since the last time; gives the clusters of which there is something new."""
        own = self._dag.with_name(f"{self._dag.name}.nodes.log")
        changed: set[int] = set()
        for path in (own, *find_files(self._dag.parent, "subdags/*/*.nodes.log")):
            changed |= self._logs.setdefault(path, EventLog(path)).read()
        first, *others = self._logs.values()
        self.histories = dict(first.histories) if others else first.histories
        for log in others:
            self.histories.update(log.histories)
        return changed
