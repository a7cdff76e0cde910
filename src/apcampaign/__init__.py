"""Run a Rubin Alert Production campaign: templates, difference imaging, alert production database.

::

    from apcampaign import Campaign

    campaign = Campaign.open("campaign.yaml", tracts=[3828, 3829])
    campaign.check()
    campaign.submit()
    campaign.wait()
    campaign.summary()

docs/python.md describes the rest. Importing this costs nearly nothing: what a campaign needs is imported when
it is used.
"""

import importlib
import logging
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .campaign import Campaign
    from .campaign_apdb import CampaignApdb

__all__ = ["Campaign", "CampaignApdb"]

_HOMES = {"Campaign": "campaign", "CampaignApdb": "campaign_apdb"}

# Whoever wants to see what is being done configures the logger "apcampaign".
logging.getLogger(__name__).addHandler(logging.NullHandler())


if not TYPE_CHECKING:  # else every name would be taken to be there

    def __getattr__(name: str) -> Any:
        """Import a name when it is first used: batch jobs import this package too, and must not pay."""
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
