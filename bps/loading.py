"""Reading of a campaign file: defaults < file < environment < flags, and descriptions of its mistakes."""

__all__ = ["ENVIRONMENT", "change_campaign", "compare_campaigns", "dump_campaign", "load_campaign"]

import os
from collections.abc import Iterable, Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from ..common.errors import SettingsError
from .campaign import CampaignConfig, StepSettings
from .campaign_paths import resolve_paths
from .data import merge
from .mistakes import describe_mistakes
from .options import check_settings
from .other_files import refuse_other_file
from .schema import modeline
from .site import explain_unknown
from .yaml_reading import KeyPath, YamlFile, parse_value, read_yaml

#: Environment variables that override the campaign file, and the key each one sets.
ENVIRONMENT: Mapping[str, tuple[str, ...]] = {
    "APCAMPAIGN_BUTLER": ("butler",),
    "APCAMPAIGN_TRACTS": ("tracts",),
    "APCAMPAIGN_BANDS": ("bands",),
    "APCAMPAIGN_DAY_OBS": ("dayObs",),
    "APCAMPAIGN_SITE": ("site",),
    "APCAMPAIGN_DB": ("apdb", "url"),
    "APCAMPAIGN_NAMESPACE": ("apdb", "namespace"),
}

#: Values of which a comment may have cut a part.
_CUT = tuple(
    (*section, key)
    for section in ((), ("templates",), ("diffim",))
    for key in ("where", "dataQuery", "pipeline", "pipelineYaml")
)

_SECTIONS = ("templates", "diffim", "injection", "apdb", "notify", "bps")

_NIGHT = "{day_obs}"
_EXAMPLES = Path(str(resources.files(__package__))) / "campaigns" / "*.yaml"


def load_campaign(
    path: Path,
    *,
    flags: Mapping[tuple[str, ...], Any] | None = None,
    environment: Mapping[str, str] | None = None,
) -> CampaignConfig:
    """Read a campaign file and what overrides it.

    Parameters
    ----------
    path
        The campaign file.
    flags
        The options of the command line: values by key path, such as ``("apdb", "url")``; `None` values
        are ignored.
    environment
        Variables named in `ENVIRONMENT`, by default those of this process; empty ones are ignored.

    Raises
    ------
    SettingsError
        If the file cannot be read or its content is invalid. All mistakes are listed at once.
    """
    environment = os.environ if environment is None else environment
    file = _read(path)
    content = file.content
    refuse_other_file(str(path), content)
    sources = {}
    for variable, keys in ENVIRONMENT.items():
        if value := environment.get(variable):
            _override(content, keys, value)
            sources[".".join(keys)] = f"${variable}"
    for keys, value in (flags or {}).items():
        if value is not None:
            _override(content, keys, value)
            sources[".".join(keys)] = "the command line"
    content = _write_night(content, file)
    wrong = _find_mistakes(content, file, sources)
    try:
        campaign = CampaignConfig.model_validate(content)
    except ValidationError as error:
        wrong[None] = "\n".join(describe_mistakes(error, file, sources, known=wrong.keys()))
    if sentences := [sentence for sentence in wrong.values() if sentence]:
        raise SettingsError("\n".join(sentences))
    return campaign


def _find_mistakes(
    content: dict[str, Any], file: YamlFile, sources: Mapping[str, str]
) -> dict[KeyPath | None, str]:
    """Find what types cannot tell: paths that lead nowhere, values that a comment cuts, keys without a value.

    Resolves paths and removes empty sections in ``content``, and tells what is wrong by key.
    """
    wrong: dict[KeyPath | None, str] = {}

    def add(keys: KeyPath, what: str) -> None:
        key = ".".join(map(str, keys))
        wrong[keys] = f"{sources.get(key) or file.place(keys)}: {key}: {what}"

    for keys, what in resolve_paths(content, file.path.parent, os.environ).items():
        add(keys, what)
    site = content.get("site")
    if isinstance(site, str) and site and ("site",) not in wrong and (what := explain_unknown(site)):
        add(("site",), what)
    for keys in _CUT:
        if what := file.find_cut(keys):
            add(keys, what)
    for section in ((), *((name,) for name in _SECTIONS if name != "bps")):
        inner: Any = content.get(section[0]) if section else content
        for key in [key for key, value in inner.items() if value is None] if isinstance(inner, dict) else []:
            if key in _SECTIONS or key in ("parameters", "config"):
                del inner[key]  # all of its lines may be comments
            else:
                add((*section, key), "there is no value; write one, or remove the key")
    return wrong


