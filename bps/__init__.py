"""What to run: from a campaign file to BPS submit configs, without touching Butler, database or scheduler.

The flow: `load_campaign` reads ``campaign.yaml`` and what overrides it into a frozen `Campaign`;
`plan_campaign` names the runs of its steps and their edges before any of them exists (`Plan`);
`build_config` makes the BPS submit config of one planned run, a mapping; `dump_config` turns it into YAML.
What a site or a step needs besides is data: ``bps/sites/*.yaml`` and ``bps/steps/*.yaml``.

Nothing here imports ``lsst``, ``htcondor2`` or ``sqlalchemy``.
"""

from .campaign import ApdbSettings, Campaign, DiffimSettings, Ordering, StepSettings
from .config import UNORDERED, build_config, build_query, dump_config
from .loading import load_campaign
from .notify import EmailSettings, NotifySettings, Occasion
from .plan import Plan, PlannedRun, Step, make_timestamp, plan_campaign
from .site import Site, load_site

__all__ = [
    "UNORDERED",
    "ApdbSettings",
    "Campaign",
    "DiffimSettings",
    "EmailSettings",
    "NotifySettings",
    "Occasion",
    "Ordering",
    "Plan",
    "PlannedRun",
    "Site",
    "Step",
    "StepSettings",
    "build_config",
    "build_query",
    "dump_config",
    "load_campaign",
    "load_site",
    "make_timestamp",
    "plan_campaign",
]
