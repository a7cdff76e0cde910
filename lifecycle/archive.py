"""Archive of a campaign: its records, configurations, report and summary in one file, to be kept for good.

What is large and can be made again, or is in the repository, is not in it: quantum graphs but for their headers
and pipelines, and the logs of single jobs. Neither is what lists the environment of a process.
"""

__all__ = ["Archive", "check_archive_file", "list_packed", "require_records", "write_archive"]

import contextlib
import json
import os
import re
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from ..common.errors import ApcampaignError, FileError, PreconditionError, SettingsError
from ..common.files import find_files, list_tree, make_folder, naming
from ..common.progress import show_progress
from ..common.secrets import SECRET_NAME, redact
from ..common.text import count, format_size
from ..ledger import CampaignPaths, Workspace
from ..monitor.summary import summarise
from ..report import write_report
from .packing import GZIP, ZSTD, pack, read_campaign, verify

_SUMMARY = "summary.json"
# They hold the environment of whoever has submitted, in which anything may be.
_ENVIRONMENTS = ("*.env.info.yaml", "*.sub")
# Of a submit directory only what tells how the run was made and how it ended: there may be a file for each job.
_OF_SUBMIT = (
    "*_config.yaml",
    "*.pkg.info.yaml",
    "*.dag",
    "*.dag.metrics",
    "*.dag.nodes.log",
    "*.dag.rescue*",
)
_PARSL_LOG = "parsl.log"
_OF_GRAPH = ("header.json", "pipeline_graph.json")
_SECRET = re.compile(rf"\b({SECRET_NAME.pattern})=[^\s'\"]+")


@dataclass(frozen=True, kw_only=True)
class Archive:
    """An archive that was written.

    Parameters
    ----------
    campaign, file
        Of which campaign, and where it is.
    files
        How many files are in it.
    size
        Its bytes.
    left_out
        What could not be put into it, and why.
    """

    campaign: str
    file: Path
    files: int
    size: int
    left_out: tuple[str, ...] = ()

    def describe(self) -> list[str]:
        """Say it in lines."""
        files = count(self.files, "file")
        lines = [f"{self.file}: {files} of campaign {self.campaign}, {format_size(self.size)}"]
        return lines + [f"not in it: {each}" for each in self.left_out]

    def as_dict(self) -> dict[str, Any]:
        """Give it as plain values, for JSON."""
        return {
            "campaign": self.campaign,
            "file": str(self.file),
            "files": self.files,
            "bytes": self.size,
            "left_out": list(self.left_out),
        }


def require_records(workspace: Workspace) -> None:
    """Refuse a campaign that has submitted nothing.

    Raises
    ------
    LedgerError
        If there are no records of it, or they cannot be read.
    """
    ledger = workspace.read_ledger()
    if not ledger.retirements:
        ledger.require_current()


def check_archive_file(workspace: Workspace, file: Path) -> Iterator[ApcampaignError]:
    """Say why a file cannot be the archive of a campaign: its name, its folder, or what is there already."""
    if not file.name.endswith((*GZIP, *ZSTD)):
        yield SettingsError(
            f"{file} does not say what it is", expected=f"a name that ends in {', '.join((*GZIP, *ZSTD))}"
        )
    elif not file.absolute().parent.is_dir():
        yield FileError(f"there is no folder {file.absolute().parent}", remedy="make it, or name another")
    elif any(file.resolve().is_relative_to(folder) for folder in workspace.paths.removable):
        yield PreconditionError(f"{file} is in a folder that goes with the campaign", remedy="name another")
    elif file.exists() and read_campaign(file) != workspace.campaign.name:
        yield PreconditionError(
            f"{file} exists, and is no archive of campaign {workspace.campaign.name}",
            remedy="name another file",
        )


def write_archive(workspace: Workspace, file: Path) -> Archive:
    """Pack the records of a campaign into a file, in an order that does not change.

    The file is written beside its place, read again, and moved there. No password is in it: what looks like one is
    replaced, as in the campaign's logs.

    Parameters
    ----------
    workspace
        The campaign.
    file
        Where, ending in ``.tar.gz`` or ``.tar.zst``. An older archive of the same campaign is replaced.

    Raises
    ------
    LedgerError
        If the campaign has submitted nothing, or its records cannot be read.
    SettingsError, FileError, PreconditionError
        If there can be no archive in this place.
    OSError
        If it cannot be written.
    """
    for obstacle in check_archive_file(workspace, file):
        raise obstacle
    require_records(workspace)
    content, left_out = _collect(workspace)
    with show_progress(f"writing {file}"), naming(file), _staged(file) as staging:
        with staging.open("wb") as stream:
            pack(stream, workspace.campaign.name, content, left_out, zstd=file.name.endswith(ZSTD))
            stream.flush()
            os.fsync(stream.fileno())
        verify(staging, workspace.campaign.name, content)
        size = staging.stat().st_size
    return Archive(
        campaign=workspace.campaign.name,
        file=file,
        files=len(content),
        size=size,
        left_out=tuple(left_out),
    )


