"""Configuration files of a private PostgreSQL server."""

__all__ = ["HOST", "access_config", "server_config"]

from .postgres_roles import SUPERUSER

HOST = "127.0.0.1"

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
