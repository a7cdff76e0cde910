"""The alert production database (APDB): its creation, description, verification and rollback, and queries.

The flow: an `ApdbTarget` names the place of an APDB by a database URL and a namespace, the password kept
apart. `plan_init` checks whether an APDB can be created there, and `init_apdb` creates it, in one
transaction. Everything after that starts from a reference (configuration file, ``label:NAME``, or URL and
namespace), which `find_apdb` resolves and `open_apdb` opens with `lsst.dax.apdb`. `describe_apdb` describes
it, `count_rows` and `count_dia_objects` count, and `check_ready` refuses one that a run must not write to.

After a run, `read_expected_associations` asks Butler what was associated, and `verify_apdb` compares: each
once, completely, in time order. What was written but not recorded, or is to be associated again,
`plan_rollback` and `roll_back` remove, as if it had never been written; `remove_apdb` removes all of one. An
`ApdbExplorer`, `read_dia_sources` and `read_stored` query what the APDB holds, `read_kept_sources` also where
that are millions of rows. The package `export` writes it to Parquet, and imports that.

Modules with similar names: `preconditions` looks before a run, `verify` after it, with `checks` (internal
consistency) and `findings` (comparison with what was expected). `tables` are SQLAlchemy tables, on which
`queries` and `source_queries` (counts, for the report), `frames` and `light_curves` (as data frames) are built.
"""

from .associations import read_stored
from .butler_records import read_expected_associations
from .create import ApdbCreated, init_apdb
from .findings import ApdbFinding, ApdbFindingKind, ExpectedAssociations
from .frames import compact_sources, read_dia_objects, read_dia_sources, read_kept_sources
from .info import ApdbInfo, describe_apdb
from .light_curves import LightCurves, find_light_curves, read_light_curve, read_light_curves
from .locate import count_dia_objects, count_rows, find_apdb, open_apdb
from .namespace import describe_rows
from .options import ApdbOptions
from .plan import InitPlan, plan_init
from .preconditions import Unchecked, check_ready
from .queries import ApdbExplorer
from .removal import ApdbContents, look_at_apdb, remove_apdb
from .rollback import RollbackPlan, plan_rollback, roll_back
from .sky import Circle
from .source_queries import RELIABILITY_EDGES, SNR_EDGES, ImageCounts, NotableKind, NotableSource
from .target import ApdbTarget, check_namespace, namespace_for
from .verify import Verification, verify_apdb

__all__ = [
    "RELIABILITY_EDGES",
    "SNR_EDGES",
    "ApdbContents",
    "ApdbCreated",
    "ApdbExplorer",
    "ApdbFinding",
    "ApdbFindingKind",
    "ApdbInfo",
    "ApdbOptions",
    "ApdbTarget",
    "Circle",
    "ExpectedAssociations",
    "ImageCounts",
    "InitPlan",
    "LightCurves",
    "NotableKind",
    "NotableSource",
    "RollbackPlan",
    "Unchecked",
    "Verification",
    "check_namespace",
    "check_ready",
    "compact_sources",
    "count_dia_objects",
    "count_rows",
    "describe_apdb",
    "describe_rows",
    "find_apdb",
    "find_light_curves",
    "init_apdb",
    "look_at_apdb",
    "namespace_for",
    "open_apdb",
    "plan_init",
    "plan_rollback",
    "read_dia_objects",
    "read_dia_sources",
    "read_expected_associations",
    "read_kept_sources",
    "read_light_curve",
    "read_light_curves",
    "read_stored",
    "remove_apdb",
    "roll_back",
    "verify_apdb",
]
