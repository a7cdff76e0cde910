"""Making an APDB: in a free place only, and what is there already is kept."""

import dataclasses
import json
import re

import click
import pytest
from apcampaign.apdb import ApdbOptions, ApdbTarget, count_rows, find_apdb, init_apdb, open_apdb, plan_init
from apcampaign.apdb.connection import make_engine
from apcampaign.common.errors import ApdbError
from apcampaign.scripts.commands.apdb_init import command
from apdb_init import make, name_of, put_rows, run_sql, tables_in, target_of


def test_a_new_apdb_is_empty_and_says_what_it_is(database, tmp_path):
    target = target_of(database)
    created = make(target, tmp_path, campaign="dc2-test")
    apdb = open_apdb(created.config)
    assert apdb.metadata.get("instrument") == "LSSTCam-imSim"
    rows = count_rows(created.config)
    assert rows.pop("metadata") == len(created.metadata)
    assert set(rows) == {"DiaObject", "DiaSource", "DiaForcedSource", "DiaObject_To_Object_Match"}
    assert not any(rows.values())
    for key in ("created_by", "created_at", "created_with", "schema_version", "campaign"):
        assert apdb.metadata.get(f"apcampaign:{key}")
    assert count_rows(target)["metadata"] == len(created.metadata)
    json.dumps(created.as_dict())


def test_options_reach_the_apdb_and_its_configuration(database, tmp_path):
    options = ApdbOptions(
        replica=True,
        dia_object_index="last_object_table",
        htm_level=14,
        read_sources_months=3,
        read_forced_sources_months=2,
        connection_timeout=7,
    )
    created = make(target_of(database), tmp_path, options=options)
    config = open_apdb(created.config).getConfig()
    assert config.enable_replica
    assert config.dia_object_index == "last_object_table"
    assert config.pixelization.htm_level == 14
    assert (config.read_sources_months, config.read_forced_sources_months) == (3, 2)
    assert config.connection_config.connection_timeout == 7
    assert {"DiaObjectLast", "ApdbReplicaChunks", "DiaSourceChunks"} <= set(created.tables)


def test_a_hostile_folder_does_no_harm(hostile_path):
    created = make(ApdbTarget.from_url(f"sqlite:///{hostile_path}/a b'c.db"), hostile_path)
    assert created.target.sqlite_path.parent == hostile_path
    assert count_rows(created.config)["DiaSource"] == 0
    assert sorted(path.name for path in hostile_path.iterdir()) == ["a b'c.db", "apdb.yaml"]


def test_planning_changes_nothing(database, tmp_path):
    target = target_of(database)
    plan = plan_init(target, instrument="X", config=tmp_path / "apdb.yaml")
    assert plan.describe()[0] == f"create an empty APDB in {target.place}"
    told = dataclasses.replace(plan, options=ApdbOptions(replica=True, connection_timeout=0)).describe()
    assert told[0].endswith(" with replica=True, connection_timeout=0")
    json.dumps(plan.as_dict())
    assert tables_in(target) == set()
    assert not (tmp_path / "apdb.db").exists()
    assert not plan.config.exists()


def test_a_configuration_that_was_lost_can_be_written_again(database, tmp_path):
    made = make(target_of(database), tmp_path)
    before = find_apdb(str(made.config)).config
    made.config.unlink()
    with pytest.raises(ApdbError, match="if its configuration was lost, write") as caught:
        make(target_of(database), tmp_path)
    (line,) = re.findall(r"again: ({.*}); else", caught.value.remedy)
    made.config.write_text(line)
    assert find_apdb(str(made.config)).config == before
    assert open_apdb(str(made.config)).metadata.get("instrument") == "LSSTCam-imSim"


def test_an_empty_apdb_is_not_made_twice(database, tmp_path):
    target = target_of(database)
    make(target, tmp_path)
    with pytest.raises(ApdbError, match=r"already holds an empty APDB, created by \S+@\S+ at 20"):
        make(target, tmp_path)


