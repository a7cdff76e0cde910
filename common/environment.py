"""Environment variables for BPS and its jobs: a PATH to their commands, and no passwords."""

__all__ = ["environment_for_batch"]

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from .secrets import SECRET_NAME

# BPS writes its whole environment into each submit directory (*.env.info.yaml), and DAGMan takes it along.
# The last two may be the URL of a database, password and all (see `apcampaign apdb init`).
_SECRETS = ("PGPASSWORD", "APCAMPAIGN_DB", "DB")


def environment_for_batch(environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """Make the variables for BPS and what it starts.

    Parameters
    ----------
    environment
        The variables to begin with; those of this process by default.

    Returns
    -------
    variables
        The same without passwords, and with a PATH on which the commands of this Python's environment
        (``pipetask``, ``butler``) are found even if it was not activated.
    """
    variables = {
        name: value
        for name, value in (os.environ if environment is None else environment).items()
        if name not in _SECRETS and not SECRET_NAME.fullmatch(name)
    }
    path = variables.get("PATH", os.defpath)
    if shutil.which("pipetask", path=path) is None:
        path = f"{Path(sys.executable).parent}{os.pathsep}{path}"
    variables["PATH"] = path
    return variables
