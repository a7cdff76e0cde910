"""YAML files that a submission leaves beside its record: the campaign as it was, and the plan."""

__all__ = ["check_campaign_copy", "read_copy"]

from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from ..bps import CampaignConfig
from ..common.errors import LedgerError
from ..common.reading import read_text


def read_copy(path: Path) -> dict[str, Any]:
    """Read a YAML file that was written beside a record.

    Raises
    ------
    LedgerError
        If it is gone, or is not what was written.
    """
    try:
        text = read_text(path)
        content = yaml.safe_load(text)
    except FileNotFoundError:
        why = "it is gone"
    except (OSError, UnicodeDecodeError) as error:
        why = str(error)
    except yaml.YAMLError:
        why = "it is cut off, or damaged"
    else:
        # It was written with a line break at its end.
        if isinstance(content, dict) and text.endswith("\n"):
            return content
        why = "it is cut off, or damaged" if text.strip() else "it is empty"
    raise _damaged(path, why)


def check_campaign_copy(path: Path) -> None:
    """Refuse a copy of a campaign that is not one; raises as `read_copy`."""
    try:
        CampaignConfig.model_validate(read_copy(path))
    except ValidationError as error:
        wrong = [
            f"{'.'.join(map(str, each['loc'])) or 'the whole'}: {each['msg']}"
            for each in error.errors(include_url=False, include_input=False)
        ]
        raise _damaged(path, "; ".join(wrong[:3])) from None


def _damaged(path: Path, why: str) -> LedgerError:
    return LedgerError(f"{path} cannot be read: {why}", remedy="`apcampaign doctor` tells what can be done")
