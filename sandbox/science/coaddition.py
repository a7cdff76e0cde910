"""From exposures to templates: warps, warps of equal seeing, and a coadd without what is in one visit only.

The comparison of warps of equal seeing is that of Rubin's CompareWarp (AlSayyad et al., DMTN-080). Where not all
visits are used, what there is gets the point-spread function of all (homogenisation; Desai et al. 2012, ApJ 757,
83, did so for whole coadds).
"""

__all__ = ["clipped_coadd", "direct_warp", "matched_warp", "mosaic"]

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ..exposure import INEXACT, MASKED, SATURATED, Exposure
from ..geometry import Box, TangentWcs
from .matching import match_psf
from .pixels import convolve, fill, grow, resample, scatter
from .psf import REACH

# The part of a star's middle that may be left there, and in its wings, when its seeing is not as it should be.
_MISMATCH, _WINGS = 0.08, 0.02
_WIDE = np.hypot(*np.mgrid[-10:11, -10:11]) < 10.5
_DISC = np.hypot(*np.mgrid[-1:2, -1:2]) < 1.2

type Floats = NDArray[np.float64]


def direct_warp(exposures: Sequence[Exposure], wcs: TangentWcs, box: Box) -> Exposure:
    """Bring the detectors of a visit, one at least, onto the pixels of a patch.

    A detector that hardly touches the patch may leave nothing on it.
    """
    warp, *others = (resample(exposure, wcs, box) for exposure in exposures)
    for part in others:
        # Detectors do not overlap; where edges meet, the one that has data wins.
        new = (part.mask & MASKED) == 0
        warp = warp.with_pixels(
            np.where(new, part.image, warp.image),
            np.where(new, part.variance, warp.variance),
            mask=np.where(new, part.mask, warp.mask),
        )
    psf = np.mean([exposure.star for exposure in exposures], axis=0)
    return warp.with_pixels(warp.image, warp.variance, psf=psf)


