"""Preflight: read-only checks of a whole campaign before its submission, which yield findings.

The flow: `check_campaign` plans the campaign's runs, makes a `RunSpec` of each and calls one module a
subject: `environment` (variables, versions, disks), the linter (the configs that would be written), `plugin`
(the BPS plugin is installed and has its site), `apdb`, `resources` (the WMS and its slots), and what only the
repository can tell (`repository_checks`): `repository` (reachable, writable, collections), `release` (the
stack has the tasks that are needed) and `pipelines` (they load and agree), `clusters`, `selection` (tracts,
bands and visits that the data query selects, and so how many quanta there will be; `query_checks`, `bands`,
`simulated`), `inputs` (every dataset type that the pipelines need), `injection` (sources that are injected,
and their catalogue), `reuse` (what is taken over was made with the same configuration), `requests` and
`command_options` (what jobs and commands get), `file_names` (what is too long). Each yields findings; nothing
stops at the first one. The result is a `Preflight`.

`check_file` does the same for anybody's submit file; `check_campaign_file` finds what a campaign file alone shows;
`check_stack` compares Rubin's pipelines, as they are set up, with what apcampaign relies on; `inspect_repository`
lists what a repository holds for a campaign. What refuses a submission is in `apcampaign.submit.preconditions`;
what submit files alone show is found by `apcampaign.bps.lint`.
"""

from .campaign_file import check_campaign_file
from .check import Preflight, check_campaign, check_plan_reuse
from .inspection import CollectionNode, Inspection, inspect_repository
from .registered import find_unregistered
from .stack import check_stack
from .submit_file import check_file

__all__ = [
    "CollectionNode",
    "Inspection",
    "Preflight",
    "check_campaign",
    "check_campaign_file",
    "check_file",
    "check_plan_reuse",
    "check_stack",
    "find_unregistered",
    "inspect_repository",
]
