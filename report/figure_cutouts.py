"""Figure of the cutouts: their pictures are in the page itself, and what they are of in its table."""

__all__ = ["list_cutouts"]

from ..apdb import NotableKind
from .figure import Column, Figure, Table
from .model import ReportData

_WHAT = {
    NotableKind.SIGNIFICANT: "with the highest signal-to-noise ratios",
    NotableKind.UNRELIABLE: "with the lowest scores of real and bogus",
    NotableKind.NEW: "of new DiaObjects, those of the newest visit first",
}


def list_cutouts(data: ReportData) -> Figure:
    """List the DiaSources that there are cutouts of."""
    rows = [
        (
            str(cutout.kind),
            source.dia_source,
            source.dia_object,
            source.visit,
            source.detector,
            source.band,
            source.mjd,
            source.x,
            source.y,
            source.ra,
            source.dec,
            source.snr,
            source.reliability,
            source.flux,
        )
        for cutout in data.cutouts
        for source in (cutout.source,)
    ]
    columns = (
        Column("shown as"),
        Column("DiaSource", "id"),
        Column("DiaObject", "id"),
        Column("visit", "id"),
        Column("detector", "id"),
        Column("band"),
        Column("MJD (TAI)", "number", 5),
        Column("x (pixels)", "number", 1),
        Column("y (pixels)", "number", 1),
        Column("right ascension (°)", "number", 6),
        Column("declination (°)", "number", 6),
        Column("S/N", "number", 1),
        Column("reliability", "number", 3),
        Column("flux (nJy)", "number", 1),
    )
    kinds = "; ".join(_WHAT[kind] for kind in dict.fromkeys(cutout.kind for cutout in data.cutouts))
    caption = (
        f"Science, template and difference image around some DiaSources: {kinds}. Of each DiaObject there is one "
        "at most. The three pictures of a DiaSource are on the same scale of grey (asinh), in the pixels of the "
        "detector; the ring marks its position."
        if rows
        else "Science, template and difference image around some DiaSources."
    )
    return Figure("cutouts", "Cutouts", caption, (), Table(columns, rows))
