"""Types of the values in a campaign file, with what is said of a value that is not of its type."""

__all__ = [
    "ApdbUrl",
    "Bands",
    "BpsSettings",
    "Collection",
    "CollectionTemplate",
    "Collections",
    "GraphOptions",
    "Name",
    "Nights",
    "Operator",
    "RunOptions",
    "SkippedCollections",
    "Tracts",
    "Values",
    "Where",
]

import re
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from itertools import islice
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, NonNegativeInt

from ..common.secrets import split_password
from .model import NotTruth, split_list
from .options import RUN_OPTIONS, check_options, check_settings
from .query import check_where

#: Values of one range; more have been mistyped.
_MOST = 2000
_LAST_TRACT = 2**31 - 1  #: databases take no larger one
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


def _check_operator(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise ValueError(
            f"{value!r} cannot be a part of collections and files; write operator: NAME with letters, digits, "
            "'.', '_' and '-'"
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
    return value


def _split_bands(value: Any) -> Any:
    """Take ``gri`` as ``g r i``: no camera has a band of such a name."""
    words = split_list(value)
    if not isinstance(words, list):
        return words
    return [band for word in words for band in (word if _are_bands(word) else [word])]


def _once[Value](values: tuple[Value, ...]) -> tuple[Value, ...]:
    return tuple(dict.fromkeys(values))


def _are_bands(word: Any) -> bool:
    return isinstance(word, str) and len(word) > 1 and _ONE_LETTER_BANDS.issuperset(word)


def _split_tracts(value: Any) -> Any:
    """Take ``3828..3830`` as these three."""
    words = split_list(value)
    if not isinstance(words, list):
        return words
    return [
        tract for word in words for tract in _expand(word, int, lambda first, last: range(first, last + 1))
    ]


def _check_tract(tract: int) -> int:
    if tract > _LAST_TRACT:
        raise ValueError(f"there is no tract {tract}; expected a number such as 3828")
    return tract


def _split_nights(value: Any) -> Any:
    """Take ``20260830..20260902`` as these four."""
    words = split_list(value)
    if not isinstance(words, list):
        return words
    return [night for word in words for night in _expand(word, _check_day, _nights)]


def _nights(first: int, last: int) -> list[int]:
    begin, end = (datetime.strptime(str(night), "%Y%m%d") for night in (first, last))
    return [int((begin + timedelta(days)).strftime("%Y%m%d")) for days in range((end - begin).days + 1)]


def _expand(word: Any, read: Callable[[Any], int], between: Callable[[int, int], Iterable[int]]) -> list[Any]:
    """Write the values of a range; what is none stays as it is."""
    found = re.fullmatch(r"(\d+)\.\.(\d+)", word) if isinstance(word, str) else None
    if not found:
        return [word]
    first, last = read(int(found[1])), read(int(found[2]))
    if first > last:
        raise ValueError(f"{word!r} ends before it begins; expected FIRST..LAST, such as {last}..{first}")
    values = list(islice(between(first, last), _MOST + 1))
    if len(values) > _MOST:
        raise ValueError(
            f"{word!r} is a range of too many values; expected FIRST..LAST with at most {_MOST:,}"
        )
    return values


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
Operator = Annotated[str, AfterValidator(_check_operator)]
Collection = Annotated[str, AfterValidator(_check_collection)]
Collections = Annotated[tuple[Collection, ...], BeforeValidator(split_list), Field(min_length=1)]
SkippedCollections = Annotated[tuple[Collection, ...], BeforeValidator(split_list)]
CollectionTemplate = Annotated[str, AfterValidator(_check_collection_template)]
Tracts = Annotated[
    tuple[Annotated[NonNegativeInt, NotTruth, AfterValidator(_check_tract)], ...],
    BeforeValidator(_split_tracts),
    AfterValidator(_once),
    Field(min_length=1),
]
Bands = Annotated[
    tuple[Annotated[str, AfterValidator(_check_band)], ...],
    BeforeValidator(_split_bands),
    AfterValidator(_once),
    Field(min_length=1),
]
Nights = Annotated[
    tuple[Annotated[int, AfterValidator(_check_day)], ...],
    BeforeValidator(_split_nights),
    AfterValidator(_once),
    Field(min_length=1),
]
Where = Annotated[str, AfterValidator(check_where), Field(min_length=1)]
ApdbUrl = Annotated[str, AfterValidator(_check_apdb_url)]
BpsSettings = Annotated[dict[str, Any], AfterValidator(check_settings)]
GraphOptions = Annotated[str, AfterValidator(check_options)]
# As text, which is what a command's arguments are.
Values = dict[str, Annotated[str, BeforeValidator(str)]]
RunOptions = Annotated[str, AfterValidator(lambda text: check_options(text, RUN_OPTIONS))]
