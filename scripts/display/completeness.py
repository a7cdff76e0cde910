"""Human-readable completeness of a campaign with injected sources."""

__all__ = ["show_completeness"]

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

from ...common.text import count
from .console import make_console

if TYPE_CHECKING:
    from ...report.completeness import Completeness, CompletenessBin
    from .table import Table


def show_completeness(result: "Completeness") -> None:
    """Print it: by magnitude for each band, by signal-to-noise ratio, the depths and the errors."""
    from ...report.figure_completeness import describe_depth
    from .table import Table

    console = make_console()
    for each in result.bands:
        table = Table("mag from", "to", "injected", "found", "share", "68 %", title=f"band {each.band}")
        _add_bins(table, each.bins)
        console.print(table)
    if result.injected:
        table = Table("S/N from", "to", "injected", "found", "share", "68 %", title="all bands")
        _add_bins(table, (each for each in result.by_snr if each.injected))
        console.print(table)
        depths = Table("depth", *(f"{depth.share:.0%}" for depth in result.bands[0].depths))
        for each in result.bands:
            depths.add_row(each.band, *(describe_depth(depth) for depth in each.depths))
        console.print(depths)
    if result.accuracy:
        errors = result.accuracy
        flux = (
            "" if errors.flux is None else f"flux {errors.flux:+.3f} ± {errors.flux_scatter:.3f} (relative), "
        )
        console.print(
            f"{errors.sources:,} found with S/N above ten: {flux}position {errors.east:+.0f} mas east, "
            f"{errors.north:+.0f} mas north, scatter {errors.scatter:.0f} mas"
        )
    for note in result.notes:
        console.print(note)
    chance = (
        "" if result.chance is None else f"; by chance {result.chance:.1%} of places beside them have one"
    )
    console.print(
        f"{result.found:,} of {result.injected:,} injected sources in {count(result.images, 'image')} have a "
        f"DiaSource within {result.radius:g} arcseconds{chance}"
    )


def _add_bins(table: "Table", bins: "Iterable[CompletenessBin]") -> None:
    for each in bins:
        high = f"{each.high:g}" if math.isfinite(each.high) else ""
        low, most = each.limits
        share = "–" if each.share is None else f"{each.share:.3f}"
        limits = "" if each.share is None else f"{low:.3f} to {most:.3f}"
        table.add_row(f"{each.low:g}", high, f"{each.injected:,}", f"{each.found:,}", share, limits)
