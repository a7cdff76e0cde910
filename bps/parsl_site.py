"""Parsl's site for the cores of this machine; BPS imports it by the name that a site file gives."""

__all__ = ["Loopback"]

from lsst.ctrl.bps.parsl.configuration import get_bps_config_value
from lsst.ctrl.bps.parsl.sites import Local
from parsl.executors import HighThroughputExecutor
from parsl.executors.base import ParslExecutor
from parsl.providers import LocalProvider


class Loopback(Local):
    """Rubin's site ``Local``, with the port for workers on the loopback interface only, instead of on all."""

    def get_executors(self) -> list[ParslExecutor]:
        """Make the executor."""
        cores = get_bps_config_value(self.site, "cores", int, required=True)
        provider = LocalProvider()
        return [
            HighThroughputExecutor(
                "local", provider=provider, max_workers_per_node=cores, address="127.0.0.1"
            )
        ]
