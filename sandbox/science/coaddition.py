"""Warps, warps of equal seeing, and templates: coadds without artefacts of single visits.

The comparison of warps of equal seeing is that of Rubin's CompareWarp (AlSayyad et al., DMTN-080). Where not all
visits are used, the mean is given the point-spread function of all (homogenisation; Desai et al. 2012, ApJ 757,
83, did so for complete coadds).
"""

__all__ = ["clipped_coadd", "direct_warp", "matched_warp", "mosaic"]

from collections.abc import Mapping, Sequence

import numpy as np
import scipy
from numpy.typing import NDArray

from ..exposure import INEXACT, MASKED, SATURATED, Exposure
from ..geometry import Box, TangentWcs
from .matching import match_psf
from .pixels import convolve, fill, grow, resample, scatter
from .psf import REACH

# The fraction of a star's peak that may be left in its core, and in its wings, if the seeing is not quite matched.
_MISMATCH, _WINGS = 0.08, 0.02
_WIDE = np.hypot(*np.mgrid[-10:11, -10:11]) < 10.5
_DISC = np.hypot(*np.mgrid[-1:2, -1:2]) < 1.2

type Floats = NDArray[np.float64]
type Flags = NDArray[np.bool_]


def direct_warp(exposures: Sequence[Exposure], wcs: TangentWcs, box: Box) -> Exposure:
    """Resample the detectors of a visit, at least one, to the pixels of a patch.

    A detector that hardly touches the patch may leave nothing on it.
    """
    warp, *others = (resample(exposure, wcs, box) for exposure in exposures)
    for part in others:
        # Detectors do not overlap; where edges meet, the one that has data is used.
        new = (part.mask & MASKED) == 0
        warp = warp.with_pixels(
            np.where(new, part.image, warp.image),
            np.where(new, part.variance, warp.variance),
            mask=np.where(new, part.mask, warp.mask),
        )
    psf = np.mean([exposure.star for exposure in exposures], axis=0)
    return warp.with_pixels(warp.image, warp.variance, psf=psf)


def matched_warp(warp: Exposure, sigma: float) -> Exposure:
    """Convolve a warp so that its stars are Gaussians of a width (pixels)."""
    y, x = np.mgrid[-REACH : REACH + 1, -REACH : REACH + 1]
    target = np.exp(-0.5 * (x**2 + y**2) / sigma**2)
    target /= target.sum()
    kernel = match_psf(warp.star, target)
    seen = (warp.mask & MASKED) == 0
    image = convolve(fill(warp.image, warp.good), kernel)
    variance = convolve(np.where(seen, warp.variance, 0), kernel**2)
    return warp.with_pixels(np.where(seen, image, 0), np.where(seen, variance, np.inf), psf=target)


def clipped_coadd(
    direct: Mapping[int, Exposure],
    matched: Mapping[int, Exposure],
    clip: float,
    contrast: float,
    most: float,
) -> tuple[Exposure, NDArray[np.int32], float]:
    """Average warps, without what differs from the static sky in one visit.

    Parameters
    ----------
    direct, matched
        Warps by visit, unchanged and of equal seeing.
    clip, contrast
        The least difference of an artefact from the static sky, sigma; and its least brightness relative to a star
        at the same place: a fainter one is a variable star, of which the template holds the mean.
    most
        The largest fraction of the visits, one at least, in which an artefact may be at the same place.

    Returns
    -------
    coadd, number, clipped
        The mean with inverse variances as weights, one for each visit; the number of visits of each pixel; and the
        fraction of the pixels that were left out.
    """
    visits = sorted(direct)
    seen = np.array([(matched[visit].mask & MASKED) == 0 for visit in visits])
    cube = np.array(
        [np.where(flags, matched[v].image, np.nan) for v, flags in zip(visits, seen, strict=True)]
    )
    variances = np.array([matched[visit].variance for visit in visits])
    artefact = _find_artefacts(cube, variances, seen, clip, contrast, most)
    good = np.array([direct[visit].mask == 0 for visit in visits])
    used = good & ~artefact
    used = np.where(used.any(axis=0), used, good)
    # Where only one visit looked, nothing can be compared.
    used &= seen.sum(axis=0) >= min(2, len(visits))
    coadd = _average(direct, good, used)
    return coadd, used.sum(axis=0).astype(np.int32), float(artefact[good].mean()) if good.any() else 0.0


