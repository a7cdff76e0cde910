"""Archives as files: written so that the same content makes the same bytes, and read again."""

__all__ = ["GZIP", "ZSTD", "pack", "read_campaign", "verify"]

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from ..common.errors import FileError

_MANIFEST = "MANIFEST.json"
#: What the name of an archive ends in, by how it is compressed.
GZIP, ZSTD = (".tar.gz", ".tgz"), (".tar.zst",)


def pack(
    stream: IO[bytes], campaign: str, content: Mapping[str, bytes], left_out: Sequence[str], *, zstd: bool
) -> None:
    """Write an archive: first what is in it, and what could not be put into it, then the content in its order."""
    manifest = {
        "campaign": campaign,
        "files": {
            name: {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
            for name, data in content.items()
        },
        "left_out": list(left_out),
    }
    members = {_MANIFEST: json.dumps(manifest, indent=2).encode(), **content}
    with _compressing(stream, zstd=zstd) as packed, tarfile.open(fileobj=packed, mode="w|") as tar:
        for name, data in members.items():
            # Nothing of when and by whom: the same records make the same file.
            info = tarfile.TarInfo(f"{campaign}/{name}")
            info.size, info.mode = len(data), 0o644
            tar.addfile(info, io.BytesIO(data))


@contextmanager
def _compressing(stream: IO[bytes], *, zstd: bool) -> Iterator[Any]:
    if not zstd:
        with gzip.GzipFile("", "wb", fileobj=stream, mtime=0) as packed:
            yield packed
        return
    import zstandard

    with zstandard.ZstdCompressor(level=10).stream_writer(stream, closefd=False) as packed:
        yield packed


@contextmanager
def _reading(file: Path) -> Iterator[tarfile.TarFile]:
    unpacked: Any
    with file.open("rb") as stream:
        is_gzip = stream.read(2) == b"\x1f\x8b"
        stream.seek(0)
        if is_gzip:
            unpacked = gzip.GzipFile(fileobj=stream)
        else:
            import zstandard

            unpacked = zstandard.ZstdDecompressor().stream_reader(stream)
        with unpacked, tarfile.open(fileobj=unpacked, mode="r|") as tar:
            yield tar


def read_campaign(file: Path) -> str | None:
    """Read of which campaign a file is the archive; `None` if it is none."""
    import zstandard

    try:
        with _reading(file) as tar:
            first = tar.next()
            if first is None or not first.name.endswith(f"/{_MANIFEST}"):
                return None
            stream = tar.extractfile(first)
            return None if stream is None else str(json.load(stream)["campaign"])
    except (OSError, EOFError, ValueError, LookupError, TypeError, tarfile.TarError, zstandard.ZstdError):
        return None


def verify(file: Path, campaign: str, content: Mapping[str, bytes]) -> None:
    """Read what was written: what it holds may be about to be removed.

    Raises
    ------
    FileError
        If it does not hold that.
    """
    with _reading(file) as tar:
        found = {
            member.name: hashlib.sha256(stream.read()).digest()
            for member in tar
            if (stream := tar.extractfile(member))
        }
    wanted = {f"{campaign}/{name}": hashlib.sha256(data).digest() for name, data in content.items()}
    if {name: found.get(name) for name in wanted} != wanted:
        raise FileError(f"{file} does not hold what was written to it", remedy="use another file system")
