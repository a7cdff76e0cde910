"""Where results go: the alert production database (APDB).

The flow: an `ApdbTarget` says where, from a URL and a namespace, its password kept apart. `plan_init` looks
whether an APDB can be made there and `init_apdb` makes it, in one transaction. Everything after that starts
from a reference (config file, ``label:NAME``, or URL and namespace), which `find_apdb` resolves and
`open_apdb` opens with `lsst.dax.apdb`; `count_rows` counts, `describe_apdb` tells everything else,
`read_dia_sources` reads the sources, and
`check_ready` refuses one that a run must not write to.

After a run `read_expectation` asks Butler what was associated and `verify_apdb` compares: each once, whole, in
time order. What was written but not recorded, or is wanted again, `plan_rollback` and `roll_back` take out,
so that the database is as if it had never been written. An `ApdbExplorer` shows
what it holds.
"""

from .create import ApdbCreated, init_apdb
from .explore import ApdbExplorer, Measurement, PixelCounts
from .findings import Expectation, Finding, Kind
from .info import ApdbInfo, describe_apdb
from .opening import ApdbPlace, count_rows, find_apdb, open_apdb
from .plan import ApdbOptions, InitPlan, plan_init
from .ready import check_ready
from .recorded import read_expectation
from .rollback import RollbackPlan, plan_rollback, roll_back
from .sources import read_dia_sources
from .stored import read_stored
from .target import ApdbTarget, check_namespace, namespace_for
from .verify import Verification, verify_apdb

__all__ = [
    "ApdbCreated",
    "ApdbExplorer",
    "ApdbInfo",
    "ApdbOptions",
    "ApdbPlace",
    "ApdbTarget",
    "Expectation",
    "Finding",
    "InitPlan",
    "Kind",
    "Measurement",
    "PixelCounts",
    "RollbackPlan",
    "Verification",
    "check_namespace",
    "check_ready",
    "count_rows",
    "describe_apdb",
    "find_apdb",
    "init_apdb",
    "namespace_for",
    "open_apdb",
    "plan_init",
    "plan_rollback",
    "read_dia_sources",
    "read_expectation",
    "read_stored",
    "roll_back",
    "verify_apdb",
]