def _static_sky(cube: Floats, seen: Flags, clip: float, contrast: float) -> tuple[Floats, Flags]:
    """Return the static sky, and where it is the faintest of the visits and not their median.

    Parameters
    ----------
    cube, seen
        Images of equal seeing, and where they have data: [visit, y, x].
    clip, contrast
        As for `clipped_coadd`.
    """
    number = seen.sum(axis=0)
    ordered = np.sort(cube, axis=0)
    # The median; of two the fainter, since artefacts are bright.
    middle = np.maximum((number - 1) // 2, 0)
    static = np.where(number > 0, np.take_along_axis(ordered, middle[None], axis=0)[0], 0.0)
    # Of few visits, two may each have an artefact at the same place. Then the faintest one shows the static sky.
    faintest = np.where(number > 0, ordered[0], 0.0)
    spread = [scatter(layer[flags]) for layer, flags in zip(cube - static, seen, strict=True) if flags.any()]
    lower = static - faintest
    limit = clip * max(spread, default=0.0) + _mismatch(static)
    several = _without_variables(np.where((lower > limit) & (number == 3), lower, 0.0), faintest, contrast)
    return np.where(several, faintest, static), grow(several, 3)


def _find_artefacts(
    cube: Floats, variances: Floats, seen: Flags, clip: float, contrast: float, most: float
) -> Flags:
    """Tell which pixels of which visits differ from the static sky; parameters as for `_static_sky`."""
    number = seen.sum(axis=0)
    static, several = _static_sky(cube, seen, clip, contrast)
    noise = np.array(
        [
            max(scatter(layer[flags]), float(np.sqrt(np.median(variance[flags])))) if flags.any() else np.inf
            for layer, variance, flags in zip(cube - static, variances, seen, strict=True)
        ]
    )
    with np.errstate(invalid="ignore"):
        limit = clip * noise[:, None, None] + _mismatch(static)
        artefact = (np.abs(cube - static) > limit) & seen & (number > 1)
    change = np.where(artefact, np.abs(cube - static), 0.0)
    artefact = np.array([_without_variables(layer, static, contrast) for layer in change])
    few = artefact.sum(axis=0) <= np.where(several, number - 1, max(1, round(most * len(cube))))
    return np.array([grow(layer & few, 3) for layer in artefact])


def _average(direct: Mapping[int, Exposure], good: Flags, used: Flags) -> Exposure:
    """Average warps with inverse variances as weights.

    Parameters
    ----------
    direct
        Warps by visit.
    good, used
        Which pixels of them have no defect, and which of these to average: [visit, y, x] in the order of visits.
    """
    visits = sorted(direct)
    variances = np.array([np.where(good[i], direct[v].variance, 0.0) for i, v in enumerate(visits)], float)
    weights = np.array(
        [1 / np.median(variances[i][good[i]]) if good[i].any() else 0 for i in range(len(visits))]
    )
    weight = used * weights[:, None, None]
    total = weight.sum(axis=0)
    some = total > 0
    images = np.array([direct[visit].image for visit in visits], float)
    psfs = np.array([direct[visit].star for visit in visits])
    image = np.where(some, _homogeneous(images, weight, weights, psfs), 0.0)
    variance = np.where(some, (weight**2 * variances).sum(axis=0) / np.where(some, total, 1) ** 2, np.inf)
    # Where no visit is good, the mask says why: there are no data, or only saturated or bad pixels.
    wrong = np.bitwise_and.reduce([np.where(direct[v].mask > 0, direct[v].mask, 255) for v in visits])
    wrong = np.where(wrong > 0, wrong, MASKED).astype(np.uint8)
    # The core of a star that is saturated in one visit would have another seeing than its wings.
    full = np.any([(direct[v].mask & SATURATED) > 0 for v in visits], axis=0)
    mask = np.where(some, np.where(full, SATURATED, 0), wrong) | np.where(_changes(used), INEXACT, 0)
    return direct[visits[0]].with_pixels(
        image,
        variance,
        mask=mask.astype(np.uint8),
        visit_info=None,
        psf=_mean_psf(psfs, weights),
        summary={},
        inputs=tuple(
            {"visit": int(visit), "weight": float(weight)}
            for visit, weight in zip(visits, weights, strict=True)
        ),
    )


def _without_variables(change: Floats, static: Floats, contrast: float) -> Flags:
    """Tell which changes (given by their brightness, zero elsewhere) are not those of a variable star."""
    # Assign pixels to peaks: a flash next to the residual of a bright star is then judged separately.
    summits = (change > 0) & (change == scipy.ndimage.maximum_filter(change, 5))
    seeds, number = scipy.ndimage.label(summits, np.ones((3, 3)))
    if not number:
        return np.zeros(change.shape, bool)
    row, column = scipy.ndimage.distance_transform_edt(~summits, return_distances=False, return_indices=True)
    labels = np.where(change > 0, seeds[row, column], 0)
    stars = static == scipy.ndimage.maximum_filter(static, 5)
    near = scipy.ndimage.maximum_filter(np.where(stars, static, 0.0), footprint=_DISC)
    kept = np.zeros(number + 1, bool)
    for label, (row, column) in enumerate(
        scipy.ndimage.maximum_position(change, labels, np.arange(1, number + 1)), start=1
    ):
        kept[label] = change[row, column] >= contrast * near[row, column]
    return np.asarray(kept[labels], bool)


def _mismatch(static: Floats) -> Floats:
    """Return the largest difference of a pixel that imperfectly matched seeing may cause."""
    light = np.abs(static)
    # On the flank of a star, a small shift makes a large difference.
    core = _MISMATCH * scipy.ndimage.maximum_filter(light, 3)
    return np.asarray(np.maximum(core, _WINGS * scipy.ndimage.maximum_filter(light, footprint=_WIDE)), float)


def _mean_psf(psfs: Floats, weights: Floats) -> Floats:
    return np.asarray(np.average(psfs, axis=0, weights=np.maximum(weights, 1e-300)), float)


def _homogeneous(images: Floats, weight: Floats, weights: Floats, psfs: Floats) -> Floats:
    """Return the weighted mean of images with the same point-spread function everywhere.

    Parameters
    ----------
    images, weight
        Images by visit, and the weights of their pixels: [visit, y, x].
    weights, psfs
        The weight of each visit where it is used, and its point-spread function.
    """
    total = weight.sum(axis=0)
    mean = (weight * images).sum(axis=0) / np.where(total > 0, total, 1)
    used = weight > 0
    result, target = mean.copy(), _mean_psf(psfs, weights)
    sets = np.unique(used.reshape(len(used), -1), axis=1).T
    for those in sets[sets.any(axis=1) & ~sets.all(axis=1)]:
        # The mean of these visits alone, also around the pixels that only they have, for the reach of the kernel.
        part = weight * those[:, None, None]
        number = part.sum(axis=0)
        alone = np.where(number > 0, (part * images).sum(axis=0) / np.where(number > 0, number, 1), mean)
        kernel = match_psf(_mean_psf(psfs[those], weights[those]), target)
        here = (used == those[:, None, None]).all(axis=0)
        result[here] = convolve(fill(alone, total > 0), kernel)[here]
    return result


def _changes(used: Flags, pixels: int = 2) -> Flags:
    """Tell where the set of visits that are used changes within a distance."""
    return np.any([grow(layer, pixels) & grow(~layer, pixels) for layer in used], axis=0)


def mosaic(coadds: Sequence[Exposure], wcs: TangentWcs, box: Box) -> Exposure | None:
    """Resample coadds of patches to a detector, averaged where they overlap; `None` if none covers it."""
    shape = box.height, box.width
    image, variance, number = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    mask = np.full(shape, MASKED, np.uint8)
    stars: list[Floats] = []
    for coadd in coadds:
        part = resample(coadd, wcs, box)
        if not part.good.any():
            continue
        image += np.where(part.good, part.image, 0)
        variance += np.where(part.good, part.variance, 0)
        number += part.good
        mask = np.where((mask & MASKED) > 0, part.mask, mask | (part.mask & INEXACT))
        stars.append(part.star * part.good.sum())
    if not stars:
        return None
    some = number > 0
    return Exposure(
        np.where(some, image / np.maximum(number, 1), 0).astype(np.float32),
        # The overlapping patches are made of the same exposures: their noise does not average out.
        np.where(some, variance / np.maximum(number, 1), np.inf).astype(np.float32),
        np.where(some, mask & INEXACT, np.maximum(mask, MASKED * (mask == 0))).astype(np.uint8),
        wcs,
        psf=np.sum(stars, axis=0) / np.sum(stars),
    )