def change_campaign(campaign: CampaignConfig, changes: Iterable[str]) -> CampaignConfig:
    """Change BPS settings of a campaign's steps.

    Parameters
    ----------
    campaign
        The campaign.
    changes
        ``STEP.KEY=VALUE`` with dots between the sections of a key; the value is read as YAML.

    Raises
    ------
    SettingsError
        If a change does not name a step, a key and a value, or sets what is not for the user to set.
    """
    for change in changes:
        key, equals, text = change.partition("=")
        step, *keys = key.split(".")
        if not (equals and keys and all(keys) and step in ("templates", "diffim")):
            raise SettingsError(
                f"--set {change!r} cannot be read",
                expected="STEP.KEY=VALUE with templates or diffim as STEP, such as "
                "templates.pipetask.makeDirectWarp.requestMemory=8192",
            )
        try:
            value = parse_value(text)
            for section in reversed(keys):
                value = {section: value}
            check_settings(value)
        except ValueError as error:
            raise SettingsError(f"--set {change!r}: {error}") from None
        settings: StepSettings = getattr(campaign, step)
        settings = settings.model_copy(update={"bps": merge(settings.bps, value)})
        campaign = campaign.model_copy(update={step: settings})
    return campaign


def compare_campaigns(one: CampaignConfig, other: CampaignConfig) -> list[str]:
    """List the keys of the campaign file in which two campaigns differ, such as ``diffim.bps.requestMemory``."""

    def flatten(content: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
        for key, value in content.items():
            if isinstance(value, Mapping):
                yield from flatten(value, f"{prefix}{key}.")
            else:
                yield f"{prefix}{key}", value

    first, second = (dict(flatten(each.model_dump(mode="json", by_alias=True))) for each in (one, other))
    return sorted(key for key in first.keys() | second.keys() if first.get(key) != second.get(key))


def dump_campaign(campaign: CampaignConfig) -> str:
    """Write a campaign, including everything that overrode its file, as the text of a campaign file."""
    content = campaign.model_dump(mode="json", by_alias=True, exclude_none=True)
    return modeline() + yaml.safe_dump(content, sort_keys=False)


def _read(path: Path) -> YamlFile:
    try:
        return read_yaml(path, "campaign file")
    except FileNotFoundError:
        raise SettingsError(
            f"there is no campaign file {path}",
            remedy=f"name one with --campaign FILE, write one with `apcampaign init`, or copy one of {_EXAMPLES}",
        ) from None


def _override(content: dict[str, Any], keys: tuple[str, ...], value: Any) -> None:
    """Set one value; a URL of an APDB replaces the ``config`` of an existing one."""
    for key in keys[:-1]:
        inner = content.get(key)
        content[key] = dict(inner) if isinstance(inner, Mapping) else {}
        content = content[key]
    content[keys[-1]] = value
    if keys == ("apdb", "url"):
        content.pop("config", None)


def _write_night(content: Mapping[str, Any], file: YamlFile) -> dict[str, Any]:
    """Write the night for ``{day_obs}``, except in BPS settings, where it is a variable of BPS's."""
    night = content.get("dayObs")
    several = isinstance(night, list) or (isinstance(night, str) and not night.strip().isdigit())

    def write(value: Any, path: KeyPath) -> Any:
        if isinstance(value, Mapping):
            return {
                key: inner if key == "bps" else write(inner, (*path, key)) for key, inner in value.items()
            }
        if isinstance(value, list):
            return [write(inner, (*path, place)) for place, inner in enumerate(value)]
        if not isinstance(value, str) or _NIGHT not in value:
            return value
        if night is None or several:
            given = "several are" if several else "none is"
            raise SettingsError(
                f"{file.place(path)}: {value!r} names the night, and {given} given",
                remedy="give one with --day-obs 20260905, $APCAMPAIGN_DAY_OBS or as dayObs in the file",
            )
        return value.replace(_NIGHT, str(night))

    return dict(write(content, ()))
