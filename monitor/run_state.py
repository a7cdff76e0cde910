"""State of one run according to its WMS, asked through BPS: the only module that asks for it."""

__all__ = ["ACTIVE_STATES", "is_active", "name_state", "run_state"]

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from ..bps import Wms
from ..common.errors import BpsError
from ..ledger import RunRecord
from .status import RunState

#: BPS's states of a run that has not ended.
ACTIVE_STATES = frozenset({"UNREADY", "READY", "PENDING", "RUNNING", "HELD"})
#: What `apcampaign status` calls them.
_NAMES = {
    "UNREADY": RunState.UNREADY,
    "READY": RunState.IDLE,
    "PENDING": RunState.IDLE,
    "RUNNING": RunState.RUNNING,
    "HELD": RunState.HELD,
    "DELETED": RunState.FAILED,
    "PRUNED": RunState.FAILED,
    "FAILED": RunState.FAILED,
    "SUCCEEDED": RunState.DONE,
}


def run_state(record: RunRecord) -> str | None:
    """Ask the WMS for the state of a run.

    Returns
    -------
    state
        The name of one of BPS's states, such as ``RUNNING`` or ``SUCCEEDED``; `None` if this workflow management
        system cannot tell.

    Raises
    ------
    BpsError
        If the BPS plugin is not installed, or fails.
    """
    try:
        from lsst.ctrl.bps.status import status

        # The plugins of HTCondor and Parsl know a run by its folder, on whatever host; others by their own id.
        by_folder = record.wms in (Wms.HTCONDOR, Wms.PARSL)
        with _without_messages():
            state, _ = status(
                record.wms_service, record.submit_dir if by_folder else record.wms_id or record.submit_dir
            )
    except NotImplementedError:
        return None
    except Exception as error:
        # What a plugin, and the system below it, may raise is not known.
        raise BpsError(
            f"the state of {record.output_run} cannot be read with {record.wms_service}: "
            f"{type(error).__name__}: {error}"
        ) from error
    return str(state.name)


def is_active(record: RunRecord) -> bool:
    """Tell whether a run has not ended; false where that cannot be told. Raises as `run_state`."""
    return run_state(record) in ACTIVE_STATES


def name_state(state: str) -> str:
    """Name a state of BPS's, or ``retired``, as `apcampaign status` does; what it does not know stays as it is."""
    return _NAMES.get(state, state)


@contextmanager
def _without_messages() -> Iterator[None]:
    """Keep to itself what BPS has to say of jobs whose end it does not know, such as those that were removed."""
    logger = logging.getLogger("lsst.ctrl.bps")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)
