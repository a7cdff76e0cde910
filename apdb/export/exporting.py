"""Export of an APDB into a folder of Parquet files, which appears completely or not at all."""

__all__ = ["ApdbExported", "ExportPlan", "export_apdb", "plan_export"]

import json
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import sqlalchemy
from sqlalchemy import ColumnElement
from sqlalchemy.engine import Connection

from ...common.errors import ApcampaignError, PreconditionError
from ...common.files import naming
from ...common.identity import user_name
from ...common.text import count
from ..locate import ApdbPlace, Reference, find_apdb
from ..namespace import APDB_TABLES, inspect_namespace
from ..tables import ApdbSqlTables, open_tables, snapshot
from .annotations import annotate
from .digest import ContentDigest
from .layout import TableLayout, read_layouts
from .manifest import MANIFEST, ExportedFile, Manifest, checksum_of
from .options import read_layout_options
from .reading import RowCounter, counting_rows, find_wide_columns, read_batches
from .selection import Selection
from .staging import appearing

#: Rows of a row group: readers read one at a time, and it is in memory until it is written.
_GROUP_ROWS = 50_000
#: It is of the tool that migrates schemas, and says nothing that the metadata do not.
_LEFT_OUT = "alembic_version"


@dataclass(frozen=True, kw_only=True)
class ExportPlan:
    """What is exported.

    Parameters
    ----------
    place
        Which APDB.
    folder
        Where to.
    selection
        Which part of it.
    rows
        How many rows of each table.
    metadata
        The APDB's metadata.
    obstacles
        Why it would be refused.
    """

    place: ApdbPlace
    folder: Path
    selection: Selection
    rows: Mapping[str, int]
    metadata: Mapping[str, str]
    obstacles: tuple[ApcampaignError, ...] = ()
    layouts: Mapping[str, TableLayout] = field(repr=False)
    tables: ApdbSqlTables = field(repr=False)

    def describe(self) -> list[str]:
        """Say it in lines."""
        part = f", of it {self.selection.describe()}" if self.selection else ""
        lines = [f"export the APDB in {self.place.target.place}{part}"]
        lines += [
            f"write {count(rows, 'row')} of {name} to {self.folder / _file_name(name)}"
            for name, rows in self.rows.items()
        ]
        return [*lines, *(f"it would be refused: {error}" for error in self.obstacles)]

    def as_dict(self) -> dict[str, Any]:
        """Give it as plain values, for JSON."""
        return {
            **self.place.target.as_dict(),
            "folder": str(self.folder),
            "selection": self.selection.as_dict() if self.selection else None,
            "rows": dict(self.rows),
            "obstacles": [str(error) for error in self.obstacles],
        }

    def conditions(self) -> dict[str, ColumnElement[bool]]:
        """Return the SQL condition of each table of which a part is exported."""
        tables = {name: layout.table for name, layout in self.layouts.items()}
        return self.selection.conditions(tables, self.tables.pixel.name, self.tables.pixel_level)


@dataclass(frozen=True)
class ApdbExported:
    """An export.

    Parameters
    ----------
    folder
        Where it is.
    manifest
        What it holds.
    """

    folder: Path
    manifest: Manifest

    def as_dict(self) -> dict[str, Any]:
        """Give it as plain values, for JSON."""
        return {"folder": str(self.folder), **self.manifest.model_dump(mode="json")}


def plan_export(
    reference: Reference,
    folder: Path,
    selection: Selection | None = None,
    *,
    namespace: str | None = None,
) -> ExportPlan:
    """Find out what an export would hold. Writes nothing.

    Parameters
    ----------
    reference, namespace
        Which APDB, as for `apcampaign.apdb.find_apdb`.
    folder
        The new folder.
    selection
        Which part of the APDB; all of it by default.

    Raises
    ------
    ApdbError
        If the APDB cannot be read.
    """
    folder, selection = folder.absolute(), selection or Selection()
    place = find_apdb(reference, namespace)
    apdb, tables = open_tables(place)
    with snapshot(place) as connection:
        found = inspect_namespace(connection, tables.namespace, tables.prefix)
    names = [name for name in APDB_TABLES if name in found.tables and name != _LEFT_OUT]
    layouts = read_layouts(place, apdb, (name for name in names if selection.selects(name)))
    obstacles: tuple[ApcampaignError, ...] = ()
    if os.path.lexists(folder):
        obstacles = (
            PreconditionError(
                f"{folder} exists already",
                remedy="name another folder, or remove it if it is no longer needed",
            ),
        )
    plan = ExportPlan(
        place=place,
        folder=folder,
        selection=selection,
        rows={name: found.tables[name] for name in layouts},
        metadata=found.metadata,
        obstacles=obstacles,
        layouts=layouts,
        tables=tables,
    )
    return plan if not selection else _count_selected(plan)


