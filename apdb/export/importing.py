"""Import of an export into an empty APDB: all of it in one transaction, and read again before that ends."""

__all__ = ["ApdbImported", "ImportPlan", "import_apdb", "plan_import"]

import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import sqlalchemy
from sqlalchemy.engine import Connection

from ...common.errors import ApcampaignError, ApdbError, FileError
from ...common.identity import user_name
from ...common.text import count
from ..locate import ApdbPlace, Reference, find_apdb
from ..namespace import APDB_TABLES, inspect_namespace, read_metadata
from ..tables import ApdbSqlTables, open_tables, snapshot, writing
from .digest import ContentDigest
from .layout import TableLayout, read_layouts
from .loading import load_batches
from .manifest import ExportedFile, Manifest, read_manifest
from .obstacles import find_obstacles, refuse_filled
from .reading import BATCH_ROWS, RowCounter, counting_rows, read_batches

#: What the new APDB says of itself: how it was made, and for which software.
_OWN = ("version:", "config:", "apcampaign:")


@dataclass(frozen=True, kw_only=True)
class ImportPlan:
    """What is imported.

    Parameters
    ----------
    place
        Into which APDB.
    folder, manifest
        The export, and what it says of itself.
    rounded
        Columns of each table whose digits beyond single precision the database does not keep.
    obstacles
        Why it would be refused.
    """

    place: ApdbPlace
    folder: Path
    manifest: Manifest
    rounded: Mapping[str, tuple[str, ...]]
    obstacles: tuple[ApcampaignError, ...] = ()
    layouts: Mapping[str, TableLayout] = field(repr=False)
    tables: ApdbSqlTables = field(repr=False)

    def describe(self) -> list[str]:
        """Say it in lines."""
        lines = [
            f"import the APDB that was exported from {self.manifest.source} at {self.manifest.exported_at} into "
            f"{self.place.target.place}"
        ]
        lines += [f"load {count(rows, 'row')} into {name}" for name, rows in self.manifest.rows.items()]
        lines += [
            f"round {', '.join(columns)} of {name} to single precision, which is that of the APDB's schema"
            for name, columns in self.rounded.items()
        ]
        lines.append("read all rows again, and compare them with the export")
        return [*lines, *(f"it would be refused: {error}" for error in self.obstacles)]

    def as_dict(self) -> dict[str, Any]:
        """Give it as plain values, for JSON."""
        return {
            **self.place.target.as_dict(),
            "folder": str(self.folder),
            "source": self.manifest.source,
            "exported_at": self.manifest.exported_at,
            "rows": self.manifest.rows,
            "rounded": {name: list(columns) for name, columns in self.rounded.items()},
            "obstacles": [str(error) for error in self.obstacles],
        }


@dataclass(frozen=True)
class ApdbImported:
    """An APDB that was imported.

    Parameters
    ----------
    place
        Where it is.
    rows
        Number of rows of each table, which were compared with the export.
    digests
        Content digest of each table, read from the database.
    """

    place: ApdbPlace
    rows: Mapping[str, int]
    digests: Mapping[str, str]

    def as_dict(self) -> dict[str, Any]:
        """Give it as plain values, for JSON."""
        return {
            **self.place.target.as_dict(),
            "rows": dict(self.rows),
            "content_digests": dict(self.digests),
            "verified": True,
        }


def plan_import(
    folder: Path, reference: Reference, *, filtered: bool = False, namespace: str | None = None
) -> ImportPlan:
    """Find out whether an export can be imported into an APDB. Changes nothing.

    Parameters
    ----------
    folder
        The export.
    reference, namespace
        The empty APDB, as for `apcampaign.apdb.find_apdb`.
    filtered
        Whether it may be an export of a part of an APDB.

    Raises
    ------
    FileError
        If the folder is no export.
    ApdbError
        If the APDB cannot be read. Why the import would be refused is in the plan's ``obstacles``.
    """
    folder = folder.absolute()
    manifest = read_manifest(folder)
    place = find_apdb(reference, namespace)
    apdb, tables = open_tables(place)
    with snapshot(place) as connection:
        found = inspect_namespace(connection, tables.namespace, tables.prefix)
    layouts = read_layouts(place, apdb, (name for name in APDB_TABLES if name in found.tables))
    obstacles = find_obstacles(folder, manifest, place.target, found, layouts, filtered=filtered)
    rounded = {file.table: file.wide for file in manifest.files.values() if file.wide}
    return ImportPlan(
        place=place,
        folder=folder,
        manifest=manifest,
        rounded={} if place.target.is_sqlite else rounded,
        obstacles=tuple(obstacles),
        layouts=layouts,
        tables=tables,
    )


