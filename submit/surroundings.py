"""The environment in which BPS's commands and the jobs' starters find what they need, and no secrets."""

__all__ = ["batch_environment", "environment_for_batch"]

import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from ..common.secrets import SECRET_NAME

# BPS writes its whole environment into each submit directory (*.env.info.yaml), and DAGMan takes it along.
# The last two may be the URL of a database, password and all (see `apcampaign apdb init`).
_SECRETS = ("PGPASSWORD", "APCAMPAIGN_DB", "DB")


def environment_for_batch(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Make the variables for BPS and what it starts.

    Parameters
    ----------
    environment
        The variables of this process.

    Returns
    -------
    variables
        The same without passwords, and with a PATH on which the commands of this Python's environment
        (``pipetask``, ``butler``) are found even if it was not activated.
    """
    variables = {
        name: value
        for name, value in environment.items()
        if name not in _SECRETS and not SECRET_NAME.fullmatch(name)
    }
    path = variables.get("PATH", os.defpath)
    if shutil.which("pipetask", path=path) is None:
        path = f"{Path(sys.executable).parent}{os.pathsep}{path}"
    variables["PATH"] = path
    return variables


@contextmanager
def batch_environment() -> Iterator[dict[str, str]]:
    """Put this process into the environment for BPS, and back again at the end."""
    before = dict(os.environ)
    variables = environment_for_batch(before)
    os.environ.clear()
    os.environ.update(variables)
    try:
        yield variables
    finally:
        os.environ.clear()
        os.environ.update(before)
