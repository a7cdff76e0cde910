"""Writing of a comparison as a page."""

__all__ = ["write_comparison"]

from pathlib import Path

from ...common.files import write_atomically
from .comparison import Comparison
from .render import render_comparison


def write_comparison(comparison: Comparison, file: Path) -> None:
    """Write the page of a comparison.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    write_atomically(file, render_comparison(comparison))
