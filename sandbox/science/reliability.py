"""Reliability of a source in a difference image: a number from 0 to 1.

Instead of a trained network (Rubin's is meas_transiNet), the product of the scores of several features, as before
machine learning (e.g. Bloom et al. 2012, PASP 124, 1175, on the features): shape, light of the opposite sign, bad
pixels, and brightness relative to what was subtracted there.
"""

__all__ = ["reliability"]

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

type Floats = NDArray[np.float64]

# The fraction of a star that an imperfect kernel may leave, and that a coadd of varying seeing may.
_RESIDUAL, _PATCHWORK = 0.02, 0.01
# The same in the wings of a bright star nearby.
_GLARE = 0.03


def reliability(sources: Mapping[str, Any]) -> Floats:
    """Return the reliability of sources with the columns of `apcampaign.sandbox.science.detection.COLUMNS`."""
    column = {name: np.asarray(sources[name], float) for name in sources}
    snr = np.nan_to_num(column["snr"])
    # A model that is wrong by some percent of the light fits bright sources worse.
    chi2 = np.nan_to_num(column["chi2"], nan=99.0) / (1 + (0.04 * snr) ** 2 / 4)
    subtracted = np.maximum(np.nan_to_num(column["template_flux"]), 0)
    allowed = _RESIDUAL + _PATCHWORK * column["inexact_fraction"]
    expected = np.maximum(1.75 * allowed * subtracted, _GLARE * column["glare"])
    left = np.abs(np.nan_to_num(column["flux"])) / np.maximum(expected, 1e-9)
    score = _step(snr, 5.8, 0.2)
    score *= _step(-chi2, -2.1, 0.3)
    # In a faint source, noise alone makes single pixels bright or dark.
    noise = 1 / np.maximum(snr, 1)
    score *= _step(-column["opposite"] + 4 * noise, -0.6, 0.08)
    score *= _step(-column["sharpness"] + 2 * noise, -0.55, 0.04)
    score *= _step(-column["halo"] + noise, -0.3, 0.03)
    score *= _step(-column["bad_fraction"], -0.45, 0.04)
    score *= _step(np.log(np.maximum(left, 1e-9)), 0.0, 0.15)
    return np.where(column["converged"] > 0, score, 0.3 * score)


def _step(value: Floats, middle: float, width: float) -> Floats:
    """Rise from 0 to 1 around a value."""
    return np.asarray(1 / (1 + np.exp(-np.clip((value - middle) / width, -50, 50))), float)
