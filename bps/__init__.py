"""Campaign settings, plan of runs, and BPS configs: pure, without Butler, database or scheduler.

The flow: `load_campaign` reads ``campaign.yaml`` and what overrides it into a frozen `CampaignConfig`;
`plan_campaign` names the runs of its steps and their edges before any of them exists (`Plan`); `build_config`
makes the BPS submit config of one planned run, a mapping; `dump_config` turns it into YAML. What is
particular to a site or a step is data: ``bps/sites/*.yaml`` and ``bps/steps/*.yaml``.

BPS itself is called by `apcampaign.submit.bps_process`. Nothing here imports ``lsst``, ``htcondor2`` or
``sqlalchemy``.
"""

from .apdb_settings import ApdbSettings
from .campaign import CampaignConfig, Ordering, Step, StepSettings
from .config import NARROW, UNORDERED, build_config, dump_config
from .injection import InjectionSettings
from .loading import change_campaign, compare_campaigns, dump_campaign, load_campaign
from .nights import NightSelection
from .notify import EmailSettings, NotifyEvent, NotifySettings
from .options import APDB_CONFIG, GRAPH_OPTIONS, read_config_overrides, read_option
from .pair import write_pair
from .plan import TIMESTAMP, Plan, PlannedRun, Stage, gate_node, make_timestamp, prepare_node
from .planning import plan_campaign
from .query import make_query
from .schema import SCHEMA_FILE, campaign_schema, modeline, schema_text
from .site import Site, SiteNotes, Wms, list_sites, load_site, wms_kind
from .starting import CAMERAS, CampaignStart, find_wrong_answers, write_start

__all__ = [
    "APDB_CONFIG",
    "CAMERAS",
    "GRAPH_OPTIONS",
    "NARROW",
    "SCHEMA_FILE",
    "TIMESTAMP",
    "UNORDERED",
    "ApdbSettings",
    "CampaignConfig",
    "CampaignStart",
    "EmailSettings",
    "InjectionSettings",
    "NightSelection",
    "NotifyEvent",
    "NotifySettings",
    "Ordering",
    "Plan",
    "PlannedRun",
    "Site",
    "SiteNotes",
    "Stage",
    "Step",
    "StepSettings",
    "Wms",
    "build_config",
    "campaign_schema",
    "change_campaign",
    "compare_campaigns",
    "dump_campaign",
    "dump_config",
    "find_wrong_answers",
    "gate_node",
    "list_sites",
    "load_campaign",
    "load_site",
    "make_query",
    "make_timestamp",
    "modeline",
    "plan_campaign",
    "prepare_node",
    "read_config_overrides",
    "read_option",
    "schema_text",
    "wms_kind",
    "write_pair",
    "write_start",
]
