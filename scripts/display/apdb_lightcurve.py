"""Human-readable light curves."""

__all__ = ["show_light_curves"]

import math
from typing import TYPE_CHECKING, Any

from ...common.text import count
from .console import make_console
from .table import Table

if TYPE_CHECKING:
    from ...apdb import LightCurves


def show_light_curves(found: "LightCurves") -> None:
    """Print the measurements of each DiaObject."""
    console = make_console()
    curves = found.as_dict()["objects"]
    if not curves:
        console.print("there is no such DiaObject")
    for curve in curves:
        measured = curve["measurements"]
        forced = sum(each["forced"] for each in measured)
        apart = f", {curve['separation']:.2f}″ away" if "separation" in curve else ""
        console.print(
            f"DiaObject {curve['diaObjectId']} at ({curve['ra']:.6f}°, {curve['dec']:.6f}°){apart}: "
            f"{count(len(measured) - forced, 'DiaSource')}, {count(forced, 'DiaForcedSource')}"
        )
        table = Table(
            "MJD (TAI)",
            "band",
            "visit",
            "detector",
            "flux, nJy",
            "error",
            "science flux, nJy",
            "error",
            "kind",
        )
        for each in measured:
            fluxes = (each[name] for name in ("psfFlux", "psfFluxErr", "scienceFlux", "scienceFluxErr"))
            table.add_row(
                f"{each['midpointMjdTai']:.6f}",
                each["band"] or "",
                str(each["visit"]),
                str(each["detector"]),
                *map(_write, fluxes),
                "forced" if each["forced"] else "detected",
            )
        console.print(table)


def _write(value: Any) -> str:
    return "" if value is None or not math.isfinite(value) else f"{value:,.1f}"
