"""JSON Schema of the campaign file, made from the model, for editors that check and complete it."""

__all__ = ["SCHEMA_FILE", "campaign_schema", "modeline", "schema_text"]

import inspect
import json
import re
from importlib import resources
from pathlib import Path
from typing import Any

from .apdb_settings import ApdbSettings
from .campaign import CampaignConfig, DiffimSettings, StepSettings
from .injection import InjectionSettings
from .model import Model
from .notify import EmailSettings, NotifySettings
from .site import list_sites

_PACKAGE = Path(str(resources.files(__package__)))
#: The schema that comes along, which campaign files name.
SCHEMA_FILE = _PACKAGE / "campaign.schema.json"

_MODELS: tuple[type[Model], ...] = (
    CampaignConfig,
    StepSettings,
    DiffimSettings,
    InjectionSettings,
    ApdbSettings,
    NotifySettings,
    EmailSettings,
)
_SCALAR = {"type": ["string", "number", "boolean", "null", "array"]}


def modeline(schema: str | Path = SCHEMA_FILE) -> str:
    """Give the first line of a campaign file, by which editors find the schema.

    Parameters
    ----------
    schema
        Where it is: a URL or a path, which may be relative to the campaign file.
    """
    return f"# yaml-language-server: $schema={schema}\n"


def schema_text() -> str:
    """Give the schema as the text of a file."""
    return json.dumps(campaign_schema(), indent=2, ensure_ascii=False) + "\n"


def campaign_schema() -> dict[str, Any]:
    """Make the schema. It takes all that the reader takes and, as far as types can tell, nothing else."""
    schema = CampaignConfig.model_json_schema(
        by_alias=True, mode="validation", ref_template="#/definitions/{model}"
    )
    definitions = schema.pop("$defs")
    places = {"CampaignConfig": schema, **definitions}
    for model in _MODELS:
        _improve(model, places[model.__name__])
    for definition in definitions.values():
        definition.pop("title", None)
    properties = schema["properties"]
    for name in (
        "templates",
        "diffim",
        "injection",
        "apdb",
        "notify",
        "bps",
    ):  # its lines may all be comments
        described = properties[name].pop("description")
        properties[name] = {"anyOf": [properties[name], {"type": "null"}], "description": described}
    properties["site"] = {
        "description": properties["site"]["description"],
        "anyOf": [{"enum": list(list_sites())}, {"type": "string", "minLength": 1}],
    }
    notify = definitions["NotifySettings"]["properties"]
    described = notify["email"].pop("description")
    short = {"type": ["string", "array"]}
    notify["email"] = {"anyOf": [notify["email"], short], "description": described}
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "apcampaign campaign file",
        **{key: value for key, value in schema.items() if key != "title"},
        "definitions": definitions,
    }


def _improve(model: type[Model], schema: dict[str, Any]) -> None:
    """Describe a section as its docstring does, and let its lists be written as the reader takes them."""
    schema["description"] = inspect.cleandoc(model.__doc__ or "").splitlines()[0]
    described = {
        name: text
        for parent in reversed(model.__mro__)
        if issubclass(parent, Model)
        for name, text in _read_parameters(parent.__doc__ or "").items()
    }
    for name, field in model.model_fields.items():
        key = field.alias or name
        entry = _flatten(schema["properties"][key])
        if entry.get("type") == "array":
            numbers = entry["items"].get("type") == "integer"
            items = {"anyOf": [entry["items"], {"type": "string"}]} if numbers else entry["items"]
            one = {"type": ["string", "integer"]} if numbers else {"type": "string"}
            entry = {"anyOf": [entry | {"items": items}, one]}
        if key in ("parameters", "config") and entry.get("type") == "object":
            entry |= {"type": ["object", "null"], "additionalProperties": _SCALAR}
        schema["properties"][key] = entry | {"description": described[name]}
        if key == "pipeline":
            schema["properties"]["pipelineYaml"] = schema["properties"][key]


def _flatten(entry: dict[str, Any]) -> dict[str, Any]:
    """Leave out the null of what need not be given: a key without a value is refused."""
    options: list[dict[str, Any]] = [
        option for option in entry.get("anyOf", ()) if option != {"type": "null"}
    ]
    rest: dict[str, Any] = {
        key: value for key, value in entry.items() if key not in ("anyOf", "title", "default")
    }
    if entry.get("default") not in (None, "", []) and not isinstance(entry["default"], dict):
        rest["default"] = entry["default"]
    if len(options) == 1:
        return rest | dict(options[0])
    return rest | ({"anyOf": options} if options else {})


def _read_parameters(docstring: str) -> dict[str, str]:
    """Read what a docstring says about each parameter, as plain text."""
    _, _, text = inspect.cleandoc(docstring).partition("Parameters\n----------\n")
    found: dict[str, str] = {}
    for names, description in re.findall(r"^(\w[\w, ]*)\n((?:[ ]+.*\n?)+)", text, flags=re.MULTILINE):
        plain = " ".join(description.replace("``", "`").split())
        found |= {name.strip(): plain for name in names.split(",")}
    return found
