"""Roles of a private PostgreSQL server, as SQL without passwords in clear text."""

__all__ = ["SUPERUSER", "check_roles", "role_statements"]

import hashlib
import hmac
import re
import secrets
import unicodedata
from base64 import b64encode
from collections.abc import Mapping

from ...common.errors import SandboxError

SUPERUSER = "postgres"
_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_ITERATIONS = 4096


def check_roles(owner: str, passwords: Mapping[str, str] | None) -> None:
    """Check the names of roles, which are written into SQL without quotes.

    Raises
    ------
    SandboxError
        If a name cannot be used, or passwords are given and the owner has none.
    """
    if passwords is not None and owner not in passwords:
        raise SandboxError(
            f"a PostgreSQL server with passwords needs one for its owner {owner!r}, and they were given for "
            f"{', '.join(passwords) or 'nobody'}",
            remedy=f"give a password for {owner!r}",
        )
    for role in (owner, *(passwords or ())):
        if not _NAME.fullmatch(role) or role == SUPERUSER or role.startswith("pg_"):
            raise SandboxError(
                f"{role!r} cannot be a role of the server",
                expected=f"lower-case letters, digits and underscores, and neither {SUPERUSER!r} nor 'pg_…'",
            )


def role_statements(owner: str, passwords: Mapping[str, str]) -> list[str]:
    """Write the SQL, one statement per line, that creates the roles or updates them."""
    statements = []
    for role, password in sorted(passwords.items()):
        # Before version 16, who may create roles may also run programs as the user of the server.
        rights = f"LOGIN NOCREATEROLE {'CREATEDB' if role == owner else 'NOCREATEDB'}"
        statements.append(f"DO $$BEGIN CREATE ROLE {role}; EXCEPTION WHEN duplicate_object THEN END$$;")
        statements.append(f"ALTER ROLE {role} {rights} PASSWORD '{_scram_verifier(password)}';")
    return statements


def _scram_verifier(password: str, salt: bytes | None = None) -> str:
    """Make the SCRAM verifier that PostgreSQL stores instead of a password (RFC 5802, RFC 7677).

    Parameters
    ----------
    password
        The password.
    salt
        Random bytes; generated if not given.
    """
    salt = secrets.token_bytes(16) if salt is None else salt
    # The only part of SASLprep that matters for ordinary passwords.
    prepared = unicodedata.normalize("NFKC", password).encode()
    salted = hashlib.pbkdf2_hmac("sha256", prepared, salt, _ITERATIONS)
    stored_key = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server_key = hmac.digest(salted, b"Server Key", "sha256")
    encoded = [b64encode(part).decode() for part in (salt, stored_key, server_key)]
    return f"SCRAM-SHA-256${_ITERATIONS}:{encoded[0]}${encoded[1]}:{encoded[2]}"
