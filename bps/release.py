"""Which software the jobs of a campaign run with: that of whoever submits, or a release that they set up."""

__all__ = ["check_release"]

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..common.errors import SettingsError
from .data import merge
from .lint.vocabulary import load_vocabulary
from .site import Wms, wms_kind

_RELEASE = "lsstVersion"
_BY_SUBMITTER = "bpsMakeCommand"
#: The settings from which HTCondor's plugin takes how a job sets up a release: each is used in the one before.
_SETUP = ("payloadCommand", "setupEnv", "softwarePath", _RELEASE)
#: The same of PanDA's plugin, whose jobs always set up a release.
_PANDA_RELEASE = "LSST_VERSION"
_PANDA_SETUP = ("setupLSSTEnv", _PANDA_RELEASE)


def check_release(config: Mapping[str, Any]) -> None:
    """Refuse a release that the jobs would not run with.

    HTCondor's plugin gives jobs the environment of whoever submits and reads nothing of ``lsstVersion``, unless
    ``bpsMakeCommand`` is false. PanDA's jobs set up the release that ``LSST_VERSION`` names. Others, such as
    Parsl's, read it only where a setting of theirs names it; of plugins that are not known here nothing is said.

    Parameters
    ----------
    config
        BPS settings, merged.

    Raises
    ------
    SettingsError
        If they name a release and the jobs would run with another, or should set one up and none is named.
    """
    release, by_submitter = _find(config, _RELEASE), _find(config, _BY_SUBMITTER)
    wms = wms_kind(str(config.get("wmsServiceClass", "")))
    if wms is Wms.OTHER:
        return
    if wms is Wms.PANDA:
        _check_panda(config)
        return
    if wms is Wms.HTCONDOR and by_submitter is False:
        defaults = load_vocabulary().defaults_for(str(config["wmsServiceClass"]))
        broken = _find_break(merge(defaults, config), _SETUP)
        if release is None and broken is None:
            raise SettingsError(
                f"bps: {_BY_SUBMITTER}: false lets the jobs set up a release, and none is named",
                remedy=f"write {_RELEASE}: w_2026_43, or the like",
            )
        if release is not None and broken is not None:
            raise SettingsError(
                f"bps: {_RELEASE}: {release} has no effect, since {broken} is set and does not name it",
                remedy=f"remove {_RELEASE}, or write it into {broken}",
            )
        return
    if release is None or any(f"{{{_RELEASE}}}" in text for text in _texts(config)):
        return
    way = f", or write {_BY_SUBMITTER}: false as well, if it is on the hosts of the jobs"
    raise SettingsError(
        f"bps: {_RELEASE}: {release} has no effect: jobs run in the environment of whoever submits",
        remedy=f"remove it, and set up that release before you submit{way * (wms is Wms.HTCONDOR)}",
    )


def _check_panda(config: Mapping[str, Any]) -> None:
    """Refuse a release that PanDA's jobs would not run with; raises as `check_release`."""
    release, broken = _find(config, _PANDA_RELEASE), _find_break(config, _PANDA_SETUP)
    if (other := _find(config, _RELEASE)) is not None and not any(
        f"{{{_RELEASE}}}" in text for text in _texts(config)
    ):
        raise SettingsError(
            f"bps: {_RELEASE}: {other} has no effect: PanDA's jobs set up the release that "
            f"{_PANDA_RELEASE} names",
            remedy=f"write {_PANDA_RELEASE}: {other} instead",
        )
    if release is None and broken is None:
        raise SettingsError(
            f"bps: PanDA's jobs set up the release that {_PANDA_RELEASE} names, and none is named",
            remedy=f"write {_PANDA_RELEASE}: w_2026_43, or the like",
        )
    if release is not None and broken is not None:
        raise SettingsError(
            f"bps: {_PANDA_RELEASE}: {release} has no effect, since {broken} is set and does not name it",
            remedy=f"remove {_PANDA_RELEASE}, or write it into {broken}",
        )


def _find(config: Mapping[str, Any], key: str) -> Any:
    """Find a setting as BPS does for a job: the site's, then the general one."""
    sites = config.get("site")
    site = sites.get(config.get("computeSite")) if isinstance(sites, Mapping) else None
    return site[key] if isinstance(site, Mapping) and key in site else config.get(key)


def _find_break(config: Mapping[str, Any], setup: Sequence[str]) -> str | None:
    """Find the first setting that replaces the plugin's way to a release by one that does not use the next."""
    for place, key in enumerate(setup[:-1]):
        text = _find(config, key)
        if text is not None and not any(
            re.search(rf"\{{{later}\b", str(text)) for later in setup[place + 1 :]
        ):
            return key
    return None


def _texts(config: Mapping[str, Any]) -> Iterator[str]:
    for value in config.values():
        if isinstance(value, Mapping):
            yield from _texts(value)
        elif isinstance(value, str):
            yield value
