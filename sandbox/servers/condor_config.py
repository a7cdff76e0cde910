"""Configuration file of a private HTCondor pool."""

__all__ = ["STATE_FOLDERS", "PoolSettings", "pool_config"]

from dataclasses import dataclass
from pathlib import Path

from .condor_software import CondorSoftware, is_plain
from .identity import Identity

# Folder below the pool's state → permission bits.
STATE_FOLDERS = {
    "log": 0o755,
    "spool": 0o755,
    "execute": 0o755,
    "run": 0o755,
    "lock": 0o755,
    "tokens.d": 0o700,
    "passwords.d": 0o700,
    "cred": 0o700,
}


@dataclass(frozen=True)
class PoolSettings:
    """What a pool advertises, and how fast it reacts."""

    cpus: int = 16
    """Cores it advertises, whatever the machine has."""
    memory: int = 65536
    """Memory it advertises, MiB, whatever the machine has."""
    tuned: bool = True
    """Negotiate every second, instead of every minute or every five minutes."""


# Everything is on the loopback interface, on one port that the kernel chooses: pools do not interfere.
_PLACE = """\
RELEASE_DIR = {prefix}/usr
LOCAL_DIR = {state}
BIN = $(RELEASE_DIR)/bin
SBIN = $(RELEASE_DIR)/sbin
LIB = $(RELEASE_DIR)/lib/condor
LIBEXEC = {libexec}
SHARE = $(RELEASE_DIR)/share/condor
ETC = $(LOCAL_DIR)
LOG = $(LOCAL_DIR)/log
SPOOL = $(LOCAL_DIR)/spool
EXECUTE = $(LOCAL_DIR)/execute
RUN = $(LOCAL_DIR)/run
LOCK = $(LOCAL_DIR)/lock
LOCAL_CONFIG_FILE =
LOCAL_CONFIG_DIR =
# Only root's clients read it, to know which user to become.
CONDOR_IDS = {ids}

use ROLE:Personal
CONDOR_HOST = 127.0.0.1
COLLECTOR_HOST = $(CONDOR_HOST):0
NETWORK_INTERFACE = 127.0.0.1
# Otherwise the daemons only advertise that interface, and listen on all.
BIND_ALL_INTERFACES = False
# The machine's own name need not resolve.
NETWORK_HOSTNAME = localhost
NO_DNS = False
ENABLE_IPV6 = False
UID_DOMAIN = {domain}
FILESYSTEM_DOMAIN = {domain}
TRUST_UID_DOMAIN = True
MASTER_ADDRESS_FILE = $(LOG)/.master_address
COLLECTOR_ADDRESS_FILE = $(LOG)/.collector_address
SCHEDD_ADDRESS_FILE = $(SPOOL)/.schedd_address

# Authentication is by a file in /tmp. Only the pool's own user is accepted: the jobs of
# other users of this machine would run as this user.
SEC_DEFAULT_AUTHENTICATION = REQUIRED
SEC_DEFAULT_AUTHENTICATION_METHODS = FS
SEC_DEFAULT_ENCRYPTION = OPTIONAL
SEC_DEFAULT_INTEGRITY = OPTIONAL
SEC_PASSWORD_DIRECTORY = $(LOCAL_DIR)/passwords.d
SEC_TOKEN_DIRECTORY = $(LOCAL_DIR)/tokens.d
SEC_TOKEN_SYSTEM_DIRECTORY = $(LOCAL_DIR)/tokens.d
SEC_CREDENTIAL_DIRECTORY = $(LOCAL_DIR)/cred
POOL_USERS = {user}@{domain}, condor@family, condor@child, condor@parent
ALLOW_READ = $(POOL_USERS)
ALLOW_WRITE = $(POOL_USERS)
ALLOW_DAEMON = $(POOL_USERS)
ALLOW_NEGOTIATOR = $(POOL_USERS)
ALLOW_ADMINISTRATOR = $(POOL_USERS)
ALLOW_CLIENT = *

use FEATURE:PartitionableSlot
NUM_CPUS = {cpus}
MEMORY = {memory}
START = True
SUSPEND = False
PREEMPT = False
RUNBENCHMARKS = 0
STARTD_DETECT_GPUS = False
# Files come from this machine; the transfer plugins would be tested at each start.
ENABLE_URL_TRANSFERS = False
MAIL = /bin/true
MASTER_CHECK_NEW_EXEC_INTERVAL = 86400
# A stop takes seconds: whoever stops the pool does not wait for its jobs.
SHUTDOWN_GRACEFUL_TIMEOUT = 15
SHUTDOWN_FAST_TIMEOUT = 15
# DAGMan takes a node's log below /tmp for an error; test folders are there.
DAGMAN_USE_STRICT = 0
"""

_TUNED = """
NEGOTIATOR_INTERVAL = 1
NEGOTIATOR_MIN_INTERVAL = 0
NEGOTIATOR_CYCLE_DELAY = 0
# Also the time until a claim that DAGMan keeps between jobs is used again.
SCHEDD_INTERVAL = 1
SCHEDD_MIN_INTERVAL = 0
# Whole seconds; with 0 DAGMan reads the log only once.
DAGMAN_USER_LOG_SCAN_INTERVAL = 1
DAGMAN_AGGRESSIVE_SUBMIT = True
CLAIM_WORKLIFE = 3600
UPDATE_INTERVAL = 5
POLLING_INTERVAL = 2
PERIODIC_EXPR_INTERVAL = 5
MachineMaxVacateTime = 2
KILLING_TIMEOUT = 3
# A pool that is started again continues with its queue at once; a job that was just starting when it was stopped
# is looked for, and not started anew, for so long (40 min by default).
SCHEDULER_UNIVERSE_COOL_DOWN_DURATION = 1
JOB_DEFAULT_LEASE_DURATION = 300
CONDOR_FSYNC = False
"""

# Bindings of 25.x ask for names of authentication files that older daemons do not create.
_OLD_RELEASE = """
SEC_FS_ENFORCE_CHANNEL_BINDING = False
"""

# The home of the user that root appears as is not root's: jobs keep the home of whoever starts the pool.
_HOME = """
STARTER_SETS_HOME_ENV = False
STARTER_JOB_ENVIRONMENT = "HOME={home}"
"""


def pool_config(
    settings: PoolSettings, software: CondorSoftware, state: Path, identity: Identity, home: str = ""
) -> str:
    """Write the configuration file of a pool.

    Parameters
    ----------
    settings
        What the pool advertises.
    software
        The HTCondor that it runs.
    state
        Its folder for queue, logs and running jobs; an absolute path.
    identity
        The user it runs as.
    home
        Home folder of whoever starts the pool.
    """
    ids = f"{identity.uid}.{identity.gid}" if identity.kind == "setuid" else "0.0"
    text = _PLACE.format(
        prefix=software.prefix,
        libexec=software.libexec,
        state=state,
        ids=ids,
        user=identity.name,
        domain="personal.pool",
        cpus=settings.cpus,
        memory=settings.memory,
    )
    if settings.tuned:
        text += _TUNED
    if int(software.version.partition(".")[0]) < 25:
        text += _OLD_RELEASE
    if identity.kind == "namespace" and is_plain(home):
        text += _HOME.format(home=home)
    return text
