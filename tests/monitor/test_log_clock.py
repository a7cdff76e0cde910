"""Times of event logs: those of the host that wrote them, whoever reads them and wherever."""

import os
import time
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from apcampaign.monitor import log_clock
from apcampaign.monitor.event_log import EventLog

BERLIN = ZoneInfo("Europe/Berlin")
TOKYO = timezone(timedelta(hours=9))
START = datetime(
    2026, 10, 25, 0, 20, tzinfo=UTC
).timestamp()  # 40 minutes before Berlin's clocks are set back
EVENTS = ((0, "000", "Job submitted"), (600, "001", "Job executing"), (3000, "005", "Job terminated"))


@pytest.fixture(params=["UTC", "Asia/Tokyo", "America/Los_Angeles"])
def reader(request, monkeypatch):
    """Somebody in another zone."""
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def write(path: Path, zone, mark: str = "") -> EventLog:
    """Write the log of a job as a host in a zone does."""
    lines = []
    for seconds, kind, what in EVENTS:
        when = datetime.fromtimestamp(START + seconds, zone).strftime("%Y-%m-%d %H:%M:%S")
        lines.append(
            f"{kind} (001.000.000) {when}{mark} {what}\n"
            '    DAGNodeName = "a"\n    (1) Normal termination (return value 0)\n...\n'
        )
    path.write_text("".join(lines))
    os.utime(path, (START + EVENTS[-1][0] + 1,) * 2)
    return EventLog(path)


def times(log: EventLog) -> list[float | None]:
    log.read()
    (attempt,) = log.histories[1].attempts()
    return [attempt.queued, attempt.started, attempt.ended]


EXPECTED = [START + seconds for seconds, *_ in EVENTS]


@pytest.mark.parametrize(
    ("zone", "mark"), [(UTC, ""), (TOKYO, ""), (UTC, "Z"), (UTC, ".123Z"), (TOKYO, "+09:00")]
)
def test_the_offset_of_a_log_is_known_wherever_it_is_read(reader, zone, mark, tmp_path):
    assert times(write(tmp_path / "log", zone, mark)) == EXPECTED


def test_an_hour_that_comes_twice_is_told_apart_on_the_host_that_wrote_it(reader, tmp_path, monkeypatch):
    monkeypatch.setattr(log_clock, "_LOCALTIME", Path("/usr/share/zoneinfo/Europe/Berlin"))
    if not log_clock._LOCALTIME.exists():
        pytest.skip("this machine has no table of zones")
    assert times(write(tmp_path / "log", BERLIN)) == EXPECTED


def test_no_job_ends_before_it_began_where_the_zone_is_not_known(reader, tmp_path):
    queued, started, ended = times(write(tmp_path / "log", BERLIN))
    assert (started - queued, ended - started) == (600, 2400)


def test_a_log_that_was_copied_later_is_taken_to_be_of_this_machine(reader, tmp_path):
    log = write(tmp_path / "log", UTC)
    os.utime(log.path, (START + 90000 + 400,) * 2)
    assert times(log) == EXPECTED
