"""Passwords in database URLs: taken out before anything is written, logged or shown."""

__all__ = ["redact", "split_password"]

import re
from urllib.parse import unquote, urlsplit, urlunsplit

# The user part may itself hold escaped characters, never a bare colon, slash or at sign; a password, anything.
_CREDENTIALS = re.compile(r"(?P<head>[A-Za-z][A-Za-z0-9+.-]*://[^\s:/@]*):(?P<password>[^\s]*)@")
_PARAMETER = re.compile(r"(?P<head>\bpassword=)[^&\s]+", re.IGNORECASE)


def split_password(url: str) -> tuple[str, str | None]:
    """Take the password out of a database URL.

    Parameters
    ----------
    url
        A URL such as ``postgresql://user:password@host/db``.

    Returns
    -------
    url, password
        The URL without the password, and the password with its percent escapes undone, or `None`.

    Raises
    ------
    ValueError
        If the text is not a URL (the message does not hold it: it may hold a password).
    """
    try:
        parts = urlsplit(url)
        password = parts.password
    except ValueError:
        raise ValueError(
            "the database URL cannot be read; expected postgresql://user@host/database"
        ) from None
    if password is None:
        return url, None
    credentials, _, host = parts.netloc.rpartition("@")
    user = credentials.partition(":")[0]
    netloc = f"{user}@{host}" if user else host
    return urlunsplit(parts._replace(netloc=netloc)), unquote(password)


def redact(text: str) -> str:
    """Hide the passwords of all URLs and connection strings in a text, such as a foreign error message."""
    return _PARAMETER.sub(r"\g<head>***", _CREDENTIALS.sub(r"\g<head>:***@", text))
