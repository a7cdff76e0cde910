"""Counts, durations and sizes as text, and text that is safe to show: in tables, messages and the report."""

__all__ = ["count", "first_line", "format_duration", "format_size", "printable"]

import unicodedata

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


def first_line(error: Exception) -> str:
    """Write an exception in a line: its name, and the first line of what it says."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0].strip() if lines else ''}"


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


def format_size(size: float) -> str:
    """Write a size in bytes in its largest unit: ``17 MiB``, ``2.5 GiB``."""
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if size >= 10 or unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"


def printable(text: str) -> str:
    r"""Write characters that would command a terminal, or turn the order of what is read around, as escapes.

    Parameters
    ----------
    text
        Any text, such as the message of a task. Lines and tabulators stay as they are.

    Returns
    -------
    text
        The same with, for example, ``\x1b`` for the character that begins a command for the terminal.
    """
    if text.isprintable():
        return text
    return "".join(
        char
        if char in "\n\t" or char.isprintable() or unicodedata.category(char) in ("Zs", "Cn", "Co")
        else char.encode("unicode_escape").decode("ascii")
        for char in text
    )
