"""Rollback: what one association wrote goes, all of it and nothing else, and can be written again."""

import json
import re
import signal
import subprocess
import sys

import numpy as np
import pytest
from apcampaign.apdb import (
    ApdbOptions,
    ApdbTarget,
    ExpectedAssociations,
    find_apdb,
    init_apdb,
    open_apdb,
    plan_init,
    plan_rollback,
    roll_back,
    verify_apdb,
)
from apcampaign.apdb.associations import AssociationTimes
from apcampaign.apdb.tables import open_tables, snapshot
from apcampaign.common.errors import ApdbError
from apcampaign.scripts.commands.apdb import command
from apdb_content import Copies, Survey, associate, dump, run_sql
from astropy.time import Time
from click.testing import CliRunner
from lsst.dax.apdb import DiaForcedSourceId, DiaObjectId, DiaSourceId

pytestmark = pytest.mark.slow

VISITS = [1, 2, 3, 4]
START = 61000.0
KINDS = {
    "plain": ApdbOptions(),
    "everything": ApdbOptions(replica=True, dia_object_index="last_object_table"),
    "pixels": ApdbOptions(dia_object_index="pix_id_iov"),
}


def make_copies(request, tmp_path_factory, kind: str, backend: str) -> Copies:
    folder = tmp_path_factory.mktemp("rollback")
    url = f"sqlite:///{folder}/filled.db"
    if backend == "postgres":
        server = request.getfixturevalue("postgres_server")
        server.create_database(f"rollback_{kind}")
        url = server.url(f"rollback_{kind}")
    return Copies(url, folder, KINDS[kind], Survey(), VISITS)


BACKENDS = ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)]


@pytest.fixture(scope="module", params=BACKENDS)
def copies(request, tmp_path_factory):
    return make_copies(request, tmp_path_factory, "everything", request.param)


@pytest.fixture(scope="module", params=BACKENDS)
def backend(request):
    return request.param


def when(key) -> float:
    """When the survey associates a visit and detector."""
    visit, detector = key
    return START + ((visit - 1) * 2 + detector) / 1440


def associate_again(target: ApdbTarget, survey: Survey, keys) -> None:
    apdb = open_apdb(target)
    for key in keys:
        associate(apdb, survey, *key, when(key))


def test_after_rollback_and_rerun_the_database_equals_one_that_never_failed(copies):
    target = copies.copy()
    before = dump(target)
    plan = plan_rollback(target, [(4, 1)])
    assert plan.rows["DiaSource"] == copies.counts[4, 1]
    assert plan.reopened > 0
    done = roll_back(plan)
    assert done == plan
    after = dump(target)
    for name, count in plan.rows.items():
        assert len(before[name]) - len(after[name]) == count
    assert not open_apdb(target).containsVisitDetector(4, 1)
    counts = {key: count for key, count in copies.counts.items() if key != (4, 1)}
    assert verify_apdb(target, ExpectedAssociations(counts, "the record")).good
    associate_again(target, copies.survey, [(4, 1)])
    assert dump(target) == before


def test_what_is_left_of_a_lost_association_goes_with_those_that_were_built_on_it(copies):
    target = copies.copy()
    before = dump(target)
    run_sql(
        target,
        'DELETE FROM $DiaSourceChunks WHERE "diaSourceId" IN '
        '(SELECT "diaSourceId" FROM $DiaSource WHERE visit = 2 AND detector = 1)',
        "DELETE FROM $DiaForcedSourceChunks WHERE visit = 2 AND detector = 1",
        "DELETE FROM $DiaForcedSource WHERE visit = 2 AND detector = 1",
        "DELETE FROM $DiaSource WHERE visit = 2 AND detector = 1",
    )
    counts = ExpectedAssociations(copies.counts, "the record")
    assert verify_apdb(target, counts).lost == ((2, 1),)
    later = [(3, 1), (4, 1)]
    with pytest.raises(ApdbError, match="it was written more than once"):
        plan_rollback(target, later, with_later=True)
    plan = plan_rollback(target, later, with_later=True, with_leftovers=True)
    assert len(plan.leftovers) == 1
    assert "delete the versions of DiaObjects that are left of 1 lost association" in plan.describe()
    roll_back(plan)
    again = sorted([(2, 1), *plan.times])
    left = {key: count for key, count in copies.counts.items() if key not in again}
    assert verify_apdb(target, ExpectedAssociations(left, "the record")).good
    associate_again(target, copies.survey, again)
    assert dump(target) == before


