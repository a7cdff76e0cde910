"""A survey like DC2's: random dithers and rotations over 300 square degrees, visits in pairs.

`make_survey` gives the regions of all (visit, detector)s as a repository would hold them, in the order of time.
"""

import numpy as np
from apcampaign.sandbox.focalplane import LSST, LSST_SIZE

# The corners of DC2's area, degrees.
RA = (53.0, 73.8)
DEC = (-45.0, -27.0)


def make_survey(visits, *, seed=1):
    """Return the corners of all detectors of all visits, in the order of time.

    Returns
    -------
    corners
        Unit vectors, shape (visits, detectors, 4, 3).
    """
    rng = np.random.default_rng(seed)
    number = (visits + 1) // 2
    # Uniform on the sphere. A pair of visits, half an hour apart, has one pointing, as in the main survey.
    ra = np.repeat(np.radians(rng.uniform(*RA, number)), 2)[:visits]
    low, high = np.sin(np.radians(DEC))
    dec = np.repeat(np.arcsin(rng.uniform(low, high, number)), 2)[:visits]
    rotation = np.repeat(rng.uniform(0, 2 * np.pi, number), 2)[:visits]
    # The nights' other pairs come in between: mix within windows of some 20 visits.
    order = np.argsort(np.arange(visits) + rng.uniform(0, 20, visits))
    ra, dec, rotation = ra[order], dec[order], rotation[order]
    return project(ra, dec, rotation, LSST)


def project(ra, dec, rotation, detectors):
    """Return the corners of detectors of visits that point and are turned as given (radians)."""
    half = np.array(LSST_SIZE) / 2
    centres = np.array([(d.x, d.y) for d in detectors])
    signs = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)])
    flat = np.radians((centres[:, None, :] + signs * half) / 3600)  # (detectors, 4, 2)
    cos, sin = np.cos(rotation), np.sin(rotation)
    turn = np.stack([np.stack([cos, -sin], -1), np.stack([sin, cos], -1)], -2)
    plane = np.einsum("vij,dcj->vdci", turn, flat)
    up = np.stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)], -1)
    east = np.stack([-np.sin(ra), np.cos(ra), np.zeros_like(ra)], -1)
    north = np.cross(up, east)
    axes = np.stack([east, north], -2)
    vectors = up[:, None, None, :] + np.einsum("vdci,vij->vdcj", plane, axes)
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def regions_of(corners):
    """Make the polygons of some corners of shape (n, 4, 3)."""
    from lsst.sphgeom import ConvexPolygon, UnitVector3d

    return [ConvexPolygon([UnitVector3d(*corner) for corner in four]) for four in corners]
