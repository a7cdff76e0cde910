"""Data queries: built from a campaign's settings, and checked as far as possible without a repository."""

__all__ = ["LONGEST_ARGUMENT", "check_length", "check_where", "make_query"]

import re
from collections.abc import Sequence

from ..common.errors import SettingsError

#: Bytes of one argument of a command, with the one at its end: the same on every Linux (MAX_ARG_STRLEN).
LONGEST_ARGUMENT = 128 * 1024


def check_where(text: str) -> str:
    """Refuse a part of a data query that BPS would not pass to ``pipetask`` unchanged.

    Parameters
    ----------
    text
        Conditions in Butler's query language.

    Returns
    -------
    text
        The same, on one line.

    Raises
    ------
    ValueError
        If quotes or parentheses are not balanced, or if it holds a double quote, a brace or a dollar: BPS puts
        the query between double quotes and replaces what is in braces, and variables of the environment.
    """
    text = " ".join(text.split())
    for character, why in (
        ('"', "BPS puts the query between double quotes; write strings in single quotes"),
        ("{", "BPS would replace what is in braces"),
        ("}", "BPS would replace what is in braces"),
        ("$", "BPS would replace what looks like a variable"),
    ):
        if character in text:
            raise ValueError(f"{text!r} holds a {character}: {why}")
    if text.count("'") % 2:
        raise ValueError(f"{text!r} has an unbalanced quote; every string needs ' before and after it")
    if found := re.search("[‘’“”`´]", text):
        raise ValueError(f"{text!r} holds a {found[0]}; write strings in straight single quotes: 'x'")
    depth = 0
    for piece in text.split("'")[::2]:  # outside of strings
        for character in piece:
            depth += (character == "(") - (character == ")")
            if depth < 0:
                break
    if depth:
        raise ValueError(f"{text!r} has unbalanced parentheses")
    return text


def make_query(
    *,
    instrument: str,
    skymap: str,
    tracts: Sequence[int] | None,
    bands: Sequence[str] | None,
    nights: Sequence[int] | None = None,
    where: Sequence[str | None],
) -> str:
    """Make the data query of a step.

    Parameters
    ----------
    instrument, skymap, tracts, bands, nights
        What the query selects; all tracts, bands or nights if `None`.
    where
        More conditions, each put in parentheses; `None` entries are ignored.

    Returns
    -------
    query
        An expression in Butler's query language.
    """
    terms = [f"instrument='{instrument}'", f"skymap='{skymap}'"]
    if tracts:
        terms.append(f"tract IN ({', '.join(map(str, tracts))})")
    if bands:
        terms.append(f"band IN ({', '.join(repr(band) for band in bands)})")
    if nights:
        listed = ", ".join(map(str, nights))
        terms.append(f"day_obs IN ({listed})" if len(nights) > 1 else f"day_obs = {listed}")
    terms += [f"({text})" for text in where if text]
    return " AND ".join(terms)


def check_length(query: str, step: str) -> None:
    """Refuse the data query of a step that is too long for an argument of ``pipetask qgraph``.

    Raises
    ------
    SettingsError
        If it is.
    """
    size = len(query.encode())
    if size >= LONGEST_ARGUMENT:
        raise SettingsError(
            f"{step}: its data query has {size:,} bytes, and an argument of a command can have "
            f"{LONGEST_ARGUMENT - 1:,}",
            remedy="write ranges in 'where', such as visit IN (1000..1999), or put the raw images into a TAGGED "
            "collection and name that as 'inCollection'",
        )
