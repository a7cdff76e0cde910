"""The options of an APDB that decide which tables it has and how places are indexed in them."""

__all__ = ["describe_option", "read_layout_options"]

import json
from collections.abc import Mapping
from typing import Any

#: What `apcampaign apdb init` calls them.
_INIT_OPTIONS = {"dia_object_index": "--dia-object-index", "htm_level": "--htm-level"}


def read_layout_options(metadata: Mapping[str, str]) -> dict[str, Any]:
    """Read the options that an APDB was created with, which lsst.dax.apdb keeps among its metadata."""
    options: dict[str, Any] = json.loads(metadata.get("config:apdb-sql.json", "{}"))
    return options


def describe_option(name: str, value: Any) -> str:
    """Say how `apcampaign apdb init` makes an APDB with an option; nothing if it has no such option."""
    if name == "enable_replica":
        return f"create one {'with' if value else 'without'} `apcampaign apdb init --replica`"
    option = _INIT_OPTIONS.get(name)
    return (
        f"create one with `apcampaign apdb init {option} {value}`"
        if option
        else "create one of the same kind"
    )