@pytest.mark.parametrize("kind", ["plain", "pixels"])
def test_every_kind_of_apdb_can_be_rolled_back(request, tmp_path_factory, backend, kind):
    copies = make_copies(request, tmp_path_factory, kind, backend)
    before = dump(copies.target)
    roll_back(plan_rollback(copies.target, [(4, 0), (4, 1)]))
    assert dump(copies.target) != before
    associate_again(copies.target, copies.survey, [(4, 0), (4, 1)])
    assert dump(copies.target) == before


def test_rolling_back_to_the_beginning_leaves_an_empty_apdb(copies):
    target = copies.copy()
    roll_back(plan_rollback(target, copies.counts))
    assert not any(dump(target).values())


def test_a_state_before_is_restored_exactly(request, tmp_path_factory, backend):
    """What rollback leaves is what there was when the association began."""
    folder = tmp_path_factory.mktemp("before")
    url = f"sqlite:///{folder}/filled.db"
    if backend == "postgres":
        server = request.getfixturevalue("postgres_server")
        server.create_database("rollback_before")
        url = server.url("rollback_before")
    survey = Survey(seed=5)
    copies = Copies(url, folder, KINDS["everything"], survey, [1, 2])
    before = dump(copies.target)
    apdb = open_apdb(copies.target)
    for visit in (3, 4):
        for detector in (0, 1):
            associate(apdb, survey, visit, detector, when((visit, detector)))
    plan = plan_rollback(copies.target, [(3, 0), (3, 1)], with_later=True)
    assert plan.later == ((4, 0), (4, 1))
    roll_back(plan)
    assert dump(copies.target) == before


def test_what_later_visits_built_on_is_refused_and_they_are_listed(copies):
    target = copies.copy()
    before = dump(target)
    with pytest.raises(ApdbError, match=r"later associations built on \(2, 0\): .*\(3, 0\).*--with-later"):
        plan_rollback(target, [(2, 0)])
    plan = plan_rollback(target, [(2, 0)], with_later=True)
    assert {(3, 0), (4, 0)} <= set(plan.later)
    assert not {(1, 0), (1, 1)} & set(plan.later)
    assert any("visit 3, detector 0, built on it" in line for line in plan.describe())
    assert dump(target) == before
    roll_back(plan)
    gone = sorted({*plan.requested, *plan.later}, key=when)
    counts = {key: count for key, count in copies.counts.items() if key not in gone}
    assert verify_apdb(target, ExpectedAssociations(counts, "the record")).good
    associate_again(target, copies.survey, gone)
    assert dump(target) == before


def test_naming_the_later_ones_oneself_is_enough(copies):
    target = copies.copy()
    plan = plan_rollback(target, [(3, 0), (4, 0), (3, 1), (4, 1)])
    assert plan.later == ()
    roll_back(plan)
    assert verify_apdb(target, order="detector").stored == 4


def test_what_verify_finds_unrecorded_is_rolled_back_by_the_command(copies, tmp_path):
    """A job that died after its write: found, rolled back, run again."""
    target = copies.copy()
    before = dump(target)
    counts = {key: count for key, count in copies.counts.items() if key != (4, 1)}
    assert verify_apdb(target, ExpectedAssociations(counts, "the record")).unrecorded == ((4, 1),)
    arguments = ["rollback", target.url, "--visit", "4", "--detector", "1", "--json"]
    if target.namespace:
        arguments += ["--namespace", target.namespace]
    shown = CliRunner().invoke(command, [*arguments, "--dry-run"], catch_exceptions=False)
    assert shown.exit_code == 0
    assert json.loads(shown.stdout)["requested"] == [[4, 1]]
    declined = CliRunner().invoke(command, arguments, input="n\n", catch_exceptions=False)
    assert declined.exit_code == 1
    assert dump(target) == before
    done = CliRunner().invoke(command, [*arguments, "--yes"], catch_exceptions=False)
    assert done.exit_code == 0
    assert verify_apdb(target, ExpectedAssociations(counts, "the record")).good
    associate_again(target, copies.survey, [(4, 1)])
    assert dump(target) == before


