"""Focal planes: LSSTCam's, 21 rafts of 3 by 3 sensors and four corners, and DECam's, 62 sensors in rows.

imSim's LSSTCam has the same 189 science detectors, and no corners.
"""

__all__ = ["DECAM", "DECAM_SIZE", "LSST", "LSST_CORNERS", "LSST_SIZE", "Detector"]

from dataclasses import dataclass
from itertools import product

# Millimetres. A sensor of LSSTCam has 4072 by 4000 pixels of 10 micrometres, one of DECam 2048 by 4096 of 15.
_RAFT_PITCH = 127.0
_SENSOR_PITCH = 42.25
_LSST_SENSOR = (40.72, 40.0)
_LSST_SCALE = 20.0  # arcseconds per millimetre
_DECAM_PITCH = (33.76, 63.74)
_DECAM_SENSOR = (30.72, 61.44)
_DECAM_SCALE = 17.575
_DECAM_ROWS = (3, 4, 5, 6, 6, 7, 7, 6, 6, 5, 4, 3)

LSST_SIZE = (_LSST_SENSOR[0] * _LSST_SCALE, _LSST_SENSOR[1] * _LSST_SCALE)
"""Width and height of a detector of LSSTCam on the sky, arcseconds."""
DECAM_SIZE = (_DECAM_SENSOR[0] * _DECAM_SCALE, _DECAM_SENSOR[1] * _DECAM_SCALE)
"""Width and height of a detector of DECam on the sky, arcseconds."""


@dataclass(frozen=True)
class Detector:
    """A detector and where its centre is.

    Parameters
    ----------
    id
        Its ID in Butler.
    raft, sensor
        Names such as ``R22`` and ``S11``.
    x, y
        The centre, arcseconds from the boresight on the tangent plane.
    full_name
        The name, such as ``R22_S11``.
    purpose
        ``SCIENCE``, ``GUIDER`` or ``WAVEFRONT``.
    """

    id: int
    raft: str
    sensor: str
    x: float
    y: float
    full_name: str
    purpose: str = "SCIENCE"


def _lsst() -> tuple[Detector, ...]:
    found: list[Detector] = []
    # The four corner rafts hold guiders and wavefront sensors.
    rafts = [(row, column) for row, column in product(range(5), range(5)) if {row, column} - {0, 4}]
    for (row, column), line, place in product(rafts, range(3), range(3)):
        x = (column - 2) * _RAFT_PITCH + (place - 1) * _SENSOR_PITCH
        y = (row - 2) * _RAFT_PITCH + (line - 1) * _SENSOR_PITCH
        raft, sensor = f"R{row}{column}", f"S{line}{place}"
        found.append(Detector(len(found), raft, sensor, x * _LSST_SCALE, y * _LSST_SCALE, f"{raft}_{sensor}"))
    return tuple(found)


def _lsst_corners() -> tuple[Detector, ...]:
    """Make the detectors of the corners, whose places do not matter here: they have no raw images."""
    sensors = {"SG0": "GUIDER", "SG1": "GUIDER", "SW0": "WAVEFRONT", "SW1": "WAVEFRONT"}
    corners = product(("R00", "R04", "R40", "R44"), sensors.items())
    return tuple(
        Detector(189 + number, raft, sensor, 0.0, 0.0, f"{raft}_{sensor}", purpose)
        for number, (raft, (sensor, purpose)) in enumerate(corners)
    )


def _decam() -> tuple[Detector, ...]:
    """Make the detectors of DECam: rows from south (S29–S31, …, S1–S7) to north (N1–N7, …, N29–N31)."""
    found: list[Detector] = []
    half = len(_DECAM_ROWS) // 2
    south = sum(_DECAM_ROWS[:half])
    for row, length in enumerate(_DECAM_ROWS):
        for place in range(length):
            before = sum(_DECAM_ROWS[row + 1 : half]) if row < half else len(found) - place - south
            side = "S" if row < half else "N"
            x = (row - (len(_DECAM_ROWS) - 1) / 2) * _DECAM_PITCH[0]
            y = (place - (length - 1) / 2) * _DECAM_PITCH[1]
            sensor = str(before + place + 1)
            found.append(
                Detector(len(found) + 1, side, sensor, x * _DECAM_SCALE, y * _DECAM_SCALE, f"{side}{sensor}")
            )
    return tuple(found)


LSST = _lsst()
"""The detectors of LSSTCam that see the sky, by ID."""
LSST_CORNERS = _lsst_corners()
"""The guiders and wavefront sensors of LSSTCam."""
DECAM = _decam()
"""The detectors of DECam."""
