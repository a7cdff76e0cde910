"""Clock of an event log, whose times name no zone: they are those of the host that writes it."""

__all__ = ["LogClock", "find_zone"]

from datetime import UTC, datetime, timedelta, timezone, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

_LOCALTIME = Path("/etc/localtime")
_QUARTER = 900  # seconds; offsets from UTC are multiples of it
_FARTHEST = 14 * 3600
_NEAR = 5.0  # seconds between an event and the time stamp of the file it was written to
_JITTER = 120.0  # seconds by which events of one host may be out of order
_HOUR = 3600.0


def find_zone(last: datetime, written: float | None) -> tzinfo:
    """Find the zone of a log's times, which is not what this process, or who reads it, calls local.

    Parameters
    ----------
    last
        The time of its last event, as it is in the log.
    written
        When the file was last written to, in seconds since 1970; `None` if something was written meanwhile.

    Returns
    -------
    zone
        The zone of this machine's clock, unless the file's time stamp shows another offset: it is as old as the
        last event, if the file was not copied.
    """
    try:
        with _LOCALTIME.open("rb") as stream:
            here: tzinfo = ZoneInfo.from_file(stream)
    except (OSError, ValueError):
        here = UTC
    if written is None:
        return here
    ahead = last.replace(tzinfo=UTC).timestamp() - written
    offset = round(ahead / _QUARTER) * _QUARTER
    known = [here.utcoffset(last.replace(fold=fold)) for fold in (0, 1)]
    if abs(ahead - offset) > _NEAR or abs(offset) > _FARTHEST or timedelta(seconds=offset) in known:
        return here
    return timezone(timedelta(seconds=offset))


class LogClock:
    """Turns the times of a log, in its order, into seconds since 1970.

    Parameters
    ----------
    zone
        The zone that they are in.
    """

    def __init__(self, zone: tzinfo):
        self._zone = zone
        self._latest = float("-inf")
        self._shift = 0.0
        self._known: dict[bytes, float] = {}

    def seconds(self, text: bytes) -> float:
        """Give the time that a text such as ``2026-10-25 02:30:00`` means.

        At the end of summer time an hour comes twice: what seems to be before the event before is in the second.
        """
        # The log has whole seconds, so that few are different.
        if (known := self._known.get(text)) is not None:
            return known
        time = datetime.fromisoformat(text.decode())
        if time.tzinfo is not None:
            return time.timestamp()
        first, second = (time.replace(tzinfo=self._zone, fold=fold).timestamp() for fold in (0, 1))
        found = first + self._shift
        back = self._latest - found
        if back > _JITTER and second > first:
            found = second + self._shift
        elif _JITTER < back < _HOUR + _JITTER:  # the clock was set back, and the zone does not say so
            self._shift += _HOUR
            self._known.clear()
            found += _HOUR
        if first == second:
            self._known[text] = found
        self._latest = max(self._latest, found)
        return found