@pytest.mark.parametrize(
    "arguments", [[], ["--visit", "4"], ["--unrecorded", "--visit", "4", "--detector", "1"]]
)
def test_the_command_wants_to_know_what(arguments):
    assert CliRunner().invoke(command, ["rollback", "x.yaml", *arguments]).exit_code == 2


def test_what_is_not_there_cannot_be_rolled_back(copies):
    with pytest.raises(ApdbError, match=r"visit 9, detector 0 is not in the APDB .*; correct the visit"):
        plan_rollback(copies.target, [(4, 1), (9, 0)])


def test_an_image_with_forced_sources_only_is_rolled_back(copies):
    target = copies.copy()
    before = dump(target)
    survey = Survey(artifacts=0, chance=0.0)
    assert associate(open_apdb(target), survey, 5, 0, START + 1) == 0
    assert open_apdb(target).containsVisitDetector(5, 0)
    plan = plan_rollback(target, [(5, 0)])
    assert {name for name, count in plan.rows.items() if count} == {
        "DiaForcedSource",
        "DiaForcedSourceChunks",
    }
    roll_back(plan)
    assert dump(target) == before


def test_an_image_that_updated_no_object_is_part_of_the_history_all_the_same(copies):
    target = copies.copy()
    before = dump(target)
    apdb = open_apdb(target)
    survey = Survey(artifacts=0)
    associate(apdb, survey, 4, 0, START + 1, shift=50_000, purged=99, forced_threshold=99)
    run_sql(
        target,
        'UPDATE $DiaSource SET visit = 5 WHERE "diaSourceId" - "diaSourceId" / 100000 * 100000 >= 50000',
    )
    assert len(dump(target)["DiaObject"]) == len(before["DiaObject"])
    associate(apdb, copies.survey, 6, 0, START + 2)
    with pytest.raises(ApdbError, match=r"later associations built on \(5, 0\): .*\(6, 0\)"):
        plan_rollback(target, [(5, 0)])
    roll_back(plan_rollback(target, [(6, 0)]))


def first_source(target: ApdbTarget, visit: int) -> DiaSourceId:
    rows = dump(target)["DiaSource"]
    identity = min(row[0] for row in rows if row[1] == visit and row[2] == 1)
    return DiaSourceId(diaSourceId=identity, ra=0.0, dec=0.0, midpointMjdTai=0.0)


def object_of(target: ApdbTarget, visit: int) -> int:
    rows = dump(target)["DiaSource"]
    return min(row[3] for row in rows if row[1] == visit and row[2] == 1)


def withdraw_source(target):
    open_apdb(target).withdrawDiaSources([first_source(target, 4)])


def withdraw_forced_source(target):
    rows = [row for row in dump(target)["DiaForcedSource"] if (row[4], row[5]) == (4, 1)]
    identity = DiaForcedSourceId(
        diaObjectId=rows[0][1], visit=4, detector=1, ra=0.0, dec=0.0, midpointMjdTai=0.0
    )
    open_apdb(target).withdrawDiaForcedSources([identity])


def give_to_solar_system(target):
    open_apdb(target).reassignDiaSources({first_source(target, 4).diaSourceId: 17})


def close_object(target):
    end = Time(START + 5, format="mjd", scale="tai")
    identity = DiaObjectId(diaObjectId=object_of(target, 4), ra=0.0, dec=0.0)
    assert open_apdb(target).setValidityEnd([identity], end) == 1


def deduplicate(target):
    open_apdb(target).resetDedup(Time(START + 5, format="mjd", scale="tai"))


def replicate(target):
    replica = open_apdb(target).get_replica()
    replica.deleteReplicaChunks([chunk.id for chunk in replica.getReplicaChunks()])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (withdraw_source, "its sources have been withdrawn"),
        (withdraw_forced_source, "its sources have been withdrawn"),
        (give_to_solar_system, "its sources have been reassigned to solar system objects"),
        (close_object, "its DiaObjects have been closed by deduplication"),
        (deduplicate, "the APDB has been deduplicated since"),
        (replicate, "it has been replicated to the PPDB"),
    ],
)
def test_what_somebody_has_worked_on_since_is_refused(copies, change, message):
    target = copies.copy()
    change(target)
    with pytest.raises(ApdbError, match=f"visit 4, detector 1 cannot be rolled back: {message}"):
        plan_rollback(target, [(4, 1)])


