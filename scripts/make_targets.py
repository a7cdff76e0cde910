"""Names of commands where Make was used: those of its targets."""

__all__ = ["name_make_targets"]

import os
import re

_MAKE_TARGETS = {
    "apcampaign apdb init": "make apdb-init",
    "apcampaign submit templates": "make submit-templates",
    "apcampaign submit diffim": "make submit-diffim",
    "apcampaign submit diffim --wait": "make submit-diffim",
    "apcampaign generate": "make configs",
    **{
        f"apcampaign {name}": f"make {name}"
        for name in (
            "submit",
            "check",
            "plan",
            "resume",
            "cancel",
            "status",
            "failures",
            "runs",
            "summary",
            "report",
        )
    },
}


def name_make_targets(text: str) -> str:
    """Name Make targets where Make was used: commands without options only, since Make takes none."""
    if not os.environ.get("APCAMPAIGN_FROM_MAKE"):
        return text
    text = re.sub(r"`apcampaign apdb init --db (\S+)`", r"`make apdb-init DB=\1`", text)
    return re.sub(
        r"`(apcampaign [a-z -]+)`", lambda found: f"`{_MAKE_TARGETS.get(found[1], found[1])}`", text
    )
