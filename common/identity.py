"""Who runs this process."""

__all__ = ["user_name"]

import getpass
import os
import pwd


def user_name(uid: int | None = None) -> str:
    """Name a user, also one of whom this machine knows the number only.

    Parameters
    ----------
    uid
        The user's number; by default whoever runs this process, by the name that ``LOGNAME`` or ``USER`` has.

    Returns
    -------
    name
        The name; ``uid-1234`` where there is none, as in a container that was started for a number.
    """
    try:
        return getpass.getuser() if uid is None else pwd.getpwuid(uid).pw_name
    except (KeyError, OSError, ImportError):  # before Python 3.13 a KeyError
        return f"uid-{os.getuid() if uid is None else uid}"