def import_apdb(plan: ImportPlan) -> ApdbImported:
    """Import an export as planned, in one transaction, and verify it before that ends.

    Parameters
    ----------
    plan
        From `plan_import`.

    Raises
    ------
    PreconditionError
        If there are obstacles.
    ApdbError
        If the APDB has been filled since, refuses, or does not hold what was exported; then nothing is changed.
    FileError
        If a file cannot be read.

    Notes
    -----
    The number of rows of each table and their content digest are compared: of the rows that were loaded, and of
    the rows that the database then holds.
    """
    if plan.obstacles:
        raise plan.obstacles[0]
    digests = {}
    rows = {name: number for name, number in plan.manifest.rows.items() if name != "metadata"}
    with writing(plan.place, plan.tables) as connection, counting_rows("importing", rows) as tell:
        refuse_filled(
            plan.place.target, inspect_namespace(connection, plan.tables.namespace, plan.tables.prefix)
        )
        for name, file in plan.manifest.files.items():
            if file.table == "metadata":
                _merge_metadata(connection, plan, pq.read_table(plan.folder / name))
            else:
                digests[file.table] = _load(connection, plan, name, file, tell)
    return ApdbImported(plan.place, plan.manifest.rows, digests)


def _load(connection: Connection, plan: ImportPlan, name: str, file: ExportedFile, tell: RowCounter) -> str:
    """Load a file, and return the digest of what is then in the database."""
    layout, path = plan.layouts[file.table], plan.folder / name
    wide = file.wide if plan.place.target.is_sqlite else ()
    exported = layout.schema(dict.fromkeys(file.wide, pa.float64()))
    stored = layout.schema(dict.fromkeys(wide, pa.float64()))
    read, loaded = ContentDigest(exported), ContentDigest(stored)

    def batches() -> Iterator[pa.RecordBatch]:
        for batch in pq.ParquetFile(path).iter_batches(BATCH_ROWS, columns=exported.names):
            read.update(batch)
            narrowed = batch.cast(stored)
            loaded.update(narrowed)
            yield narrowed
            tell(file.table, batch.num_rows)

    try:
        load_batches(connection, layout, batches())
    except (pa.ArrowException, OSError) as exc:
        raise FileError(f"{path} cannot be read: {exc}", remedy="copy or export it again") from exc
    held = ContentDigest(stored)
    for batch in read_batches(connection, layout, stored):
        held.update(batch)
    if (read.rows, read.hexdigest()) != (file.row_count, file.content_digest):
        raise FileError(f"{path} does not hold the rows that were exported", remedy="copy or export it again")
    if held.rows != loaded.rows or held.columns() != loaded.columns():
        differing = [
            column for column, digest in loaded.columns().items() if held.columns()[column] != digest
        ]
        raise ApdbError(
            f"{plan.place.target.place} would not hold what was exported: {count(held.rows, 'row')} of "
            f"{file.table} instead of {loaded.rows:,}, columns that differ: {', '.join(differing) or 'none'}",
            remedy="report it; nothing was imported",
        )
    return held.hexdigest()


def _merge_metadata(connection: Connection, plan: ImportPlan, exported: pa.Table) -> None:
    """Take over what the export says, except of what the new APDB says of itself."""
    table = plan.layouts["metadata"].table
    ours = read_metadata(connection, plan.tables.namespace, plan.tables.prefix)
    theirs = {row["name"]: row["value"] for row in exported.to_pylist()}
    for name, value in merge_metadata(ours, theirs, plan.manifest).items():
        if name not in ours:
            connection.execute(table.insert().values(name=name, value=value))
        elif ours[name] != value:
            connection.execute(sqlalchemy.update(table).where(table.c.name == name).values(value=value))


def merge_metadata(ours: Mapping[str, str], theirs: Mapping[str, str], manifest: Manifest) -> dict[str, str]:
    """Decide what the metadata of the new APDB become.

    Parameters
    ----------
    ours, theirs
        Those of the new APDB, and of the exported one.
    manifest
        Of the export.
    """
    taken = {name: value for name, value in theirs.items() if not name.startswith(_OWN)}
    campaign = "apcampaign:campaign"
    if campaign in theirs:
        taken.setdefault(campaign, ours.get(campaign, theirs[campaign]))
    return {
        **ours,
        **taken,
        "apcampaign:imported_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "apcampaign:imported_by": f"{user_name()}@{socket.gethostname()}",
        "apcampaign:imported_from": f"{manifest.source}, exported at {manifest.exported_at}",
    }
