"""Base class for the sections of a campaign file, and parsing of lists in it."""

__all__ = ["MisfitError", "Model", "NotTruth", "split_list"]

from typing import Any

from pydantic import BaseModel, BeforeValidator, ConfigDict
from pydantic_core import PydanticCustomError


class MisfitError(ValueError):
    """A value in a section that does not fit, by itself or with others.

    Parameters
    ----------
    key
        The path, in the section, of the one to look at.
    what
        What is wrong.
    named
        Whether ``what`` names the key itself.
    """

    def __init__(self, key: tuple[str, ...], what: str, *, named: bool = False):
        super().__init__(what)
        self.key = key
        self.named = named


class Model(BaseModel):
    """A part of a campaign file: frozen, and without unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


def split_list(value: Any) -> Any:
    """Take ``"3828 3829"`` or ``"3828,3829"`` as a list, as Make variables and the environment give it."""
    if isinstance(value, str):
        return value.replace(",", " ").split()
    return [value] if isinstance(value, int | float) and not isinstance(value, bool) else value


def _refuse_truth(value: Any) -> Any:
    if isinstance(value, bool):
        raise PydanticCustomError("number_type", "true and false are no numbers")
    return value


#: Of a number: pydantic takes true, and YAML's ``yes``, for 1.
NotTruth = BeforeValidator(_refuse_truth)
