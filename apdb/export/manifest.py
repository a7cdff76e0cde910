"""The manifest of an export: what was exported, from where, and the checksums of its files."""

__all__ = ["MANIFEST", "ExportedFile", "Manifest", "checksum_of", "read_manifest"]

import hashlib
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ...common.errors import FileError

MANIFEST = "manifest.json"
#: Of the manifest's own form; another one cannot be read.
FORMAT = 1


class ExportedFile(BaseModel):
    """A Parquet file of an export.

    Parameters
    ----------
    table
        The table of the APDB.
    row_count, size_bytes
        Its rows and its size.
    checksum
        SHA-256 of the file.
    content_digest
        Digest of the rows (`ContentDigest`), which two equal tables have in common wherever they are.
    nan
        How many NaN are in each column that has any.
    wide
        Columns that hold more digits than the APDB's schema gives them, and are written in double precision.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    table: str
    row_count: int = Field(ge=0)
    size_bytes: int = Field(ge=0)
    checksum: str
    content_digest: str
    nan: dict[str, int] = {}
    wide: tuple[str, ...] = ()


class Manifest(BaseModel):
    """What an export holds.

    Parameters
    ----------
    format
        Version of the form of an export.
    exported_at, exported_by, software
        When, by whom and with what it was made.
    campaign, instrument
        Those of the APDB, as far as it knows.
    source, namespace
        Where the APDB is, and its namespace.
    schema_version, versions
        Version of the APDB's schema, and of the code that wrote it.
    layout
        The options of the APDB that decide which tables and columns it has.
    selection
        What was selected; `None` for all of it.
    files
        By the names of the files, in the order in which they are loaded.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: int = FORMAT
    exported_at: str
    exported_by: str
    software: str
    campaign: str | None
    instrument: str | None
    source: str
    namespace: str | None
    schema_version: str
    versions: dict[str, str]
    layout: dict[str, Any]
    selection: dict[str, Any] | None
    files: dict[str, ExportedFile]

    @property
    def rows(self) -> dict[str, int]:
        """Number of rows of each table."""
        return {file.table: file.row_count for file in self.files.values()}


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest of an export.

    Raises
    ------
    FileError
        If there is none, or it cannot be used.
    """
    path = folder / MANIFEST
    try:
        manifest = Manifest.model_validate_json(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError) as exc:
        raise FileError(
            f"{folder} is no export of an APDB: it has no {MANIFEST}",
            remedy="name a folder that `apcampaign apdb export` has written",
        ) from exc
    except (ValidationError, UnicodeDecodeError) as exc:
        said = "; ".join(str(exc).splitlines()[:2])
        raise FileError(f"{path} is damaged: {said}", remedy="copy or export it again") from exc
    if manifest.format != FORMAT:
        raise FileError(
            f"{path} has format {manifest.format}",
            expected=f"format {FORMAT}",
            remedy="use the software that it was exported with",
        )
    return manifest


def checksum_of(path: Path) -> str:
    """Return the SHA-256 of a file, as hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
