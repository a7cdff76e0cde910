"""Where results go: the alert production database (APDB).

The flow: an `ApdbTarget` says where, from a URL and a namespace, its password kept apart. `plan_init` looks
whether an APDB can be made there and `init_apdb` makes it, in one transaction. Everything after that starts
from a reference (config file, ``label:NAME``, or URL and namespace), which `find_apdb` resolves and
`open_apdb` opens with `lsst.dax.apdb`; `count_rows` counts, `describe_apdb` tells everything else.
"""

from .create import ApdbCreated, init_apdb
from .info import ApdbInfo, describe_apdb
from .opening import ApdbPlace, count_rows, find_apdb, open_apdb
from .plan import ApdbOptions, InitPlan, plan_init
from .ready import check_ready
from .target import ApdbTarget, check_namespace, namespace_for

__all__ = [
    "ApdbCreated",
    "ApdbInfo",
    "ApdbOptions",
    "ApdbPlace",
    "ApdbTarget",
    "InitPlan",
    "check_namespace",
    "check_ready",
    "count_rows",
    "describe_apdb",
    "find_apdb",
    "init_apdb",
    "namespace_for",
    "open_apdb",
    "plan_init",
]
