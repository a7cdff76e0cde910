"""Focal plane of LSSTCam as imSim has it: 21 rafts of 3 by 3 sensors, 189 detectors."""

__all__ = ["DETECTORS", "DETECTOR_SIZE"]

from dataclasses import dataclass

# Millimetres. A sensor has 4072 by 4000 pixels of 10 micrometres.
_RAFT_PITCH = 127.0
_SENSOR_PITCH = 42.25
_SENSOR_SIZE = (40.72, 40.0)
_ARCSEC_PER_MM = 20.0

DETECTOR_SIZE = (_SENSOR_SIZE[0] * _ARCSEC_PER_MM, _SENSOR_SIZE[1] * _ARCSEC_PER_MM)
"""Width and height of a detector on the sky, arcseconds."""


@dataclass(frozen=True)
class Detector:
    """A detector and where its centre is.

    Parameters
    ----------
    id
        Its ID in Butler, 0 to 188.
    raft, sensor
        Names such as ``R22`` and ``S11``.
    x, y
        The centre, arcseconds from the boresight on the tangent plane.
    """

    id: int
    raft: str
    sensor: str
    x: float
    y: float

    @property
    def full_name(self) -> str:
        """The name, such as ``R22_S11``."""
        return f"{self.raft}_{self.sensor}"


def _detectors() -> tuple[Detector, ...]:
    found: list[Detector] = []
    # The four corner rafts hold wavefront sensors, which imSim does not simulate.
    rafts = [(row, column) for row in range(5) for column in range(5) if {row, column} - {0, 4}]
    for row, column in rafts:
        for line in range(3):
            for place in range(3):
                x = (column - 2) * _RAFT_PITCH + (place - 1) * _SENSOR_PITCH
                y = (row - 2) * _RAFT_PITCH + (line - 1) * _SENSOR_PITCH
                found.append(
                    Detector(
                        len(found),
                        f"R{row}{column}",
                        f"S{line}{place}",
                        x * _ARCSEC_PER_MM,
                        y * _ARCSEC_PER_MM,
                    )
                )
    return tuple(found)


DETECTORS = _detectors()
"""All detectors, by id."""
