"""Counts and durations as text, the same in tables, messages and the report."""

__all__ = ["count", "format_duration"]

_PLURALS = {"quantum": "quanta"}


def count(number: int, noun: str) -> str:
    """Write a number with its noun: ``1 job``, ``3 jobs``, ``1,000 quanta``.

    Parameters
    ----------
    number
        How many there are.
    noun
        What they are, in the singular.
    """
    plural = _PLURALS.get(noun, f"{noun}s")
    return f"{number:,} {noun if number == 1 else plural}"


def format_duration(seconds: float) -> str:
    """Write a duration in its two largest units: ``45 s``, ``3 min 20 s``, ``2 h 05 min``, ``4 d 03 h``."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 86400} d {whole % 86400 // 3600:02d} h"
