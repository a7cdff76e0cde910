"""The preflight: what would go wrong with a campaign, found before anything is submitted, changing nothing.

The flow: `check_campaign` makes a `Subject` of each step and asks one module a subject: `surroundings` (variables,
versions, disks), the linter (the configs that would be written), `repository` (reachable, writable, collections),
`pipelines` (they load and agree), `selection` (what the data query selects, and so how many quanta there will be),
`inputs` (every dataset type that the pipelines need), `database` (the APDB), `workers` (the workload manager and
its slots). Each yields findings; nothing stops at the first one. `check_file` does the same for anybody's
submit file; `inspect_repository` tells what is there for a campaign.
"""

from .check import Preflight, check_campaign
from .files import check_file
from .inspection import Inspection, inspect_repository
from .selection import Estimate, Selection

__all__ = [
    "Estimate",
    "Inspection",
    "Preflight",
    "Selection",
    "check_campaign",
    "check_file",
    "inspect_repository",
]
