"""Folder of the databases of a PostgreSQL server, which PostgreSQL calls a cluster: its making and its state."""

__all__ = ["initialise", "is_ready", "read_version", "server_environ"]

import os
import shutil
from pathlib import Path

from ...common.errors import SandboxError
from .identity import Identity
from .postgres_binaries import PostgresBinaries
from .postgres_roles import SUPERUSER
from .processes import run


def initialise(cluster: Path, binaries: PostgresBinaries, identity: Identity) -> None:
    """Make an empty one, whose superuser nobody can be by the network; raises SandboxError."""
    shutil.rmtree(cluster, ignore_errors=True)
    cluster.mkdir(mode=0o700)
    identity.take(cluster.parent)
    command = [str(binaries.folder / "initdb"), f"--pgdata={cluster}", f"--username={SUPERUSER}"]
    options = ["--auth=reject", "--encoding=UTF8", "--no-locale", "--no-sync", "--no-instructions"]
    try:
        run(identity.command([*command, *options]), seconds=120, environ=server_environ(), cwd=Path("/"))
    except SandboxError:
        shutil.rmtree(cluster, ignore_errors=True)
        raise


def read_version(cluster: Path) -> str | None:
    """Tell which PostgreSQL has made it; `None` if none has."""
    try:
        return (cluster / "PG_VERSION").read_text(encoding="ascii").strip()
    except OSError:
        return None


def is_ready(cluster: Path) -> bool:
    """Tell whether its server accepts connections."""
    # As pg_ctl does: the state is in line 8.
    try:
        lines = (cluster / "postmaster.pid").read_text(encoding="utf-8").splitlines()
    except OSError:
        return False
    return len(lines) >= 8 and lines[7].strip() == "ready"


def server_environ() -> dict[str, str]:
    """Make the environment of a server: the caller's PGDATA, PGPORT and locale are meant for another one."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_", "LANG"))}
    return {**kept, "LC_ALL": "C"}
