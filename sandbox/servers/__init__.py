"""The servers of one machine: a private HTCondor pool and a private PostgreSQL.

Both are ordinary processes in a folder of their own on the loopback interface, started by `processes.spawn`
as the user that `identity.Identity` chooses, and they stop by themselves after a time to live if one is set.
"""

__all__ = ["Identity", "PostgresBinaries", "PostgresServer"]

from apcampaign.sandbox.servers.identity import Identity
from apcampaign.sandbox.servers.postgres import PostgresServer
from apcampaign.sandbox.servers.postgres_binaries import PostgresBinaries
