"""Progress: what is told of something that takes long, and how it is shown on a terminal and elsewhere."""

import logging
import os
import pty
import re
import select
import subprocess
import sys
import time
from dataclasses import replace

import pytest
from apcampaign.common.progress import Progress, show_progress
from apcampaign.scripts.progress import _Display

WORK = """\
import logging, time
import click
from apcampaign.scripts import progress
from apcampaign.common.progress import show_progress
progress._DELAY, progress._TICK, progress._LINE = 0.02, 0.01, 0.05
progress.show_progress_lines()
(display,) = logging.getLogger("apcampaign.common.progress").handlers

def wait_until_shown(done):
    deadline, before = time.monotonic() + 30, display._next_line
    def shown():
        with display._guard:
            if not display._draws:
                return display._next_line > before
            return display._bar is not None and display._bar.tasks[0].completed == done
    while not shown():
        assert time.monotonic() < deadline
        time.sleep(0.01)

@click.command()
@click.option("--json", "as_json", is_flag=True)
def command(as_json):
    with show_progress("counting") as tell:
        wait_until_shown(0)
        tell("templates", 3, 12, 1)
        wait_until_shown(3)
        click.echo("result")

command()
"""


@pytest.fixture(autouse=True)
def nobody_asks(monkeypatch):
    """As in Python: a command that was called in this process has asked, for all of its time."""
    logger = logging.getLogger("apcampaign.common.progress")
    monkeypatch.setattr(logger, "handlers", [])
    monkeypatch.setattr(logger, "propagate", True)
    level = logger.level
    logger.setLevel(logging.NOTSET)
    yield
    logger.setLevel(level)


def test_what_is_told_are_log_records_that_only_those_see_who_ask_for_them(caplog):
    with show_progress("counting"):
        pass
    assert not caplog.records
    with caplog.at_level(logging.DEBUG, "apcampaign.common.progress"), show_progress("counting") as tell:
        tell("templates", 3, 1200, 1)
        tell("templates", 3, 1200, 1)
    told = [record.progress for record in caplog.records]
    assert [progress.ended for progress in told] == [False, False, True]
    assert re.fullmatch(r"templates, 3 of 1,200 jobs done, 1 failed, \d s", told[1].describe())


def test_an_end_is_told_also_if_it_was_an_error(caplog):
    caplog.set_level(logging.DEBUG, "apcampaign.common.progress")
    with pytest.raises(ValueError, match="no"), show_progress("counting"):
        raise ValueError("no")
    (*_, last) = caplog.records
    assert isinstance(last.progress, Progress)
    assert last.progress.ended


def on_a_terminal(*words: str, columns: int = 120) -> str:
    """Run the work with a terminal as its output, and give what that got."""
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", WORK, *words],
        stdout=follower,
        stderr=follower,
        env={**os.environ, "TERM": "xterm", "COLUMNS": str(columns)},
    )
    os.close(follower)
    got = b""
    while process.poll() is None or select.select([leader], [], [], 0.1)[0]:
        try:
            if select.select([leader], [], [], 0.1)[0]:
                got += os.read(leader, 65536)
        except OSError:  # the last that had it open has ended
            break
    os.close(leader)
    assert process.wait(timeout=30) == 0
    return got.decode()


def test_a_terminal_shows_a_line_that_goes_away_before_the_result():
    got = on_a_terminal()
    assert "counting" in got
    line, _, after = got.rpartition("3 of 12 jobs done, 1 failed")
    assert line
    erased, _, rest = after.partition("result")
    assert "\x1b[2K" in erased
    assert rest.strip("\r\n") == ""


def test_a_narrow_terminal_gets_one_line_too():
    drawn = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", on_a_terminal(columns=30).partition("result")[0])
    lines = [line.strip() for line in re.split(r"[\r\n]+", drawn) if line.strip()]
    assert any("3 of 12" in line for line in lines)
    assert all(re.search("counting|templates", line) for line in lines)  # none is the rest of another
    assert max(map(len, lines)) <= 30


def test_many_short_parts_of_what_takes_long_are_shown():
    display, now = _Display(terminal=True), time.monotonic()
    whole = Progress(number=1, what="apcampaign report", begun=now)
    part = Progress(number=2, what="reading the sky", begun=now)
    display._draws = True
    for begun, shown in ((now, False), (now - 3, True)):
        display._items = {1: replace(whole, begun=begun), 2: part}
        display._look()
        assert (display._bar is not None) is shown
    assert display._bar is not None
    assert str(display._bar.tasks[0].fields["what"]) == "reading the sky, 0 s"
    display.hide()


def test_nothing_is_drawn_for_a_machine_even_on_a_terminal():
    got = on_a_terminal("--json")
    assert "\x1b[2K" not in got
    assert "3 of 12 jobs done" in got


def test_where_there_is_no_terminal_a_line_comes_from_time_to_time():
    done = subprocess.run(
        [sys.executable, "-c", WORK], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "result\n"
    first, *_, last = done.stderr.splitlines()
    assert first.startswith("counting, ")
    assert last.startswith("templates, 3 of 12 jobs done, 1 failed")
