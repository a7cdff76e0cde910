"""Environment checks: variables, commands, disks, and versions that do not work together."""

__all__ = ["check_disks", "check_environment", "check_versions", "leave_out_consequences"]

import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path

from ...bps.lint import Finding, Severity
from ...common.environment import environment_for_batch
from ...common.zipfile_fix import is_affected, is_cured
from .run_spec import RunSpec, make_finding

_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
_GIB = 2**30
_LEAST_SPACE = 5 * _GIB
#: Variables with passwords, and where jobs read them instead.
_PASSWORDS = {
    "PGPASSWORD": "~/.pgpass",
    "LSST_DB_AUTH_CREDENTIALS": "the file that $LSST_DB_AUTH names",
}
_PACKAGES = ("lsst-daf-butler", "lsst-pipe-base", "lsst-ctrl-mpexec", "lsst-ctrl-bps")


def check_environment(specs: Sequence[RunSpec], environment: Mapping[str, str]) -> Iterator[Finding]:
    """Report variables and commands that BPS or the pipelines need and do not find."""
    yield from _check_variables(specs, environment)
    path = environment_for_batch(environment).get("PATH")
    for command in ("pipetask", "butler"):
        if shutil.which(command, path=path) is None:
            yield make_finding(
                Severity.ERROR,
                "environment",
                f"the command {command!r} is not on PATH",
                "BPS builds graphs and runs jobs with it",
                "set up lsst_distrib, or activate the environment",
            )
    for name in filter(environment.get, _PASSWORDS):
        yield make_finding(
            Severity.WARNING,
            "environment",
            f"${name} is set",
            "batch jobs do not get it, since BPS would write it into every submit directory",
            f"put the password into {_PASSWORDS[name]} (chmod 600), which the jobs read",
        )


def _check_variables(specs: Sequence[RunSpec], environment: Mapping[str, str]) -> Iterator[Finding]:
    """Report variables that the pipelines' locations need and that are not set, or name no folder."""
    needed: dict[str, str] = {}
    for spec in specs:
        for name, source in _find_needed(spec).items():
            needed.setdefault(name, source)
    for name, source in needed.items():
        value = environment.get(name)
        if not value:
            yield make_finding(
                Severity.ERROR,
                "environment",
                f"${name} is not set, and {source} needs it",
                "the pipeline cannot be read, here or in the jobs",
                f"set up the package that defines it (`setup lsst_distrib`), or export {name}=/path/to/it",
            )
        elif name.endswith("_DIR") and not Path(value).is_dir():
            yield make_finding(
                Severity.ERROR,
                "environment",
                f"${name} is {value}, and there is no such folder",
                f"{source} cannot be read, here or in the jobs",
                f"correct {name}",
            )


def leave_out_consequences(
    findings: Sequence[Finding], specs: Sequence[RunSpec], environment: Mapping[str, str]
) -> list[Finding]:
    """Leave out what follows from a variable of a pipeline that is not set, which `check_environment` reports."""
    lacking = {
        spec.name: {name for name in _find_needed(spec) if not environment.get(name)} for spec in specs
    }

    def follows(finding: Finding) -> bool:
        unset = lacking.get((finding.key or "").partition(":")[0])
        if not unset or finding.rule not in ("pipeline", "environment-unset"):
            return False
        named = {match[1] or match[2] for match in _VARIABLE.finditer(finding.what)}
        return finding.rule == "pipeline" or named <= unset

    return [finding for finding in findings if not follows(finding)]


def _find_needed(spec: RunSpec) -> dict[str, str]:
    """Find the variables that the location of a pipeline and those of its imports need, and what needs each."""
    needed: dict[str, str] = {}
    for text, source in _texts(spec):
        for match in _VARIABLE.finditer(text):
            needed.setdefault(match[1] or match[2], source)
    return needed


def _texts(spec: RunSpec) -> Iterator[tuple[str, str]]:
    """Give the texts whose variables are needed before any job runs: the pipeline's location and its imports."""
    location = spec.pipeline.partition("#")[0]
    yield location, f"the pipeline of {spec.name}"
    try:
        text = Path(os.path.expandvars(location)).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return
    for line in text.splitlines():
        if line.strip().lstrip("- ").startswith("location:"):
            yield line, location


def check_disks(folders: Mapping[str, Path]) -> Iterator[Finding]:
    """Report disks that are nearly full.

    Parameters
    ----------
    folders
        By what is written there, the folder, which need not exist yet.
    """
    reported: set[int] = set()
    for what, folder in folders.items():
        folder = folder.absolute()
        existing = next(path for path in (folder, *folder.parents) if path.exists())
        device = existing.stat().st_dev
        free = shutil.disk_usage(existing).free
        if not os.access(existing, os.W_OK):
            yield make_finding(
                Severity.ERROR,
                "disk",
                f"{existing} is not writable for you, and {what} go there",
                "nothing can be submitted",
                "choose another folder",
            )
        if free < _LEAST_SPACE and device not in reported:
            reported.add(device)
            yield make_finding(
                Severity.WARNING if free > _GIB else Severity.ERROR,
                "disk",
                f"only {free / _GIB:.1f} GiB are free on the disk of {existing}, where {what} go",
                "a run of 50 000 quanta has a submit directory of 240 MB, besides its graph and its images",
                "make room, or choose another folder",
            )


def check_versions(specs: Sequence[RunSpec]) -> Iterator[Finding]:
    """Report versions of Python and of packages that are known not to work, alone or together."""
    if is_affected() and not is_cured():
        yield make_finding(
            Severity.ERROR,
            "versions",
            "this Python cannot read quantum graphs of more than about a hundred quanta (CPython issue 127847)",
            "nearly every job ends with an EOFError",
            "use Python 3.12.9, 3.13.2 or later, or run `python -m apcampaign.common.zipfile_fix`",
        )
    weeklies = {}
    for package in _PACKAGES:
        try:
            weeklies[package] = ".".join(metadata.version(package).split(".")[:3])
        except metadata.PackageNotFoundError:
            continue
    if len({version[:10] for version in weeklies.values()}) > 1:
        listed = ", ".join(f"{package} {version}" for package, version in weeklies.items())
        yield make_finding(
            Severity.WARNING,
            "versions",
            f"Rubin's packages are of different weeks: {listed}",
            "they are only tested together with those of the same week",
            "install all of one week",
        )
