"""Settings with which BPS submitted a run, from the copy that it keeps in the submit directory."""

__all__ = ["RunSettings", "find_settings", "read_settings"]

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ...bps import GRAPH_OPTIONS, read_config_overrides
from ...bps.options import RUN_OPTIONS
from ...common.errors import LedgerError
from ...common.files import find_files

_SUFFIX = "_config.yaml"
_PRINTED = "name what `bps submit` has printed as the submit directory"
_APDB = ("parameters", "apdb_config")

#: What of BPS's settings is kept; the rest has no part in how a run is read, and may hold what is nobody's
#: business, such as variables of whoever submitted it.
_KEPT = (
    "campaign",
    "operator",
    "computeSite",
    "clusterAlgorithm",
    "cluster",
    "pipetask",
    "ordering",
    "requestMemory",
    "requestCpus",
    "numberOfRetries",
    "memoryMultiplier",
    "finalJob",
)


@dataclass(frozen=True, kw_only=True)
class RunSettings:
    """What BPS was told of a run, with its variables replaced.

    Parameters
    ----------
    name
        BPS's name of the run, which its files have.
    timestamp
        When it was submitted, ``YYYYMMDDTHHMMSSZ``.
    butler, pipeline, query
        The repository, the pipeline and the data query.
    inputs, output, output_run
        Its collections; the output is empty if it has no CHAINED collection.
    graph_options, run_options
        Further options of ``pipetask``.
    wms_service
        The class of the BPS plugin.
    submit
        Its submit directory, where that was then.
    parsl_folder
        Where its site lets Parsl put its logs, if it says so.
    kept
        The other settings that are kept of it.
    """

    name: str
    timestamp: str
    butler: str
    pipeline: str
    query: str
    inputs: tuple[str, ...]
    output: str
    output_run: str
    graph_options: str = ""
    run_options: str = ""
    wms_service: str
    submit: str = ""
    parsl_folder: str = ""
    kept: Mapping[str, Any]

    @property
    def apdb_config(self) -> str | None:
        """The APDB that it was given to fill; `None` if its options do not say."""
        overrides = read_config_overrides(self.graph_options)
        return next((str(value) for *keys, value in overrides if tuple(keys) == _APDB), None)

    def as_config(self, submit: Path) -> dict[str, Any]:
        """Give them as a BPS config, as the records of runs have it."""
        return {
            "pipelineYaml": self.pipeline,
            **self.kept,
            GRAPH_OPTIONS: self.graph_options,
            RUN_OPTIONS: self.run_options,
            "wmsServiceClass": self.wms_service,
            "submitPath": str(submit),
            "payload": {
                "butlerConfig": self.butler,
                "inCollection": ",".join(self.inputs),
                "output": self.output,
                "outputRun": self.output_run,
                "dataQuery": self.query,
            },
        }


def find_settings(folder: Path) -> Path:
    """Find the settings in a submit directory.

    Raises
    ------
    LedgerError
        If it is none; submit directories below it are named.
    """
    found = _without_apdb(find_files(folder, f"*{_SUFFIX}"))
    if len(found) == 1:
        return found[0]
    what = f"{folder} is no submit directory of BPS"
    if found:
        raise LedgerError(f"{what}: it holds {len(found)} files *{_SUFFIX}, and BPS writes one")
    if not folder.is_dir():
        raise LedgerError(f"there is no folder {folder}", remedy=_PRINTED)
    # What cannot be read below is not what is meant.
    depths = ("*/", "*/*/", "*/*/*/")
    below = sorted(
        path.parent for depth in depths for path in _without_apdb(folder.glob(f"{depth}*{_SUFFIX}"))
    )
    meant = f"did you mean {' or '.join(map(str, below[:3]))}?" if below else _PRINTED
    raise LedgerError(
        f"{what}: it holds no *{_SUFFIX}, in which BPS keeps the settings of a run", remedy=meant
    )


def _without_apdb(paths: Iterable[Path]) -> list[Path]:
    """Leave out the configuration of an APDB, which is called like the settings of a run."""
    return [path for path in paths if path.name != f"apdb{_SUFFIX}"]


def read_settings(path: Path) -> RunSettings:
    """Read the settings of a run.

    Raises
    ------
    LedgerError
        If they cannot be read, or lack what every run has.
    """
    from lsst.ctrl.bps import BpsConfig

    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        config = BpsConfig(str(path))
        found = {name: _read(config, name) for name in ("butlerConfig", "outputRun", "pipelineYaml")}
        kept = {key: content[key] for key in _KEPT if content.get(key)}
    except (OSError, UnicodeDecodeError, yaml.YAMLError, ValueError, AttributeError, TypeError) as error:
        raise LedgerError(f"{path} cannot be read: {' '.join(str(error).split())[:300]}") from error
    if missing := [name for name, value in found.items() if not value]:
        raise LedgerError(
            f"{path} does not say the run's {' and '.join(missing)}: it is cut off, or of no run"
        )
    return RunSettings(
        name=_read(config, "uniqProcName"),
        timestamp=_read(config, "timestamp"),
        butler=found["butlerConfig"],
        pipeline=found["pipelineYaml"],
        query=" ".join(_read(config, "dataQuery").split()),
        inputs=tuple(name.strip() for name in _read(config, "inCollection").split(",") if name.strip()),
        output=_read(config, "output"),
        output_run=found["outputRun"],
        graph_options=_read(config, GRAPH_OPTIONS),
        run_options=_read(config, RUN_OPTIONS),
        wms_service=_read(config, "wmsServiceClass"),
        submit=_read(config, "submitPath"),
        parsl_folder=_read_of_site(config, "run_dir"),
        kept=kept,
    )


def _read_of_site(config: Any, name: str) -> str:
    """Read a value that the run's site has."""
    _, value = config.search(
        name, opt={"curvals": {"curr_site": _read(config, "computeSite")}, "default": ""}
    )
    return str(value or "").strip()


def _read(config: Any, name: str) -> str:
    """Read a value as BPS does: with its variables, from whichever section has it first."""
    value = config.get(name)
    return "" if value is None else str(value).strip()
