"""Data queries: built from a campaign's settings, and checked as far as possible without a repository."""

__all__ = ["check_where", "make_query"]

from collections.abc import Sequence


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
        If quotes or parentheses are not balanced, or if it holds a double quote or a brace: BPS puts the
        query between double quotes and replaces what is in braces.
    """
    text = " ".join(text.split())
    for character, why in (
        ('"', "BPS puts the query between double quotes; write strings in single quotes"),
        ("{", "BPS would replace what is in braces"),
        ("}", "BPS would replace what is in braces"),
    ):
        if character in text:
            raise ValueError(f"{text!r} holds a {character}: {why}")
    if text.count("'") % 2:
        raise ValueError(f"{text!r} has an unbalanced quote; every string needs ' before and after it")
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
    day_obs: int | None = None,
    where: Sequence[str | None],
) -> str:
    """Make the data query of a step.

    Parameters
    ----------
    instrument, skymap, tracts, bands, day_obs
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
    if day_obs is not None:
        terms.append(f"day_obs = {day_obs}")
    terms += [f"({text})" for text in where if text]
    return " AND ".join(terms)
