"""Configuration of a private PostgreSQL server: its files, and its port."""

__all__ = ["HOST", "access_config", "choose_port", "server_config"]

import contextlib
import random
import socket

from ...common.errors import SandboxError
from .postgres_roles import SUPERUSER

HOST = "127.0.0.1"
# Below those that Linux gives to connections, and above those of known services.
_PORTS = range(20_000, 32_000)

_SERVER = """\
listen_addresses = '{host}'
port = {port}
# Only TCP: the path of a socket may have at most 107 bytes, which a deep folder exceeds.
unix_socket_directories = ''
max_connections = 200
password_encryption = 'scram-sha-256'
# The data can be made again, so nothing waits for the disk; a crash of the machine loses them.
fsync = off
synchronous_commit = off
full_page_writes = off
# Parallel queries use /dev/shm, which is small in containers.
max_parallel_workers_per_gather = 0
log_min_messages = warning
# Statements may hold passwords.
log_min_error_statement = panic
"""

# The superuser could run programs as the server's user, and everybody on this machine can reach the port.
_ACCESS = """\
host all {superuser} {host}/32 reject
host all all {host}/32 scram-sha-256
"""


def server_config(port: int) -> str:
    """Write ``postgresql.conf``."""
    return _SERVER.format(host=HOST, port=port)


def access_config() -> str:
    """Write ``pg_hba.conf``: roles log in from this machine, with their passwords."""
    return _ACCESS.format(superuser=SUPERUSER, host=HOST)


def choose_port() -> int:
    """Choose a port that nothing listens on.

    Not one of those that the kernel gives to connections: the server comes back to its port after a restart of the
    machine, when any program may have got it.

    Raises
    ------
    SandboxError
        If none is free.
    """
    for port in random.SystemRandom().sample(_PORTS, len(_PORTS)):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind((HOST, port))
            return port
    raise SandboxError(f"no port from {_PORTS.start} to {_PORTS.stop - 1} is free")