def _collect(workspace: Workspace) -> tuple[dict[str, bytes], list[str]]:
    """Read what goes into the archive, by the name of the file in the campaign's folder."""
    paths, left_out = workspace.paths, []
    content: dict[str, bytes] = {}
    files, graphs = [*_list_files(paths)], _list_graphs(paths)
    with show_progress("reading the records", unit="files") as tell:
        for number, path in enumerate([*files, *graphs]):
            tell("reading the records", number, len(files) + len(graphs), 0)
            name = path.relative_to(paths.folder).as_posix()
            if number < len(files):
                content[name] = _read(path)
                continue
            try:
                content |= {f"{name}.{part}": _clean(found) for part, found in _read_graph(path).items()}
            except (OSError, ValueError, zipfile.BadZipFile) as error:
                left_out.append(f"{name}: {error}")
    try:
        summary = json.dumps(summarise(workspace).as_dict(), indent=2, sort_keys=True, default=str)
        content[_SUMMARY] = summary.encode()
        if paths.report.name not in content:
            with tempfile.TemporaryDirectory(prefix="apcampaign-") as folder:
                content[paths.report.name] = _read(write_report(workspace, Path(folder) / "report.html")[0])
    except ApcampaignError as error:
        left_out.append(f"{_SUMMARY}: {redact(str(error))}")
    return dict(sorted(content.items())), left_out


def list_packed(paths: CampaignPaths) -> list[Path]:
    """List the files of a campaign of which all is packed, and the graphs, of which parts are."""
    return sorted((*_list_files(paths), *_list_graphs(paths)))


def _list_graphs(paths: CampaignPaths) -> list[Path]:
    """List the quantum graphs, of which only small parts are packed."""
    return find_files(paths.folder, "*/*/submit/*.qg")


def _list_files(paths: CampaignPaths) -> Iterator[Path]:
    """List the files of a campaign that are small and say something of all of it."""
    tops = [paths.report, paths.apdb_config, *paths.list_retirements()]
    yield from (path for path in tops if path.is_file())
    for folder in paths.removable:
        for path in list_tree(folder) if folder.is_dir() else ():
            inside = path.relative_to(folder).parts
            if not path.is_file() or path.is_symlink() or _matches(path.name, _ENVIRONMENTS):
                continue
            # What else Parsl leaves there has its keys, and what its jobs have returned, as a pickle.
            if inside[0] == "runinfo" and path.name != _PARSL_LOG:
                continue
            if inside[0] != "submit" or (len(inside) == 2 and _matches(path.name, _OF_SUBMIT)):
                yield path
        # A run that was adopted has only links to what made and ran it.
        if (submit := folder / "submit").is_symlink():
            yield from (path for path in find_files(submit, "*") if _matches(path.name, _OF_SUBMIT))
        yield from (log for log in find_files(folder, f"runinfo/*/{_PARSL_LOG}") if log.parent.is_symlink())


def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _read(path: Path) -> bytes:
    return _clean(path.read_bytes())


def _clean(content: bytes) -> bytes:
    """Replace what looks like a password in a text."""
    text = content.decode("utf-8", errors="surrogateescape")
    cleaned = _SECRET.sub(r"\1=***", redact(text))
    return content if cleaned == text else cleaned.encode("utf-8", errors="surrogateescape")


def _read_graph(path: Path) -> Mapping[str, bytes]:
    """Read the small parts of a quantum graph: what it is of, and its pipeline with all configurations."""
    import zstandard

    found = {}
    with zipfile.ZipFile(path) as parts:
        for name in parts.namelist():
            plain = name.removesuffix(".zst")
            if plain in _OF_GRAPH:
                raw = parts.read(name)
                found[plain] = (
                    raw if plain == name else zstandard.ZstdDecompressor().decompressobj().decompress(raw)
                )
    return found


@contextmanager
def _staged(file: Path) -> Iterator[Path]:
    """Give a file beside another one, which takes its place if the block ends well."""
    make_folder(file.absolute().parent)
    handle, name = tempfile.mkstemp(dir=file.absolute().parent, prefix=f".{file.name[:100]}.")
    os.close(handle)
    staging = Path(name)
    try:
        yield staging
        mask = os.umask(0o077)
        os.umask(mask)
        staging.chmod(0o644 & ~mask)
        staging.replace(file)
    except BaseException:
        with contextlib.suppress(OSError):
            staging.unlink(missing_ok=True)
        raise
