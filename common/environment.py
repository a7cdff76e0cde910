"""Environment variables for BPS and its jobs: a PATH to their commands, and no passwords."""

__all__ = ["environment_for_batch"]

import os
import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from .identity import user_name
from .secrets import SECRET_NAME, holds_database_password

# BPS writes its whole environment into each submit directory (*.env.info.yaml), and DAGMan takes it along.
_SECRETS = re.compile(r"LSST_DB_AUTH_CREDENTIALS|MYSQL_PWD|\w*PASS(WOR|W)D", re.IGNORECASE)
# Make's own: they repeat what its command line sets, such as DB=postgresql://user:password@host/database.
_MAKE = ("MAKEFLAGS", "MFLAGS", "MAKEOVERRIDES", "GNUMAKEFLAGS", "MAKELEVEL")
_USER = ("LOGNAME", "USER", "LNAME", "USERNAME")  # where Python looks for the name of a user


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

    Notes
    -----
    A variable with the URL or the connection string of a database is left out whatever its name is, if there is a
    password in it. That of a proxy stays, as do the keys of an object store and the token of a Butler server: jobs
    could not reach the network, or their files, without it.
    """
    variables = {
        name: value
        for name, value in (os.environ if environment is None else environment).items()
        if name not in _MAKE
        and not _SECRETS.fullmatch(name)
        and not SECRET_NAME.fullmatch(name)
        and not holds_database_password(value)
    }
    if not any(variables.get(name) for name in _USER):
        variables["LOGNAME"] = user_name()  # BPS asks for it, and fails where this machine knows no name
    path = variables.get("PATH", os.defpath)
    if shutil.which("pipetask", path=path) is None:
        path = f"{Path(sys.executable).parent}{os.pathsep}{path}"
    variables["PATH"] = path
    return variables
