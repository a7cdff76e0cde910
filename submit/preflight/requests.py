"""Requests of jobs: the memory and the cores that BPS would ask for, read from a run's BPS config.

BPS looks up a setting in the payload, then in the sections of a job's cluster, task, site and cloud, then at the
top of the file. What the cluster's own section says counts for its jobs; where it says nothing, the largest of the
values of their tasks does.
"""

__all__ = ["JobRequests", "Request"]

import os
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import yaml

from ...bps.data import merge
from ...bps.lint import load_vocabulary
from ...bps.lint.includes import read_with_includes
from ...bps.lint.tree import plain
from .run_spec import RunSpec

#: Jobs that every run has, besides those of its tasks.
INIT, FINAL = "pipetaskInit", "finalJob"


@dataclass(frozen=True)
class Request:
    """What a job asks for: memory in MiB, and cores."""

    label: str
    memory: int
    cpus: int


@dataclass(frozen=True)
class JobRequests:
    """What the jobs of a run ask for.

    Parameters
    ----------
    settings
        Its BPS config, with the defaults of BPS and of the plugin and with the files that it includes.
    """

    settings: Mapping[str, Any]

    @classmethod
    def read(cls, spec: RunSpec, environment: Mapping[str, str] | None = None) -> Self:
        """Read the settings of a run; a file that it includes and that cannot be read here is left out.

        Parameters
        ----------
        spec
            The run.
        environment
            The submitter's variables; those of this process by default.
        """
        with tempfile.TemporaryDirectory(prefix="apcampaign-") as folder:
            path = Path(folder) / "config.yaml"
            path.write_text(yaml.safe_dump(dict(spec.config)), encoding="utf-8")
            root, *_ = read_with_includes(path, os.environ if environment is None else environment)
        return cls(merge(load_vocabulary().defaults_for(spec.wms_service), plain(root)))

    def of_job(self, label: str, tasks: Iterable[str]) -> Request:
        """Find what jobs ask for.

        Parameters
        ----------
        label
            Their label: a cluster, or a task that is in none.
        tasks
            The tasks of which they have quanta.
        """
        names = {"cluster" if label in self._section("cluster") else "pipetask": label}
        names |= self._find_place(names)
        own = self._section("cluster", label)
        found = {}
        for key in ("requestMemory", "requestCpus"):
            values = [self._search(key, {**names, "pipetask": task}) for task in tasks]
            found[key] = _number(own.get(key)) or max(map(_number, values), default=0)
        return Request(label, found["requestMemory"], found["requestCpus"])

    def of_init(self) -> Request:
        """Find what the job asks for that initialises the run."""
        return self.of_job(INIT, [INIT])

    def of_final(self) -> Request:
        """Find what the job asks for that registers the outputs of the run."""
        own = self._section(FINAL)
        names = self._find_place({}, own)
        memory, cpus = (own.get(key) or self._search(key, names) for key in ("requestMemory", "requestCpus"))
        return Request(FINAL, _number(memory), _number(cpus))

    def list_all(self) -> list[Request]:
        """List what the jobs of each label ask for, as far as the settings name tasks and clusters."""
        clusters = {name: _split(self._section("cluster", name)) for name in self._section("cluster")}
        together = {task for tasks in clusters.values() for task in tasks}
        alone = [task for task in self._section("pipetask") if task not in {*together, INIT}]
        found = [self.of_init(), *(self.of_job(name, tasks) for name, tasks in clusters.items() if tasks)]
        return [*found, *(self.of_job(task, [task]) for task in alone), self.of_final()]

    def _section(self, *keys: str) -> Mapping[str, Any]:
        found: Any = self.settings
        for key in keys:
            found = found.get(key)
            if not isinstance(found, Mapping):
                return {}
        return found if isinstance(found, Mapping) else {}

    def _search(self, key: str, names: Mapping[str, str]) -> Any:
        """Look up a setting as BPS does, for a job of some cluster, task, site and cloud."""
        for name in ("payload", "cluster", "pipetask", "site", "cloud"):
            section = self._section(name)
            if name in names and names[name] in section:
                section = self._section(name, names[name])
            if key in section:
                return section[key]
        return self.settings.get(key)

    def _find_place(self, names: Mapping[str, str], own: Mapping[str, Any] | None = None) -> dict[str, str]:
        """Find the site and the cloud of a job; a cluster, a task and the last job may have their own."""
        found = {"site": "computeSite", "cloud": "computeCloud"}
        values = {place: (own or {}).get(key) or self._search(key, names) for place, key in found.items()}
        return {place: str(value) for place, value in values.items() if value}


def _number(value: Any) -> int:
    return int(value) if isinstance(value, int | float) else 0


def _split(section: Mapping[str, Any]) -> list[str]:
    """Split the tasks of a cluster as BPS does."""
    return str(section.get("pipetasks") or "").replace(",", " ").split()
