"""HTCondor's queue: what of a chain or a run is in it."""

__all__ = ["explain_held", "family_of", "is_queued", "open_queue"]

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from ..common.errors import SubmissionError
from .surroundings import batch_environment

_HELD = 5  # HTCondor's JobStatus


@contextmanager
def open_queue() -> Iterator[Any]:
    """Give the queue of this host, as `htcondor2.Schedd`.

    Raises
    ------
    SubmissionError
        If HTCondor does not answer, at any time inside of the block.
    """
    with batch_environment():
        import htcondor2

        try:
            yield htcondor2.Schedd()
        except (htcondor2.HTCondorException, RuntimeError, OSError) as error:
            if isinstance(error, SubmissionError):
                raise
            raise SubmissionError(
                f"HTCondor does not answer: {error}; see whether `condor_q` works here"
            ) from error


def is_queued(cluster: str) -> bool:
    """Tell whether a job is in the queue."""
    with open_queue() as queue:
        return bool(queue.query(f"ClusterId == {int(cluster)}", projection=["ClusterId"]))


def family_of(queue: Any, clusters: Iterable[str]) -> set[str]:
    """Find what is in the queue of some DAGMan jobs: themselves and all below them."""
    family: set[str] = set()
    front = set(clusters)
    ads = queue.query("True", projection=["ClusterId", "DAGManJobId"])
    parent_of = {str(ad["ClusterId"]): str(ad.get("DAGManJobId", "")) for ad in ads}
    while front:
        family |= front & set(parent_of)
        front = {child for child, parent in parent_of.items() if parent in front and child not in family}
    return family


def explain_held(cluster: str) -> str:
    """Say which jobs of a DAGMan job are held and why, for the end of a sentence; nothing if none is."""
    with open_queue() as queue:
        family = family_of(queue, [cluster])
        projection = ["ClusterId", "DAGNodeName", "HoldReason"]
        ads = queue.query(f"JobStatus == {_HELD}", projection=projection)
    held = [ad for ad in ads if str(ad["ClusterId"]) in family]
    if not held:
        return ""
    first = held[0]
    return (
        f"; {len(held)} of its jobs held, such as {first.get('DAGNodeName', first['ClusterId'])}: "
        f"{first.get('HoldReason', 'no reason given')}"
    )