def matched_warp(warp: Exposure, sigma: float) -> Exposure:
    """Blur a warp until its stars are Gaussians of a width (pixels)."""
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
        Warps by visit, as they are and of equal seeing.
    clip, contrast
        An artefact is so many sigma from the static sky. What is in the middle of a star is none if it is less
        than so many times as bright: the star varies, and the template shall hold its mean.
    most
        The part of the visits, one at least, in which something may differ to be an artefact.

    Returns
    -------
    coadd, number, clipped
        The mean with inverse variances as weights, one for each visit; how many visits each pixel has; and the
        part of the pixels that were left out.
    """
    visits = sorted(direct)
    seen = np.array([(matched[visit].mask & MASKED) == 0 for visit in visits])
    cube = np.array(
        [np.where(flags, matched[v].image, np.nan) for v, flags in zip(visits, seen, strict=True)]
    )
    number = seen.sum(axis=0)
    ordered = np.sort(cube, axis=0)
    # The median; of two the fainter, since artefacts shine.
    middle = np.maximum((number - 1) // 2, 0)
    static = np.where(number > 0, np.take_along_axis(ordered, middle[None], axis=0)[0], 0.0)
    # Of few visits, two may each have an artefact at the same place. Then the faintest one shows the static sky.
    faintest = np.where(number > 0, ordered[0], 0.0)
    spread = [scatter(layer[flags]) for layer, flags in zip(cube - static, seen, strict=True) if flags.any()]
    lower = static - faintest
    limit = clip * max(spread, default=0.0) + _mismatch(static)
    several = _without_variables(np.where((lower > limit) & (number == 3), lower, 0.0), faintest, contrast)
    static = np.where(several, faintest, static)
    several = grow(several, 3)
    noise = np.array(
        [
            max(scatter(layer[flags]), float(np.sqrt(np.median(matched[visit].variance[flags]))))
            if flags.any()
            else np.inf
            for visit, layer, flags in zip(visits, cube - static, seen, strict=True)
        ]
    )
    with np.errstate(invalid="ignore"):
        limit = clip * noise[:, None, None] + _mismatch(static)
        artefact = (np.abs(cube - static) > limit) & seen & (number > 1)
    change = np.where(artefact, np.abs(cube - static), 0.0)
    artefact = np.array([_without_variables(layer, static, contrast) for layer in change])
    few = artefact.sum(axis=0) <= np.where(several, number - 1, max(1, round(most * len(visits))))
    artefact = np.array([grow(layer & few, 3) for layer in artefact])
    good = np.array([direct[visit].mask == 0 for visit in visits])
    used = good & ~artefact
    used = np.where(used.any(axis=0), used, good)
    # Where only one visit looked, nothing can be compared.
    used &= number >= min(2, len(visits))
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
    # Where no visit is good, say what is wrong: nothing is there, or only full or broken pixels.
    wrong = np.bitwise_and.reduce([np.where(direct[v].mask > 0, direct[v].mask, 255) for v in visits])
    wrong = np.where(wrong > 0, wrong, MASKED).astype(np.uint8)
    # The core of a star that is full in one visit would be of other seeing than its wings.
    full = np.any([(direct[v].mask & SATURATED) > 0 for v in visits], axis=0)
    coadd = direct[visits[0]].with_pixels(
        image,
        variance,
        mask=(
            np.where(some, np.where(full, SATURATED, 0), wrong) | np.where(_changes(used), INEXACT, 0)
        ).astype(np.uint8),
        visit_info=None,
        psf=_mean_psf(psfs, weights),
        summary={},
        inputs=tuple(
            {"visit": int(visit), "weight": float(weight)}
            for visit, weight in zip(visits, weights, strict=True)
        ),
    )
    return coadd, used.sum(axis=0).astype(np.int32), float(artefact[good].mean()) if good.any() else 0.0


def _without_variables(change: Floats, static: Floats, contrast: float) -> NDArray[np.bool_]:
    """Tell what has changed (its brightness is given, zero elsewhere) and is no star that varies."""
    # What belongs to which peak: next to a bright star that does not match perfectly, a flash is on its own.
    summits = (change > 0) & (change == ndimage.maximum_filter(change, 5))
    seeds, number = ndimage.label(summits, np.ones((3, 3)))
    if not number:
        return np.zeros(change.shape, bool)
    row, column = ndimage.distance_transform_edt(~summits, return_distances=False, return_indices=True)
    labels = np.where(change > 0, seeds[row, column], 0)
    stars = static == ndimage.maximum_filter(static, 5)
    near = ndimage.maximum_filter(np.where(stars, static, 0.0), footprint=_DISC)
    kept = np.zeros(number + 1, bool)
    for label, (row, column) in enumerate(
        ndimage.maximum_position(change, labels, np.arange(1, number + 1)), start=1
    ):
        kept[label] = change[row, column] >= contrast * near[row, column]
    return np.asarray(kept[labels], bool)


def _mismatch(static: Floats) -> Floats:
    """Return how much a pixel may differ because the seeing is not quite the same."""
    light = np.abs(static)
    # On the flank of a star, a small shift is a large difference.
    core = _MISMATCH * ndimage.maximum_filter(light, 3)
    return np.asarray(np.maximum(core, _WINGS * ndimage.maximum_filter(light, footprint=_WIDE)), float)


def _mean_psf(psfs: Floats, weights: Floats) -> Floats:
    return np.asarray(np.average(psfs, axis=0, weights=np.maximum(weights, 1e-300)), float)


def _homogeneous(images: Floats, weight: Floats, weights: Floats, psfs: Floats) -> Floats:
    """Return the weighted mean of images with the same point-spread function everywhere.

    Parameters
    ----------
    images, weight
        By visit, and how much each of its pixels counts: [visit, y, x].
    weights, psfs
        How much a visit counts where it does, and its star.
    """
    total = weight.sum(axis=0)
    mean = (weight * images).sum(axis=0) / np.where(total > 0, total, 1)
    used = weight > 0
    result, target = mean.copy(), _mean_psf(psfs, weights)
    sets = np.unique(used.reshape(len(used), -1), axis=1).T
    for those in sets[sets.any(axis=1) & ~sets.all(axis=1)]:
        # The mean of these visits alone, also around where they are on their own: the kernel has a reach.
        part = weight * those[:, None, None]
        number = part.sum(axis=0)
        alone = np.where(number > 0, (part * images).sum(axis=0) / np.where(number > 0, number, 1), mean)
        kernel = match_psf(_mean_psf(psfs[those], weights[those]), target)
        here = (used == those[:, None, None]).all(axis=0)
        result[here] = convolve(fill(alone, total > 0), kernel)[here]
    return result


def _changes(used: NDArray[np.bool_], pixels: int = 2) -> NDArray[np.bool_]:
    """Tell where the visits that are used are not the same all around."""
    return np.any([grow(layer, pixels) & grow(~layer, pixels) for layer in used], axis=0)


def mosaic(coadds: Sequence[Exposure], wcs: TangentWcs, box: Box) -> Exposure | None:
    """Bring the coadds of patches onto a detector, averaged where they overlap; `None` if there is nothing."""
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
