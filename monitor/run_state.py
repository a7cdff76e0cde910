"""State of one run according to its WMS, asked through BPS: the only module that asks for it."""

__all__ = ["ACTIVE_STATES", "is_active", "run_state"]

from ..bps import Wms
from ..common.errors import BpsError
from ..ledger import RunRecord

#: BPS's states of a run that has not ended.
ACTIVE_STATES = frozenset({"UNREADY", "READY", "PENDING", "RUNNING", "HELD"})


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
