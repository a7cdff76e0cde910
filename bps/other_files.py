"""Files that are given as a campaign file and are another kind of file."""

__all__ = ["refuse_other_file"]

from collections.abc import Collection, Mapping

from ..common.errors import SettingsError
from .campaign import CampaignConfig

#: What a file is that has one of some keys, and what to do with it; the first that fits.
_KINDS: tuple[tuple[frozenset[str], str, str], ...] = (
    (
        frozenset({"pipelineYaml", "payload", "includeConfigs", "pipetask", "submitPath"}),
        "a BPS submit file",
        "`apcampaign lint` checks it; write a campaign file with `apcampaign init`",
    ),
    (
        frozenset({"wmsServiceClass", "computeSite", "passEnvironment"}),
        "a site file",
        "name it as 'site' of a campaign file, or with --site",
    ),
    (frozenset({"tasks", "imports"}), "a pipeline", "name it as 'pipeline' of a step of a campaign file"),
    (
        frozenset({"implementation_type", "db_url"}),
        "the configuration of an APDB",
        "name it as apdb: {config: …} of a campaign file",
    ),
)
_NEEDED = frozenset({"name", "butler"})
_MOST = 5  # keys to list


def refuse_other_file(path: str, content: Mapping[str, object]) -> None:
    """Refuse a file that is no campaign file, instead of listing every key as a mistake.

    Parameters
    ----------
    path
        Its path, for messages.
    content
        What stands in it.

    Raises
    ------
    SettingsError
        If it is of another kind that is known, or has no key of a campaign file.
    """
    keys = content.keys()
    if keys & _NEEDED:
        return
    for its_keys, kind, remedy in _KINDS:
        if keys & its_keys:
            raise SettingsError(f"{path} is {kind}, not a campaign file", remedy=remedy)
    if not keys & _valid():
        shown = ", ".join([*list(keys)[:_MOST], *(["…"] if len(keys) > _MOST else [])])
        raise SettingsError(
            f"{path} is not a campaign file: it has none of its keys ({shown})",
            expected="lines such as 'name: dc2-test-med-1'",
            remedy="write one with `apcampaign init`",
        )


def _valid() -> Collection[str]:
    return {field.alias or name for name, field in CampaignConfig.model_fields.items()}
