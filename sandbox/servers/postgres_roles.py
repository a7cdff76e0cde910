"""The roles of a private PostgreSQL server, as SQL that holds no password in clear."""

__all__ = ["SUPERUSER", "check_roles", "role_statements", "scram_verifier"]

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
    """Check the names of roles, which go into SQL as they are.

    Raises
    ------
    SandboxError
        If a name cannot be used, or passwords are wanted and the owner has none.
    """
    if passwords is not None and owner not in passwords:
        raise SandboxError(
            f"a PostgreSQL server with passwords needs one for its owner {owner!r}; "
            f"passwords were given for: {', '.join(passwords) or 'nobody'}"
        )
    for role in (owner, *(passwords or ())):
        if not _NAME.fullmatch(role) or role == SUPERUSER or role.startswith("pg_"):
            raise SandboxError(
                f"{role!r} cannot be a role of the server; expected lower-case letters, digits and "
                f"underscores, and neither {SUPERUSER!r} nor 'pg_…'"
            )


def role_statements(owner: str, passwords: Mapping[str, str] | None) -> list[str]:
    """Write the SQL, one line a statement, that makes the roles or brings them up to date."""
    statements = []
    for role in sorted({owner, *(passwords or ())}):
        rights = "LOGIN CREATEDB CREATEROLE" if role == owner else "LOGIN"
        if passwords is not None:
            rights += f" PASSWORD '{scram_verifier(passwords[role])}'"
        statements.append(f"DO $$BEGIN CREATE ROLE {role}; EXCEPTION WHEN duplicate_object THEN END$$;")
        statements.append(f"ALTER ROLE {role} {rights};")
    return statements


def scram_verifier(password: str, salt: bytes | None = None) -> str:
    """Make what PostgreSQL keeps instead of a password (RFC 5802, RFC 7677).

    Parameters
    ----------
    password
        The password.
    salt
        Random bytes; made if not given.
    """
    salt = secrets.token_bytes(16) if salt is None else salt
    # All of SASLprep that ordinary passwords meet.
    prepared = unicodedata.normalize("NFKC", password).encode()
    salted = hashlib.pbkdf2_hmac("sha256", prepared, salt, _ITERATIONS)
    stored_key = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server_key = hmac.digest(salted, b"Server Key", "sha256")
    words = [b64encode(part).decode() for part in (salt, stored_key, server_key)]
    return f"SCRAM-SHA-256${_ITERATIONS}:{words[0]}${words[1]}:{words[2]}"
