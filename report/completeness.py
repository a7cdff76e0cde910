"""Completeness of a campaign with injected sources: what share of them its APDB holds, and how well measured.

`apcampaign.report.completeness_reader` reads it of a campaign, `completeness_measure` finds it from tables.
"""

__all__ = [
    "Accuracy",
    "BandCompleteness",
    "Completeness",
    "CompletenessBin",
    "Depth",
]

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from .completeness_fit import Depth


@dataclass(frozen=True, kw_only=True)
class CompletenessBin:
    """Injected sources of an interval of magnitude or signal-to-noise ratio.

    Parameters
    ----------
    low, high
        Its bounds; a source at the lower one is in it.
    injected, found
        How many there are, and how many of them have a DiaSource.
    """

    low: float
    high: float
    injected: int
    found: int

    @property
    def share(self) -> float | None:
        """The share that was found; `None` if nothing was injected."""
        return self.found / self.injected if self.injected else None

    @property
    def limits(self) -> tuple[float, float]:
        """The 68 % interval of the share (Wilson 1927), which is none of its own where nothing was injected."""
        if not self.injected:
            return 0.0, 1.0
        number, share = self.injected, self.found / self.injected
        middle = (share + 0.5 / number) / (1 + 1 / number)
        half = math.sqrt(share * (1 - share) / number + 0.25 / number**2) / (1 + 1 / number)
        return max(0.0, middle - half), min(1.0, middle + half)


@dataclass(frozen=True, kw_only=True)
class BandCompleteness:
    """Completeness of a band against magnitude.

    Parameters
    ----------
    band
        The band.
    bins
        By magnitude, bright ones first.
    depths
        The magnitudes at which half, and nine tenths, are found.
    """

    band: str
    bins: tuple[CompletenessBin, ...]
    depths: tuple[Depth, ...]

    @property
    def injected(self) -> int:
        """How many were injected."""
        return sum(each.injected for each in self.bins)

    @property
    def found(self) -> int:
        """How many of them were found."""
        return sum(each.found for each in self.bins)


@dataclass(frozen=True, kw_only=True)
class Accuracy:
    """Errors of the sources that were found, of one interval of signal-to-noise ratio.

    Parameters
    ----------
    low, high
        The interval.
    sources
        How many there are.
    east, north
        Median offset of the DiaSource from the injected position, milliarcseconds.
    scatter
        Scatter of the offset along an axis, milliarcseconds.
    flux, flux_scatter
        Median of the relative error of the PSF flux, and its scatter; `None` if no flux is known.
    """

    low: float
    high: float
    sources: int
    east: float
    north: float
    scatter: float
    flux: float | None
    flux_scatter: float | None


@dataclass(frozen=True, kw_only=True)
class Completeness:
    """What a campaign found of the sources that were injected into its images.

    Parameters
    ----------
    images
        How many (visit, detector)s with injected sources were associated.
    injected, found
        How many sources were injected into these, and how many of them have a DiaSource.
    by_snr
        By the signal-to-noise ratio that an injected source should have; without those of which it is not known.
    bands
        By magnitude, for each band.
    accuracy
        Errors of position and flux of what was found, all with a signal-to-noise ratio above ten; `None` if there
        are none.
    accuracy_by_snr
        The same by signal-to-noise ratio.
    chance
        The share of places beside the injected sources at which a DiaSource is found within the same radius: of so
        many the match is by chance.
    radius
        Within which they were matched, arcseconds.
    notes
        What was left out, or could not be read.
    """

    images: int
    injected: int
    found: int
    by_snr: tuple[CompletenessBin, ...]
    bands: tuple[BandCompleteness, ...]
    accuracy: Accuracy | None
    accuracy_by_snr: tuple[Accuracy, ...] = ()
    chance: float | None
    radius: float
    notes: tuple[str, ...] = ()

    @property
    def share(self) -> float | None:
        """The share of all that was found."""
        return self.found / self.injected if self.injected else None

    def depth(self, band: str, share: float) -> Depth | None:
        """Find the depth of a band for a share, such as 0.5; `None` if there is no such band or share."""
        return next(
            (
                depth
                for each in self.bands
                if each.band == band
                for depth in each.depths
                if math.isclose(depth.share, share)
            ),
            None,
        )

    @property
    def numbers(self) -> dict[str, float]:
        """The numbers that tell most, by name, for a comparison of two campaigns; only those that are known."""
        found = {"completeness of injected sources": self.share}
        for each in self.bands:
            for depth in each.depths:
                found[f"depth in {each.band}, {depth.share:.0%} (mag)"] = depth.magnitude
        if self.accuracy:
            found["flux of injected sources"] = self.accuracy.flux
        return {name: value for name, value in found.items() if value is not None}

    def as_dict(self) -> dict[str, Any]:
        """Convert it to plain values, for JSON."""
        return {
            **{name: _plain(value) for name, value in asdict(self).items()},
            "share": self.share,
            "by_snr": [_describe(each) for each in self.by_snr],
            "bands": {
                each.band: {
                    "injected": each.injected,
                    "found": each.found,
                    "depths": [_plain(asdict(depth)) for depth in each.depths],
                    "bins": [_describe(bin_) for bin_ in each.bins],
                }
                for each in self.bands
            },
        }


def _describe(each: CompletenessBin) -> dict[str, Any]:
    return {**_plain(asdict(each)), "share": each.share, "limits": list(each.limits)}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
