"""Making an APDB: whole or not at all, whatever comes in between."""

import signal
import subprocess
import sys

import psycopg2
import pytest
import sqlalchemy
from apcampaign.apdb import count_rows, init_apdb, plan_init
from apcampaign.apdb.connection import make_engine
from apcampaign.common.errors import ApdbError
from apdb_init import make, tables_in, target_of

DEADLINE = 60


def test_without_a_place_for_the_configuration_nothing_is_made(database, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    target = target_of(database)
    plan = plan_init(target, instrument="X", config=blocked / "apdb.yaml")
    with pytest.raises(ApdbError, match=r"cannot be written to .*, so no APDB was created"):
        init_apdb(plan)
    assert tables_in(target) == set()
    assert not (tmp_path / "apdb.db").exists()


_TOGETHER = """
import sys, time
from pathlib import Path
from apcampaign.apdb import *
from apcampaign.common.errors import ApdbError
import lsst.dax.apdb
url, namespace, folder, start = sys.argv[1:]
target = ApdbTarget.from_url(url, namespace or None)
plan = plan_init(target, instrument="X", config=Path(folder) / "apdb.yaml")
print("ready", flush=True)
sys.stdin.readline()
try:
    init_apdb(plan)
    print("won")
except ApdbError as error:
    print("told", error)
"""


@pytest.mark.slow
def test_of_two_at_once_one_wins_and_the_other_is_told(database, tmp_path):
    target = target_of(database)
    script = [sys.executable, "-c", _TOGETHER, target.url, target.namespace or ""]
    both = [
        subprocess.Popen(
            [*script, str(tmp_path / str(i)), "0"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for i in range(2)
    ]
    try:
        for one in both:
            assert one.stdout.readline() == "ready\n"
        for one in both:
            one.stdin.write("go\n")
            one.stdin.flush()
        said = sorted(one.communicate(timeout=DEADLINE)[0].strip() for one in both)
    finally:
        for one in both:
            one.kill()
            one.wait()
    assert said[1] == "won"
    assert said[0].startswith("told")
    assert "at this moment" in said[0] or "already holds an empty APDB" in said[0]
    assert count_rows(target)["DiaSource"] == 0
    assert len(list(tmp_path.glob("*/apdb.yaml"))) == 1


# Children of one warm process kill themselves: at the n-th statement, or when the transaction would end.
_KILLED = """
import os, signal, sys
from pathlib import Path
import sqlalchemy
from apcampaign.apdb import *
import lsst.dax.apdb
plans = {
    point: plan_init(ApdbTarget.from_url(url, namespace or None), instrument="X", config=Path(config))
    for point, url, namespace, config in (line.split("|") for line in sys.argv[1:])
}
def die():
    os.kill(os.getpid(), signal.SIGKILL)
def child(point, plan):
    count = 0
    def count_statements(*_):
        nonlocal count
        count += 1
        if str(count) == point:
            die()
    def watch(frame, event, _):
        if event == "call" and frame.f_code.co_name == "finish":
            die()
    if point == "end":
        sys.setprofile(watch)
    else:
        sqlalchemy.event.listen(sqlalchemy.Engine, "before_cursor_execute", count_statements)
    init_apdb(plan)
    os._exit(0)
for point, plan in plans.items():
    pid = os.fork()
    if pid == 0:
        child(point, plan)
    print(point, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""


@pytest.mark.slow
def test_killed_at_any_moment_it_leaves_nothing(database, tmp_path):
    points = ["3", "40", "end"]
    places = {}
    for point in points:
        url = database.replace("apdb.db", f"{point}.db")
        places[point] = (target_of(url, f"killed_{point}"), tmp_path / point / "apdb.yaml")
    arguments = [
        "|".join([point, target.url, target.namespace or "", str(config)])
        for point, (target, config) in places.items()
    ]
    done = subprocess.run(
        [sys.executable, "-c", _KILLED, *arguments],
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=True,
    )
    assert done.stdout.split() == [part for point in points for part in (point, str(-signal.SIGKILL))]
    for target, config in places.values():
        if not target.is_sqlite:
            assert target.namespace not in sqlalchemy.inspect(make_engine(target)).get_schema_names()
        assert tables_in(target) == set()
        make(target, config.parent)
        assert count_rows(config)["DiaSource"] == 0
    assert {path.suffix for path in tmp_path.iterdir()} <= {"", ".db"}


@pytest.mark.postgres
def test_a_table_in_use_is_reported_instead_of_waited_for(postgres_url, tmp_path):
    target = target_of(postgres_url)
    make(target, tmp_path)
    plan = plan_init(target, instrument="X", config=tmp_path / "apdb.yaml", reset=True)
    holder = psycopg2.connect(postgres_url)
    try:
        holder.cursor().execute('SELECT count(*) FROM camp."DiaSource"')
        with pytest.raises(ApdbError, match="is in use: somebody holds a lock on its tables"):
            init_apdb(plan)
    finally:
        holder.close()