def test_an_apdb_with_rows_is_refused_and_reset_drops_it(database, tmp_path):
    target = target_of(database)
    make(target, tmp_path, options=ApdbOptions(replica=True, dia_object_index="last_object_table"))
    put_rows(target, 3)
    with pytest.raises(ApdbError, match="already holds an APDB with 3 rows in DiaObject_To_Object_Match"):
        make(target, tmp_path)
    plan = plan_init(target, instrument="Other", config=tmp_path / "apdb.yaml", reset=True)
    assert "DiaObject_To_Object_Match (3 rows)" in plan.describe()[0]
    created = init_apdb(plan)
    assert created.dropped["DiaObject_To_Object_Match"] == 3
    # What only the former kind of APDB had is gone too.
    assert tables_in(target) == set(created.tables)
    assert "DiaObjectLast" not in created.tables
    assert open_apdb(created.config).metadata.get("instrument") == "Other"


def test_rows_that_came_after_the_plan_are_not_dropped(database, tmp_path):
    target = target_of(database)
    make(target, tmp_path)
    plan = plan_init(target, instrument="X", config=tmp_path / "apdb.yaml", reset=True)
    put_rows(target, 1)
    with pytest.raises(
        ApdbError, match="has changed since the plan was made: it held no rows and now holds 1"
    ):
        init_apdb(plan)
    assert count_rows(target)["DiaObject_To_Object_Match"] == 1


def test_foreign_tables_are_refused_and_never_dropped(database, tmp_path):
    target = target_of(database)
    make(target, tmp_path)
    run_sql(
        target,
        f"CREATE TABLE {name_of(target, 'mine')} (x INTEGER)",
        f"INSERT INTO {name_of(target, 'mine')} VALUES (7)",  # noqa: S608
        f"CREATE VIEW {name_of(target, 'view')} AS SELECT x FROM {name_of(target, 'mine')}",  # noqa: S608
    )
    make(target, tmp_path, reset=True)
    with make_engine(target).connect() as connection:
        query = f"SELECT x FROM {name_of(target, 'view')}"  # noqa: S608
        assert connection.exec_driver_sql(query).scalar_one() == 7
    for table in count_rows(target):
        run_sql(target, f"DROP TABLE {name_of(target, table)}")
    for reset in (False, True):
        with pytest.raises(
            ApdbError, match=r"holds 2 tables or views that do not belong to an APDB \(mine, view\)"
        ):
            make(target, tmp_path, reset=reset)


def test_a_foreign_table_named_like_one_of_an_apdb_is_not_taken_for_it(database, tmp_path):
    target = target_of(database)
    if not target.is_sqlite:
        run_sql(target, f"CREATE SCHEMA {target.namespace}")
    else:
        target.sqlite_path.touch()
    run_sql(target, f"CREATE TABLE {name_of(target, 'metadata')} (id INTEGER, content TEXT)")
    with pytest.raises(ApdbError, match=r"do not belong to an APDB \(metadata\)"):
        make(target, tmp_path, reset=True)
    assert tables_in(target) == {"metadata"}


def test_a_configuration_of_another_apdb_is_not_overwritten(database, tmp_path):
    config = tmp_path / "apdb.yaml"
    config.write_text("implementation_type: sql\ndb_url: sqlite:////elsewhere.db\n")
    target = target_of(database)
    with pytest.raises(ApdbError, match="exists and is not the configuration of"):
        make(target, tmp_path)
    assert "elsewhere" in config.read_text()
    make(target, tmp_path, replace_config=True)
    assert "elsewhere" not in config.read_text()


def test_the_defaults_in_the_help_are_those_of_the_apdb():
    from lsst.dax.apdb.sql import ApdbSqlConfig

    config = ApdbSqlConfig(db_url="sqlite:///x")
    defaults = {
        "dia_object_index": config.dia_object_index,
        "htm_level": config.pixelization.htm_level,
        "read_sources_months": config.read_sources_months,
        "read_forced_sources_months": config.read_forced_sources_months,
    }
    shown = {param.name: param.help for param in command.params if isinstance(param, click.Option)}
    for name, default in defaults.items():
        assert f"[default: {default}]" in shown[name]
