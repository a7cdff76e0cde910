"""Reading of a campaign file: defaults < file < environment < flags, and descriptions of its mistakes."""

__all__ = ["ENVIRONMENT", "change_campaign", "compare_campaigns", "dump_campaign", "load_campaign"]

import difflib
import os
from collections.abc import Iterable, Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from ..common.errors import SettingsError
from .campaign import ApdbSettings, CampaignConfig, DiffimSettings, StepSettings
from .data import merge
from .notify import EmailSettings, NotifySettings
from .options import check_settings

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

#: Keys that may hold the path of a file or a folder.
_PATHS = (
    ("butler",),
    ("site",),
    ("apdb", "config"),
    ("templates", "pipeline"),
    ("templates", "pipelineYaml"),
    ("diffim", "pipeline"),
    ("diffim", "pipelineYaml"),
    ("bps", "includeConfigs"),
    ("templates", "bps", "includeConfigs"),
    ("diffim", "bps", "includeConfigs"),
)

#: What a name without a folder may be that of.
_OURS = (
    Path(str(resources.files("apcampaign.pipelines"))),
    Path(str(resources.files(__package__))) / "sites",
)

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
    content = _read(path)
    sources = dict.fromkeys(content, str(path))
    for variable, keys in ENVIRONMENT.items():
        if value := (os.environ if environment is None else environment).get(variable):
            _override(content, keys, value)
            sources[".".join(keys)] = f"${variable}"
    for keys, value in (flags or {}).items():
        if value is not None:
            _override(content, keys, value)
            sources[".".join(keys)] = "the command line"
    content = _write_night(content, str(path))
    _find_files(content, path.parent)
    try:
        return CampaignConfig.model_validate(content)
    except ValidationError as error:
        sentences = [_sentence(details, sources, str(path)) for details in error.errors(include_url=False)]
        raise SettingsError("\n".join(sentences)) from None


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
        value: Any = yaml.safe_load(text)
        for section in reversed(keys):
            value = {section: value}
        try:
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
    return yaml.safe_dump(content, sort_keys=False)


def _read(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SettingsError(
            f"there is no campaign file {path}",
            remedy=f"name one with --campaign FILE, or copy one of {_EXAMPLES}",
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"the campaign file {path} cannot be read: {error}", remedy="name another with --campaign FILE"
        ) from error
    except yaml.YAMLError as error:
        raise SettingsError(
            f"the campaign file {path} is not YAML: {error}", remedy="correct the line that it names"
        ) from error
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise SettingsError(
            f"the campaign file {path} is not a mapping", expected="lines such as 'name: dc2-test-med-1'"
        )
    return content


def _override(content: dict[str, Any], keys: tuple[str, ...], value: Any) -> None:
    """Set one value; a URL of an APDB replaces the ``config`` of an existing one."""
    for key in keys[:-1]:
        inner = content.get(key)
        content[key] = dict(inner) if isinstance(inner, Mapping) else {}
        content = content[key]
    content[keys[-1]] = value
    if keys == ("apdb", "url"):
        content.pop("config", None)


def _write_night(content: Mapping[str, Any], path: str) -> dict[str, Any]:
    """Write the night for ``{day_obs}``, except in BPS settings, where it is a variable of BPS's."""
    night = content.get("dayObs")

    def write(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {key: inner if key == "bps" else write(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [write(inner) for inner in value]
        if not isinstance(value, str) or _NIGHT not in value:
            return value
        if night is None:
            raise SettingsError(
                f"{path}: {value!r} names the night, and none is given",
                remedy="give it with --day-obs 20260905, $APCAMPAIGN_DAY_OBS or as dayObs in the file",
            )
        return value.replace(_NIGHT, str(night))

    return dict(write(content))


def _find_files(content: dict[str, Any], folder: Path) -> None:
    """Write relative paths as absolute ones: the jobs, and the nodes between the runs, run in other folders.

    They are relative to the campaign file, or to the working directory. What is no file there stays as it is, such
    as the alias of a repository.
    """
    for keys in _PATHS:
        section: Any = content
        for key in keys[:-1]:
            section = section.get(key) if isinstance(section, dict) else None
        if isinstance(section, dict) and keys[-1] in section:
            value = section[keys[-1]]
            found = [_absolute(each, folder) for each in value] if isinstance(value, list) else None
            section[keys[-1]] = _absolute(value, folder) if found is None else found


def _absolute(value: Any, folder: Path) -> Any:
    if not isinstance(value, str) or "$" in value:
        return value
    name, mark, subset = value.partition("#")
    if any((ours / name).is_file() or (ours / f"{name}.yaml").is_file() for ours in _OURS):
        return value
    for base in (folder, Path()):
        # Without a slash the name of a folder is rather the alias of a repository.
        if name and (path := base / name).exists() and (path.is_file() or "/" in name):
            return f"{path.resolve()}{mark}{subset}"
    return value


def _sentence(details: Any, sources: Mapping[str, str], path: str) -> str:
    """Describe one of pydantic's errors: where, what, what was expected."""
    location = [str(part) for part in details["loc"] if not str(part).startswith("function-")]
    key = ".".join(part for part in location if not part.isdigit())
    source = sources.get(key) or path
    where = f"{source}: {key}" if key else source
    kind, value = details["type"], details.get("input")
    if kind == "extra_forbidden":
        valid = _valid_keys(location[:-1])
        near = difflib.get_close_matches(location[-1], valid, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        return f"{where}: this key is unknown; {hint}valid keys here are {', '.join(valid)}"
    if kind == "missing":
        return f"{where}: this key is missing"
    if kind in ("int_parsing", "int_type", "int_from_float", "greater_than_equal"):
        return f"{where}: {value!r} is not a whole number ≥ 0; expected such as 3828"
    if kind == "too_short":
        return f"{where}: the list is empty; expected at least one value"
    if kind == "value_error":
        return f"{where}: {details['ctx']['error']}"
    if location[:1] == ["notify"]:
        return f"{where}: {details['msg']}"  # the value may be a secret
    return f"{where}: {details['msg']} (got {value!r})"


def _valid_keys(location: list[str]) -> list[str]:
    model: type[BaseModel] = CampaignConfig
    if location and location[0] == "templates":
        model = StepSettings
    elif location and location[0] == "diffim":
        model = DiffimSettings
    elif location and location[0] == "apdb":
        model = ApdbSettings
    elif location and location[0] == "notify":
        model = EmailSettings if location[1:2] == ["email"] else NotifySettings
    return [field.alias or name for name, field in model.model_fields.items()]
