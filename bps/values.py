"""Types of the values in a campaign file, with what is said of a value that is not of its type."""

__all__ = [
    "ApdbUrl",
    "Bands",
    "BpsSettings",
    "Collection",
    "CollectionTemplate",
    "Collections",
    "DayObs",
    "GraphOptions",
    "Name",
    "RunOptions",
    "SkippedCollections",
    "Tracts",
    "Values",
    "Where",
]

import re
from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, NonNegativeInt

from ..common.secrets import split_password
from .model import split_list
from .options import RUN_OPTIONS, check_options, check_settings
from .query import check_where

# Letters that each are a band: a word of them is several bands without spaces between.
_ONE_LETTER_BANDS = frozenset("ugrizy")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
# What Butler allows and needs no quoting in a shell, a DAG or a file system.
_COLLECTION = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+:@-]*(/[A-Za-z0-9_.+:@-]+)*")
_BAND = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]*")
_PLACEHOLDER = re.compile(r"\{(\w*)\}")


def _check_name(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise ValueError(
            f"{value!r} is not a campaign name; expected letters, digits, '.', '_' and '-', starting with a "
            "letter or digit, such as 'dc2-test-med-1'"
        )
    return value


def _check_collection(value: str) -> str:
    if not _COLLECTION.fullmatch(value):
        raise ValueError(
            f"{value!r} is not a collection name; expected parts of letters, digits and _.+:@- joined by '/', "
            "such as '2.2i/defaults/test-med-1'"
        )
    return value


def _check_collection_template(value: str) -> str:
    for name in _PLACEHOLDER.findall(value):
        if name not in ("operator", "name"):
            raise ValueError(f"{{{name}}} is unknown in {value!r}; valid are {{operator}} and {{name}}")
    _check_collection(_PLACEHOLDER.sub("x", value))
    return value


def _check_band(value: str) -> str:
    if not _BAND.fullmatch(value):
        raise ValueError(f"{value!r} is not a band; expected a name such as g, VR or N708")
    if len(value) > 1 and _ONE_LETTER_BANDS.issuperset(value):
        raise ValueError(
            f"{value!r} is not a band; write several with spaces between them: {' '.join(value)!r}"
        )
    return value


def _check_apdb_url(value: str) -> str:
    bare, password = split_password(value)
    if password is not None:
        raise ValueError(
            f"the URL {bare!r} holds a password, which a campaign file must not; put it in ~/.pgpass (chmod 600) "
            "or name a credentials file in $LSST_DB_AUTH"
        )
    if not re.match(r"(postgresql|sqlite)(\+\w+)?://", value):
        raise ValueError(
            f"{value!r} is not an APDB URL; expected postgresql://user@host/db or sqlite:///file"
        )
    return value


def _check_day(value: int) -> int:
    try:
        datetime.strptime(str(value), "%Y%m%d")
    except ValueError:
        raise ValueError(f"{value!r} is not a night; expected YYYYMMDD, such as 20260905") from None
    return value


Name = Annotated[str, AfterValidator(_check_name)]
Collection = Annotated[str, AfterValidator(_check_collection)]
Collections = Annotated[tuple[Collection, ...], BeforeValidator(split_list), Field(min_length=1)]
SkippedCollections = Annotated[tuple[Collection, ...], BeforeValidator(split_list)]
CollectionTemplate = Annotated[str, AfterValidator(_check_collection_template)]
Tracts = Annotated[tuple[NonNegativeInt, ...], BeforeValidator(split_list), Field(min_length=1)]
Bands = Annotated[
    tuple[Annotated[str, AfterValidator(_check_band)], ...],
    BeforeValidator(split_list),
    Field(min_length=1),
]
DayObs = Annotated[int, AfterValidator(_check_day)]
Where = Annotated[str, AfterValidator(check_where), Field(min_length=1)]
ApdbUrl = Annotated[str, AfterValidator(_check_apdb_url)]
BpsSettings = Annotated[dict[str, Any], AfterValidator(check_settings)]
GraphOptions = Annotated[str, AfterValidator(check_options)]
# As text, which is what a command's arguments are.
Values = dict[str, Annotated[str, BeforeValidator(str)]]
RunOptions = Annotated[str, AfterValidator(lambda text: check_options(text, RUN_OPTIONS))]
