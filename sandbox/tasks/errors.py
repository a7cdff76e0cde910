"""Errors of the stand-ins."""

__all__ = ["SandboxAlgorithmError"]

from typing import Any

import lsst.pipe.base as pipe_base


class SandboxAlgorithmError(pipe_base.AlgorithmError):
    """Data that an algorithm cannot do with; it would not help to try again.

    Parameters
    ----------
    message
        What is wrong with them.
    **numbers
        Numbers that tell why.
    """

    def __init__(self, message: str, **numbers: float) -> None:
        super().__init__(message)
        self.numbers = numbers

    @property
    def metadata(self) -> dict[str, Any]:
        """The numbers, for the metadata of the task."""
        return dict(self.numbers)
