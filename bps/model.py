"""What all parts of a campaign file have in common, and how words in it are read."""

__all__ = ["Model", "split_words"]

from typing import Any

from pydantic import BaseModel, ConfigDict


class Model(BaseModel):
    """A part of a campaign file: frozen, without unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


def split_words(value: Any) -> Any:
    """Take ``"3828 3829"`` or ``"3828,3829"`` as a list, as Make variables and the environment give it."""
    if isinstance(value, str):
        return value.replace(",", " ").split()
    return [value] if isinstance(value, int) and not isinstance(value, bool) else value
