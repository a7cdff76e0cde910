"""Versions of the software that makes and runs the jobs."""

__all__ = ["installed_versions"]

import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path

# Module and distribution: in lsst_distrib the modules know their version, from PyPI the distributions do.
_PACKAGES = {
    "apcampaign": "apcampaign",
    "lsst.ctrl.bps": "lsst-ctrl-bps",
    "lsst.ctrl.bps.htcondor": "lsst-ctrl-bps-htcondor",
    "lsst.ctrl.bps.parsl": "lsst-ctrl-bps-parsl",
    "lsst.daf.butler": "lsst-daf-butler",
    "lsst.dax.apdb": "lsst-dax-apdb",
    "lsst.pipe.base": "lsst-pipe-base",
    "htcondor2": "htcondor",
}
_GIT_SECONDS = 10  # on a busy network file system it may hang; the revision is not worth waiting for


def installed_versions() -> dict[str, str]:
    """Read the versions of what makes and runs the jobs, and our git revision where there is one."""
    versions = {"python": platform.python_version()}
    for module, distribution in _PACKAGES.items():
        try:
            versions[distribution] = metadata.version(distribution)
        except metadata.PackageNotFoundError:
            if version := getattr(sys.modules.get(module), "__version__", None):
                versions[distribution] = str(version)
    root = Path(__file__).resolve().parents[1]
    # An installed package may lie inside of somebody else's clone.
    if _git(root, "rev-parse", "--show-toplevel") == str(root):
        versions["git"] = _git(root, "describe", "--always", "--dirty")
    return versions


def _git(folder: Path, *arguments: str) -> str:
    """Ask git; nothing if it is not here or does not answer in time."""
    command = ["git", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", check=False, timeout=_GIT_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip()
