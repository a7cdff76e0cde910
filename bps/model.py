"""Base class for the sections of a campaign file, and parsing of lists in it."""

__all__ = ["Model", "split_list"]

from typing import Any

from pydantic import BaseModel, ConfigDict


class Model(BaseModel):
    """A part of a campaign file: frozen, and without unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


def split_list(value: Any) -> Any:
    """Take ``"3828 3829"`` or ``"3828,3829"`` as a list, as Make variables and the environment give it."""
    if isinstance(value, str):
        return value.replace(",", " ").split()
    return [value] if isinstance(value, int) and not isinstance(value, bool) else value
