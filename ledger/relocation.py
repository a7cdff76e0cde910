"""Records of runs whose folder was moved since: where their files are now."""

__all__ = ["is_moved_dag", "relocate_run"]

import re
from pathlib import Path

from ..common.reading import read_text
from .paths import DagPaths, RunPaths
from .records import RunRecord

_CONFIG = re.compile(r"^CONFIG (.+)$", re.MULTILINE)


def relocate_run(paths: RunPaths, record: RunRecord) -> RunRecord:
    """Give the record of a run with the names that its files have now: they are in the folder that it is in.

    Parameters
    ----------
    paths
        Its files.
    record
        Its record, as it was written.

    Returns
    -------
    record
        The same one, unless its folder was moved or copied. That it is seen under another name, such as by another
        host, is no move.
    """
    there, here = Path(record.submit_dir).parent, paths.folder
    if there == here or _is_same(there, here):
        return record
    changes = {name: _move(getattr(record, name), there, here) for name in ("config", "submit_dir", "graph")}
    if record.apdb_config:
        # One that was made for the campaign is in its folder.
        changes["apdb_config"] = _move(record.apdb_config, there.parent.parent, here.parent.parent)
    return record.model_copy(update=changes)


def is_moved_dag(paths: DagPaths) -> bool:
    """Tell whether the folder of a campaign DAG was moved: its files name one another with their whole paths."""
    try:
        found = _CONFIG.search(read_text(paths.dag, errors="replace"))
    except FileNotFoundError:
        return False
    return found is not None and not _is_same(Path(found[1]), paths.dagman_config)


def _is_same(one: Path, other: Path) -> bool:
    try:
        return one == other or one.samefile(other)
    except OSError:
        return False


def _move(name: str, there: Path, here: Path) -> str:
    path = Path(name)
    return str(here / path.relative_to(there)) if path.is_relative_to(there) else name