def test_an_image_that_was_written_twice_is_refused(copies):
    target = copies.copy()
    apdb = open_apdb(target)
    associate(apdb, copies.survey, 4, 1, START + 1, shift=50_000, forced_threshold=99)
    with pytest.raises(ApdbError, match="visit 4, detector 1 wrote: it was written twice"):
        plan_rollback(target, [(4, 1)])
    # The second time a part of it, which could be taken for another image's.
    target = copies.copy()
    part = Survey(artifacts=0)
    associate(open_apdb(target), part, 4, 1, START + 1, shift=50_000, forced_threshold=99)
    with pytest.raises(ApdbError, match=r"written more than once|written twice"):
        plan_rollback(target, [(4, 1)])


def test_a_plan_that_is_out_of_date_is_not_executed(copies):
    target = copies.copy()
    plan = plan_rollback(target, [(4, 1)])
    run_sql(target, "DELETE FROM $DiaForcedSource WHERE visit = 4 AND detector = 1")
    before = dump(target)
    with pytest.raises(ApdbError, match="has changed since the rollback was planned"):
        roll_back(plan)
    associate(open_apdb(target), copies.survey, 5, 1, START + 1)
    with pytest.raises(ApdbError, match=r"later associations built on \(4, 1\): \(5, 1\)"):
        roll_back(plan)
    assert before["DiaObject_To_Object_Match"] == []


_KILLED = """
import os, signal, sys
import sqlalchemy
from apcampaign.apdb import *
url, namespace, *points = sys.argv[1:]
plan = plan_rollback(ApdbTarget.from_url(url, namespace or None), [(4, 0), (4, 1)])
def child(point):
    count = 0
    def on_statement(connection, cursor, statement, *_):
        nonlocal count
        if statement.startswith(("DELETE", "UPDATE", "INSERT")):
            count += 1
            if count == point:
                os.kill(os.getpid(), signal.SIGKILL)
    sqlalchemy.event.listen(sqlalchemy.Engine, "before_cursor_execute", on_statement)
    roll_back(plan)
    os._exit(0)
for point in points:
    pid = os.fork()
    if pid == 0:
        child(int(point))
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""


def test_killed_halfway_it_has_changed_nothing(copies):
    target = copies.copy()
    before = dump(target)
    points = ["2", "7", "13"]
    done = subprocess.run(
        [sys.executable, "-c", _KILLED, target.url, target.namespace or "", *points],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.split() == [str(-signal.SIGKILL)] * len(points)
    assert dump(target) == before
    roll_back(plan_rollback(target, [(4, 0), (4, 1)]))
    associate_again(target, copies.survey, [(4, 0), (4, 1)])
    assert dump(target) == before


@pytest.mark.parametrize("seed", [0, 2, 4])
def test_whatever_is_told_is_true(tmp_path, seed):
    """Few objects, seen again and again, in any order, some not updated: refusing is allowed, guessing is not."""
    rng = np.random.default_rng(seed)
    survey = Survey(detectors=1, objects=4, chance=0.8, artifacts=0, seed=seed)
    target = ApdbTarget.from_url(f"sqlite:///{tmp_path}/apdb.db")
    init_apdb(plan_init(target, instrument="X", config=tmp_path / "apdb.yaml"))
    apdb = open_apdb(target)
    states = [dump(target)]
    keys = [(int(visit), 0) for visit in rng.permutation(np.arange(1, 6))]
    truth = {key: START + i / 1440 for i, key in enumerate(keys)}
    for key in keys:
        more = {"purged": int(rng.integers(3)), "forced_threshold": int(rng.choice([2, 99]))}
        associate(apdb, survey, *key, truth[key], **more)
        states.append(dump(target))
    place = find_apdb(target)
    _, tables = open_tables(place)
    with snapshot(place) as connection:
        said = AssociationTimes(connection, tables).read_all(keys)
    written = {row[1] for row in states[-1]["DiaObject"]}
    for key, association in said.items():
        assert association.time in (None, truth[key])
        assert (truth[key] in association.times) == (truth[key] in written)
    for count in (5, 4, 3):
        try:
            plan = plan_rollback(target, [keys[count - 1]])
        except ApdbError as refusal:
            assert re.search("it cannot be determined|later associations|more than once", str(refusal))  # noqa: PT017
            break
        roll_back(plan)
        assert dump(target) == states[count - 1]
