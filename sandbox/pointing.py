"""Where the camera points: at the centre of a tract, at its border, or beside that."""

__all__ = ["border_of", "misplace", "neighbour_of", "point_camera"]

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from .cameras import Camera
from .geometry import Box, TangentWcs, offset
from .skymap import RingsSkyMap


def neighbour_of(skymap: RingsSkyMap, tract: int) -> int:
    """Name the tract beside one: on the same ring, and not across the meridian of zero."""
    (ra, dec), after = skymap.centre(tract), skymap.centre(tract + 1)
    return tract + 1 if after[1] == dec and after[0] > ra else tract - 1


def border_of(skymap: RingsSkyMap, tract: int) -> tuple[float, float]:
    """Return the middle of the border to the neighbour of a tract, ICRS degrees."""
    (ra, dec), beside = skymap.centre(tract), skymap.centre(neighbour_of(skymap, tract))
    return (ra + beside[0]) / 2, dec


def point_camera(
    camera: Camera,
    target: tuple[float, float],
    detectors: Sequence[int],
    rotation: float,
    *,
    dither: Sequence[float],
    beside: float = 0.0,
) -> tuple[float, float]:
    """Find the boresight with which the middle of some detectors points at a target.

    Parameters
    ----------
    camera
        The camera.
    target
        ICRS degrees.
    detectors
        IDs of detectors that see the sky.
    rotation
        Position angle of the camera's +y, degrees.
    dither
        Degrees to the east and to the north.
    beside
        How far from the target they point, along the camera's x, in widths of a detector.

    Returns
    -------
    boresight
        ICRS degrees.
    """
    places = [camera.science_detectors[detector] for detector in detectors]
    right, up = (float(np.mean(xs)) / 3600 for xs in zip(*((p.x, p.y) for p in places), strict=True))
    right += beside * camera.detector_size[0] / 3600
    sine, cosine = np.sin(np.radians(rotation)), np.cos(np.radians(rotation))
    east, north = dither
    return offset(
        *target,
        float(east) + float(right * cosine - up * sine),
        float(north) - float(right * sine + up * cosine),
    )


def misplace(true: TangentWcs, box: Box, right: float, up: float, turn: float) -> TangentWcs:
    """Return the projection of a detector with an error: pixels, and degrees.

    It is rotated about the middle of the detector, not about the boresight, so that small errors stay small.
    """
    ra, dec = true.to_sky((box.width - 1) / 2, (box.height - 1) / 2)
    turned = replace(true, rotation=true.rotation + turn)
    x, y = turned.to_pixel(ra, dec)
    return replace(
        turned,
        x=turned.x + (box.width - 1) / 2 - float(x) + right,
        y=turned.y + (box.height - 1) / 2 - float(y) + up,
    )
