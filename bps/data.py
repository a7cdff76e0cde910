"""YAML files that hold a mapping, such as sites and steps: reading and merging."""

__all__ = ["merge", "read_mapping"]

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..common.errors import SettingsError
from .yaml_reading import read_yaml


def read_mapping(path: Path) -> dict[str, Any]:
    """Read a YAML file that holds a mapping.

    Raises
    ------
    SettingsError
        If it cannot be read or does not hold a mapping.
    """
    try:
        return read_yaml(path, "file").content
    except FileNotFoundError as error:
        raise SettingsError(f"there is no file {path}") from error


def merge(*mappings: Mapping[str, Any]) -> dict[str, Any]:
    """Merge mappings into a new one, section by section; later ones take precedence."""
    result: dict[str, Any] = {}
    for mapping in mappings:
        for key, value in mapping.items():
            if isinstance(value, Mapping):
                inner = result.get(key)
                result[key] = merge(inner if isinstance(inner, Mapping) else {}, value)
            else:
                result[key] = value
    return result
