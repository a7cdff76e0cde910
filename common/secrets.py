"""Secrets: read only when they are used, and removed from all that is written, logged or shown."""

__all__ = [
    "SECRET_NAME",
    "check_secret_reference",
    "holds_database_password",
    "read_secret",
    "redact",
    "split_password",
]

import os
import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit

from .errors import SettingsError

# The user part may hold escaped characters, never a bare colon, slash or at sign; a password may hold anything.
_CREDENTIALS = re.compile(r"(?P<head>[A-Za-z][A-Za-z0-9+.-]*://[^\s:/@]*):(?P<password>[^\s]*)@")
# As libpq, JSON and variables write it. Unquoted before a colon it may also be a word of a sentence.
_PARAMETER = re.compile(
    r"""(?P<head>password(?:\s*=|["']\s*[:=])\s*)(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|[^&\s]+)""",
    re.IGNORECASE,
)
_YAML_KEY = re.compile(r"password\s*:\s+\S", re.IGNORECASE)
# Other URLs, such as that of a proxy, are no database's.
_DATABASE = re.compile(r"(?:postgres|mysql|mariadb|oracle|mssql|cockroach)\w*(?:\+\w+)?://", re.IGNORECASE)
# Options of a database URL in which libpq takes secrets.
_SECRET_OPTIONS = ("password", "sslpassword")

#: Names of environment variables that hold secrets: a campaign file may name them, and no job gets them.
SECRET_NAME = re.compile(r"\w*(WEBHOOK|WEBHOOK_URL|SMTP_PASSWORD)")


def check_secret_reference(reference: str) -> str:
    """Refuse what is not ``file:PATH`` or ``env:NAME``.

    Raises
    ------
    ValueError
        If it is neither; the message does not repeat it, since it may be the secret itself.
    """
    kind, _, name = reference.partition(":")
    if kind == "env" and not SECRET_NAME.fullmatch(name):
        raise ValueError(
            f"${name} is not known as a secret; expected a name that ends in WEBHOOK, WEBHOOK_URL or "
            "SMTP_PASSWORD, which no job gets"
        )
    if kind not in ("env", "file") or not name:
        raise ValueError(
            "this is a secret, which a campaign file must not hold; expected its place: file:PATH (chmod 600) or "
            "env:NAME"
        )
    return reference


def read_secret(reference: str, environment: Mapping[str, str] | None = None) -> str:
    """Read a secret from the place that a campaign file names.

    Raises
    ------
    SettingsError
        If it cannot be read, or is empty.
    """
    kind, _, name = reference.partition(":")
    if kind == "env":
        if value := (os.environ if environment is None else environment).get(name):
            return value.strip()
        raise SettingsError(f"the variable {name} is not set", remedy=f"set {name}")
    path = Path(name).expanduser()
    try:
        if value := path.read_text(encoding="utf-8").strip():
            return value
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"{path} cannot be read: {getattr(error, 'strerror', None) or 'not a text'}",
            remedy="put the secret in this file (chmod 600)",
        ) from None
    raise SettingsError(f"{path} is empty", remedy="put the secret in this file (chmod 600)")


def split_password(url: str) -> tuple[str, str | None]:
    """Remove the password from a database URL.

    Parameters
    ----------
    url
        A URL such as ``postgresql://user:password@host/db``.

    Returns
    -------
    url, password
        The URL without the password, and the password with its percent escapes decoded, or `None`. It may be
        among the URL's options, as libpq takes it.

    Raises
    ------
    ValueError
        If the text is not a URL; the message does not repeat it, since it may hold a password.
    """
    try:
        parts = urlsplit(url)
        password = parts.password
        options = parse_qsl(parts.query, keep_blank_values=True)
    except ValueError:
        raise ValueError(
            "the database URL cannot be read; expected postgresql://user@host/database"
        ) from None
    hidden = [value for name, value in options if name in _SECRET_OPTIONS]
    if hidden:
        kept = [(name, value) for name, value in options if name not in _SECRET_OPTIONS]
        bare, found = split_password(urlunsplit(parts._replace(query=urlencode(kept))))
        return bare, hidden[0] if found is None else found
    if password is None:
        return url, None
    credentials, _, host = parts.netloc.rpartition("@")
    user = credentials.partition(":")[0]
    netloc = f"{user}@{host}" if user else host
    return urlunsplit(parts._replace(netloc=netloc)), unquote(password)


def holds_database_password(text: str) -> bool:
    """Tell whether a text, such as the value of a variable, has the password of a database in it."""
    return bool(
        _PARAMETER.search(text)
        or _YAML_KEY.search(text)
        or (_DATABASE.search(text) and _CREDENTIALS.search(text))
    )


def redact(text: str) -> str:
    """Hide the passwords of all URLs and connection strings in a text, such as a foreign error message."""
    return _PARAMETER.sub(r"\g<head>***", _CREDENTIALS.sub(r"\g<head>:***@", text))
