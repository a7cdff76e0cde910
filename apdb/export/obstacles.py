"""Why an export cannot be imported into an APDB."""

__all__ = ["find_obstacles", "refuse_filled"]

from collections.abc import Iterator, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from ...common.errors import PreconditionError
from ...common.text import count
from ..namespace import NamespaceContents
from ..target import ApdbTarget
from .layout import TableLayout
from .manifest import ExportedFile, Manifest, checksum_of
from .options import describe_option, read_layout_options

_AGAIN = "copy or export it again"


def find_obstacles(
    folder: Path,
    manifest: Manifest,
    target: ApdbTarget,
    found: NamespaceContents,
    layouts: Mapping[str, TableLayout],
    *,
    filtered: bool,
) -> Iterator[PreconditionError]:
    """Compare an export with an APDB.

    Parameters
    ----------
    folder, manifest
        The export.
    target, found, layouts
        The APDB: where it is, what it holds, and its tables.
    filtered
        Whether it may be an export of a part of an APDB.
    """
    try:
        refuse_filled(target, found)
    except PreconditionError as filled:
        yield filled
    if manifest.selection is not None and not filtered:
        yield PreconditionError(
            f"{folder} holds a part of an APDB only ({manifest.rows.get('DiaSource', 0):,} of its DiaSources)",
            remedy="import it as it is with --filtered, or export all of it",
        )
    yield from _compare_versions(manifest, target, found)
    fits = True
    for error in _compare_layouts(manifest, target, found):
        fits = False
        yield error
    for name, file in manifest.files.items():
        damage = _find_damage(folder / name, file)
        if damage:
            yield damage
        elif fits and file.table in layouts:
            yield from _compare_columns(folder / name, file, target, layouts[file.table])


def refuse_filled(target: ApdbTarget, found: NamespaceContents) -> None:
    """Refuse an APDB that holds rows.

    Raises
    ------
    PreconditionError
        If it does.
    """
    if found.filled:
        rows = ", ".join(f"{number:,} rows in {name}" for name, number in found.filled.items())
        raise PreconditionError(
            f"the APDB in {target.place} is not empty: {rows}",
            remedy="create an empty one with `apcampaign apdb init`, in another namespace or with --reset",
        )


def _compare_versions(
    manifest: Manifest, target: ApdbTarget, found: NamespaceContents
) -> Iterator[PreconditionError]:
    ours = {name: text for name, text in found.metadata.items() if name.startswith("version:")}
    for name, text in manifest.versions.items():
        if ours.get(name, text) != text:
            yield PreconditionError(
                f"the export has {name.removeprefix('version:')} version {text}, the APDB in {target.place} "
                f"{ours[name]}",
                remedy="create an APDB with the software that the export comes from: " + manifest.software,
            )
    instrument = found.metadata.get("instrument")
    if instrument != manifest.instrument:
        yield PreconditionError(
            f"the export is of instrument {manifest.instrument}, the APDB in {target.place} is for {instrument}",
            remedy=f"create one with `apcampaign apdb init --instrument {manifest.instrument}`",
        )


def _compare_layouts(
    manifest: Manifest, target: ApdbTarget, found: NamespaceContents
) -> Iterator[PreconditionError]:
    """Compare the options that decide which tables there are, and how places are indexed."""
    ours = read_layout_options(found.metadata)
    for name, value in manifest.layout.items():
        # Without the records of replication, what is imported of a part is as if it was never replicated.
        if ours.get(name) != value and not (name == "enable_replica" and manifest.selection):
            yield PreconditionError(
                f"the exported APDB has {name} {value}, the APDB in {target.place} {ours.get(name)}",
                remedy=describe_option(name, value),
            )


def _find_damage(path: Path, file: ExportedFile) -> PreconditionError | None:
    if not path.is_file():
        return PreconditionError(f"{path} is missing", remedy=_AGAIN)
    size = path.stat().st_size
    if size != file.size_bytes:
        return PreconditionError(
            f"{path} is damaged: it has {count(size, 'byte')} instead of {file.size_bytes:,}", remedy=_AGAIN
        )
    if checksum_of(path) != file.checksum:
        return PreconditionError(f"{path} is damaged: its SHA-256 is not that of the manifest", remedy=_AGAIN)
    return None


def _compare_columns(
    path: Path, file: ExportedFile, target: ApdbTarget, layout: TableLayout
) -> Iterator[PreconditionError]:
    wide = dict.fromkeys(file.wide, pa.float64())
    theirs = {each.name: each.type for each in pq.read_schema(path)}
    ours = {each.name: each.type for each in layout.schema(wide)}
    differing = sorted(name for name in {*ours, *theirs} if ours.get(name) != theirs.get(name))
    if differing:
        yield PreconditionError(
            f"columns of {layout.name} differ between {path} and {target.place}: {', '.join(differing)}",
            remedy="create an APDB with the software that the export comes from",
        )
    if file.nan and target.is_sqlite:
        yield PreconditionError(
            f"{path} holds {sum(file.nan.values()):,} NaN (in {', '.join(file.nan)}), which SQLite cannot hold",
            remedy="import it into an APDB in PostgreSQL",
        )
