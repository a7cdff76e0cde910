"""Small APDBs, and what is in their databases beside what an APDB tells."""

from pathlib import Path
from typing import Any

import sqlalchemy
from apcampaign.apdb import ApdbCreated, ApdbTarget, init_apdb, plan_init
from apcampaign.apdb.connection import make_engine

__all__ = ["make", "name_of", "put_rows", "run_sql", "tables_in", "target_of"]


def target_of(database: str, namespace: str = "camp") -> ApdbTarget:
    return ApdbTarget.from_url(database, None if database.startswith("sqlite") else namespace)


def make(target: ApdbTarget, folder: Path, **more: Any) -> ApdbCreated:
    return init_apdb(plan_init(target, instrument="LSSTCam-imSim", config=folder / "apdb.yaml", **more))


def run_sql(target: ApdbTarget, *statements: str) -> None:
    with make_engine(target).begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


def name_of(target: ApdbTarget, table: str) -> str:
    return f'"{table}"' if target.is_sqlite else f'{target.namespace}."{table}"'


def put_rows(target: ApdbTarget, count: int) -> None:
    table = name_of(target, "DiaObject_To_Object_Match")
    run_sql(
        target,
        *[f'INSERT INTO {table} ("diaObjectId", "objectId") VALUES ({i}, {i})' for i in range(count)],  # noqa: S608
    )


def tables_in(target: ApdbTarget) -> set[str]:
    if target.is_sqlite and not target.sqlite_path.exists():
        return set()
    return set(sqlalchemy.inspect(make_engine(target)).get_table_names(target.namespace))