def export_apdb(plan: ExportPlan) -> ApdbExported:
    """Export an APDB as planned: its content of one moment, also while it is filled.

    Parameters
    ----------
    plan
        From `plan_export`.

    Raises
    ------
    PreconditionError
        If there are obstacles.
    ApdbError
        If the APDB cannot be read.
    OSError
        If the folder cannot be written.

    Notes
    -----
    The files are written into a hidden folder beside, which becomes the folder in one step when all are complete.
    If this is killed, that hidden folder (``.NAME.…``) stays, and may be removed.
    """
    if plan.obstacles:
        raise plan.obstacles[0]
    about = _describe_source(plan)
    with appearing(plan.folder) as staging:
        files = {}
        with snapshot(plan.place) as connection, counting_rows("exporting", plan.rows) as tell:
            conditions = plan.conditions()
            for name, layout in plan.layouts.items():
                path = staging / _file_name(name)
                with naming(path):
                    files[path.name] = _write(connection, layout, conditions.get(name), path, about, tell)
        manifest = Manifest(**about, files=files)
        text = json.dumps(manifest.model_dump(mode="json"), indent=2)
        (staging / MANIFEST).write_text(text + "\n", encoding="utf-8")
    return ApdbExported(plan.folder, manifest)


def _count_selected(plan: ExportPlan) -> ExportPlan:
    rows = dict(plan.rows)
    with snapshot(plan.place) as connection:
        for name, condition in plan.conditions().items():
            query = sqlalchemy.select(sqlalchemy.func.count()).select_from(plan.layouts[name].table)
            rows[name] = connection.execute(query.where(condition)).scalar_one()
    return replace(plan, rows=rows)


def _file_name(table: str) -> str:
    return f"{table}.parquet"


def _describe_source(plan: ExportPlan) -> dict[str, Any]:
    """Say where the rows come from, for the manifest; nothing of it is secret."""
    import lsst.dax.apdb

    target, metadata = plan.place.target, plan.metadata
    software = {
        "apcampaign": version("apcampaign"),
        "lsst.dax.apdb": lsst.dax.apdb.__version__,
        "pyarrow": pa.__version__,
    }
    return {
        "exported_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "exported_by": f"{user_name()}@{socket.gethostname()}",
        "software": ", ".join(f"{name} {number}" for name, number in software.items()),
        "campaign": metadata.get("apcampaign:campaign"),
        "instrument": metadata.get("instrument"),
        "source": target.place,
        "namespace": target.namespace,
        "schema_version": metadata.get("version:schema", "unknown"),
        "versions": {name: text for name, text in metadata.items() if name.startswith("version:")},
        "layout": read_layout_options(metadata),
        "selection": plan.selection.as_dict() if plan.selection else None,
    }


def _write(
    connection: Connection,
    layout: TableLayout,
    condition: ColumnElement[bool] | None,
    path: Path,
    about: Mapping[str, Any],
    tell: RowCounter,
) -> ExportedFile:
    wide = find_wide_columns(connection, layout, condition)
    schema = layout.schema(dict.fromkeys(wide, pa.float64()))
    facts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in about.items()}
    digest = ContentDigest(schema)
    annotated = annotate(schema, layout, {"table": layout.name, **facts})
    with pq.ParquetWriter(path, annotated, compression="zstd") as writer:
        group: list[pa.RecordBatch] = []
        for batch in read_batches(connection, layout, schema, condition):
            digest.update(batch)
            tell(layout.name, batch.num_rows)
            group.append(batch)
            if sum(each.num_rows for each in group) >= _GROUP_ROWS:
                writer.write_table(pa.Table.from_batches(group).cast(annotated))
                group.clear()
        if group:
            writer.write_table(pa.Table.from_batches(group).cast(annotated))
    return ExportedFile(
        table=layout.name,
        row_count=digest.rows,
        size_bytes=path.stat().st_size,
        checksum=checksum_of(path),
        content_digest=digest.hexdigest(),
        nan=digest.nan,
        wide=tuple(sorted(wide)),
    )
