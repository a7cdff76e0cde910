"""What the installed BPS plugin for HTCondor has, found without importing it."""

__all__ = ["find_folders", "find_missing_scripts"]

import sys
from pathlib import Path

_HTCONDOR = "lsst.ctrl.bps.htcondor"
#: The scripts that it calls for groups of ordered jobs: lsst_distrib has them, its wheel on PyPI does not.
_GROUP_SCRIPTS = ("subdag_post.sh", "check_group_status.sh")


def find_folders(name: str) -> list[Path]:
    """Find the folders of an installed package: several if it is spread out, as Rubin's are in a stack."""
    parts = name.split(".")
    places = (Path(entry or ".").joinpath(*parts) for entry in sys.path)
    return list(dict.fromkeys(place for place in places if place.is_dir()))


def find_missing_scripts() -> tuple[str, ...]:
    """Name the scripts for groups of ordered jobs that the plugin lacks; none if it is not installed."""
    folders = [folder for folder in find_folders(_HTCONDOR) if (folder / "__init__.py").is_file()]
    if not folders:
        return ()
    return tuple(name for name in _GROUP_SCRIPTS if not any((folder / name).is_file() for folder in folders))
