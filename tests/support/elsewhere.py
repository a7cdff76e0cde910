"""A BPS service that runs nothing, and knows runs by its own id only, as a service on another machine does."""

from typing import Any, ClassVar

from lsst.ctrl.bps import BaseWmsService, WmsStates

STATES = [WmsStates.UNKNOWN, WmsStates.RUNNING, WmsStates.UNKNOWN, WmsStates.RUNNING, WmsStates.SUCCEEDED]


class ElsewhereService(BaseWmsService):
    """Each question moves the run with the id 77 on."""

    asked: ClassVar[list[str]] = []

    def get_status(self, wms_workflow_id: str, **_unused: Any) -> tuple[WmsStates, str]:
        self.asked.append(wms_workflow_id)
        number = min(len(self.asked), len(STATES)) - 1
        return (STATES[number] if wms_workflow_id == "77" else WmsStates.UNKNOWN), ""
