"""Servers of one machine: a private HTCondor pool and a private PostgreSQL.

`CondorPool` and `PostgresServer` are ordinary processes with a folder of their own, reached on the loopback
interface. `processes.spawn` starts them as the user that `Identity` chooses, and they stop by themselves after
a time to live, if one is set. `CondorSoftware` fetches HTCondor where the system has none
(`system_condor_works`); `PostgresBinaries` finds PostgreSQL's programs.
"""

__all__ = [
    "CondorPool",
    "CondorSoftware",
    "Identity",
    "PoolSettings",
    "PostgresBinaries",
    "PostgresServer",
    "system_condor_works",
]

from .condor import CondorPool
from .condor_config import PoolSettings
from .condor_software import CondorSoftware, system_condor_works
from .identity import Identity
from .postgres import PostgresServer
from .postgres_binaries import PostgresBinaries
