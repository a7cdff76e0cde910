"""Kinds of YAML files that are taken for each other: they are told from a campaign file by their keys."""

__all__ = ["FileKind", "recognise", "refuse_other_file"]

from collections.abc import Collection, Mapping
from enum import StrEnum

from ..common.errors import SettingsError
from .campaign import CampaignConfig


class FileKind(StrEnum):
    """What a file is that is no campaign file."""

    SUBMIT = "a BPS submit file"
    SITE = "a site file"
    PIPELINE = "a pipeline"
    APDB = "the configuration of an APDB"


#: One of the keys of each kind; what fits two kinds is of the first.
_KEYS: Mapping[FileKind, frozenset[str]] = {
    FileKind.SUBMIT: frozenset(
        {"pipelineYaml", "payload", "includeConfigs", "pipetask", "cluster", "submitPath", "butlerConfig"}
    ),
    FileKind.SITE: frozenset({"wmsServiceClass", "computeSite", "passEnvironment"}),
    FileKind.PIPELINE: frozenset({"tasks", "imports"}),
    FileKind.APDB: frozenset({"implementation_type", "db_url"}),
}
_REMEDIES = {
    FileKind.SUBMIT: "`apcampaign lint` checks it; write a campaign file with `apcampaign init`",
    FileKind.SITE: "name it as 'site' of a campaign file, or with --site",
    FileKind.PIPELINE: "name it as 'pipeline' of a step of a campaign file",
    FileKind.APDB: "name it as apdb: {config: …} of a campaign file",
}
#: A file with one of these is meant as a campaign file.
_OURS = frozenset({"name", "butler"})
_MOST = 5  # keys to list


def recognise(keys: Collection[str]) -> FileKind | None:
    """Tell what a file is by its keys; `None` if it is a campaign file, or nothing that is known."""
    found = set(keys)
    if found & _OURS:
        return None
    return next((kind for kind, its_keys in _KEYS.items() if found & its_keys), None)


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
    if kind := recognise(content):
        raise SettingsError(f"{path} is {kind}, not a campaign file", remedy=_REMEDIES[kind])
    keys = list(content)
    if not set(keys) & {field.alias or name for name, field in CampaignConfig.model_fields.items()}:
        shown = ", ".join([*keys[:_MOST], *(["…"] if len(keys) > _MOST else [])])
        raise SettingsError(
            f"{path} is not a campaign file: it has none of its keys ({shown})",
            expected="lines such as 'name: dc2-test-med-1'",
            remedy="write one with `apcampaign init`",
        )
