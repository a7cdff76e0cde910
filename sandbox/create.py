"""Creation of a sandbox: the folder that holds a miniature DC2, and what is needed to use it."""

__all__ = [
    "AP_PIPE_DIR",
    "FAKES_FILE",
    "PACKAGES",
    "STORAGE_CLASSES",
    "Sandbox",
    "create_sandbox",
    "open_sandbox",
]

import json
import os
import reprlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from ..common.errors import SandboxError
from ..common.files import write_atomically
from ..common.identity import user_name
from ..common.progress import show_progress
from .cameras import APDB_BANDS, IMSIM
from .injection import INJECTION_COLLECTION
from .survey import DEMO, SandboxSize, Survey

_PACKAGE = Path(str(files("apcampaign.sandbox"))).resolve()
AP_PIPE_DIR = _PACKAGE / "ap_pipe"
"""The stand-in for Rubin's package ap_pipe."""
PACKAGES = {"AP_PIPE_DIR": str(AP_PIPE_DIR), "DRP_PIPE_DIR": str(_PACKAGE / "drp_pipe")}
"""The variables of Rubin's packages that have stand-ins."""
STORAGE_CLASSES = str(_PACKAGE / "config")
"""The folder for ``DAF_BUTLER_CONFIG_PATH``."""

FAKES_FILE = "campaign-fakes.yaml"
"""The campaign file beside the plain one whose campaign injects sources."""

_MARKER = "sandbox.json"
_FORMAT = 3
# The last visit of an unkind survey lies beside the templates.
_MOST_MISSING_TEMPLATES = 50  # percent
# What a job of usual images needs, MiB; the crowded ones need more. A job requests what its largest task does, so
# all tasks of those jobs are named; only difference imaging has the last.
_LITTLE = 768
_CALIBRATION = {
    "templates": ("isr", "calibrateImage"),
    "diffim": ("isr", "calibrateImage", "analyzePreliminarySummaryStats"),
}
# What is injected into which image: the catalogue says it.
_INJECTED = {
    "injectVisit:selection": "injection_catalog['isVisitSource']",
    "injectTemplate:selection": "injection_catalog['isTemplateSource']",
    "injectTemplate:process_all_data_ids": True,
}
_MATCHED, _EDGE = 2.0, 12.0  # pixels, as for the score


@dataclass(frozen=True)
class Sandbox:
    """A folder with a miniature DC2.

    Parameters
    ----------
    folder
        The absolute path.
    size
        The options that it was created with.
    """

    folder: Path
    size: SandboxSize

    @property
    def butler(self) -> Path:
        """The Butler repository."""
        return self.folder / "repo"

    @property
    def environment(self) -> Mapping[str, str]:
        """The variables that clients and batch jobs need.

        ``DAF_BUTLER_CONFIG_PATH`` is set because Rubin's storage class names mean other Python types here.
        """
        return {**PACKAGES, "DAF_BUTLER_CONFIG_PATH": STORAGE_CLASSES}

    def campaign(self) -> dict[str, Any]:
        """Return the content of this sandbox's campaign file, without ``apdb`` and ``site``."""
        survey, camera = Survey(self.size), self.size.camera
        templates: dict[str, Any] = {"pipeline": camera.pipelines[0]}
        diffim: dict[str, Any] = {"pipeline": camera.pipelines[1]}
        if self.size.template_visits:
            first = survey.science_visits[0].id
            templates["where"], diffim["where"] = f"visit < {first}", f"visit >= {first}"
        if others := [band for band in self.size.bands if band not in APDB_BANDS]:
            without = f"band NOT IN ({', '.join(map(repr, others))})"
            diffim["where"] = " AND ".join(filter(None, (diffim.get("where"), without)))
        if not camera.shares_calibration:
            diffim["skipExistingIn"] = []
        campaign: dict[str, Any] = {
            "name": "sandbox",
            "butler": str(self.butler),
            "instrument": camera.name,
            "skymap": camera.skymap_name,
            "tracts": list(survey.tracts),
            "bands": list(self.size.bands),
            "inCollection": camera.defaults[0],
            "templates": templates,
            "diffim": diffim,
        }
        if self.size.unkind:
            campaign["allowMissingTemplates"] = _MOST_MISSING_TEMPLATES
            for step, labels in _CALIBRATION.items():
                campaign[step]["bps"] = {"pipetask": {label: {"requestMemory": _LITTLE} for label in labels}}
        return campaign

    def injected_campaign(self, plain: Mapping[str, Any]) -> dict[str, Any]:
        """Return the content of the file of a campaign with injected sources, beside that of a plain one.

        Parameters
        ----------
        plain
            The content of the plain campaign's file, ``campaign.yaml`` in the same folder. The sources are
            injected into its science images, from which its templates are subtracted.
        """
        templates = f"u/{user_name()}/{plain['name']}/templates"
        scale = Survey(self.size).scale
        return {
            **{key: value for key, value in plain.items() if key != "templates"},
            "name": f"{plain['name']}-fakes",
            "steps": ["diffim"],
            "diffim": {
                **plain["diffim"],
                "pipeline": "ApPipeWithFakes-DC2.yaml",
                "templates": templates,
                "skipExistingIn": [templates],
                "config": _INJECTED,
            },
            "injection": {
                "catalog": INJECTION_COLLECTION,
                "beside": "campaign.yaml",
                "radius": round(_MATCHED * scale, 2),
                "edge": round(_EDGE * scale, 1),
            },
        }

    def write_campaigns(self, folder: Path, plain: Mapping[str, Any], head: str = "") -> None:
        """Write a campaign's file, and that of the one with injected sources beside it, if it has a pipeline."""
        contents = {"campaign.yaml": plain}
        if self.size.instrument == IMSIM:
            contents[FAKES_FILE] = self.injected_campaign(plain)
        for name, content in contents.items():
            write_atomically(folder / name, head + yaml.safe_dump(dict(content), sort_keys=False))


def create_sandbox(folder: Path, size: SandboxSize | None = None, *, head: str = "") -> Sandbox:
    """Create a miniature DC2, or return the existing one.

    Parameters
    ----------
    folder
        A folder that is missing, empty, or a sandbox of the same size. It appears complete or not at all.
    size
        How large it is; the demo's size by default.
    head
        First lines of its campaign file.

    Returns
    -------
    sandbox
        The new or the existing one.

    Raises
    ------
    SandboxError
        If the folder holds anything else.
    """
    size, folder = size or DEMO, folder.resolve()
    sandbox = Sandbox(folder, size)
    if _exists(sandbox):
        return sandbox
    folder.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    try:
        with show_progress("making the sandbox"):
            _fill(Sandbox(staging, size))
        sandbox.write_campaigns(staging, sandbox.campaign(), head)
        (staging / _MARKER).write_text(json.dumps(_marker(size)))
        staging.chmod(0o755)
        try:
            staging.rename(folder)
        except OSError as exc:
            raise SandboxError(
                f"the finished sandbox cannot be moved to {folder}, where something else has been written: "
                f"{exc.strerror}",
                remedy="choose another folder",
            ) from exc
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return sandbox


def open_sandbox(folder: Path) -> Sandbox | None:
    """Give the sandbox that a folder holds; `None` if it holds none of this version.

    Parameters
    ----------
    folder
        Where it has been created.
    """
    try:
        found = json.loads((folder / _MARKER).read_text())
    except (OSError, ValueError):
        return None
    if found.get("format") != _FORMAT:
        return None
    return Sandbox(folder.resolve(), SandboxSize.from_mapping(found["size"]))


def _fill(sandbox: Sandbox) -> None:
    # Butler reads the variables once for each process, and this one may have used it already.
    command = [sys.executable, "-m", "apcampaign.sandbox.repository", str(sandbox.butler)]
    done = subprocess.run(
        command,
        env=os.environ | sandbox.environment,
        input=json.dumps(sandbox.size.to_mapping()),
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        raise SandboxError(
            f"the miniature DC2 cannot be created; the process ended with:\n{done.stderr.strip()[-2000:]}"
        )


def _marker(size: SandboxSize) -> dict[str, Any]:
    return {"format": _FORMAT, "size": size.to_mapping()}


def _list_options(size: Mapping[str, Any], names: Iterable[str]) -> str:
    return ", ".join(f"{name} {reprlib.repr(size[name])}" for name in names)


def _exists(sandbox: Sandbox) -> bool:
    folder, wanted = sandbox.folder, sandbox.size.to_mapping()
    if not folder.exists():
        return False
    marker = folder / _MARKER
    if marker.is_file():
        found = json.loads(marker.read_text())
        remedy = "choose another folder, or remove it first"
        if found.get("format") != _FORMAT:
            raise SandboxError(
                f"{folder} holds a sandbox of another version of apcampaign (its format is "
                f"{found.get('format')})",
                expected=f"format {_FORMAT}",
                remedy=remedy,
            )
        # One of an earlier version does not name what all had then.
        has = {**SandboxSize().to_mapping(), **found["size"]}
        if differ := sorted(name for name in wanted if has[name] != wanted[name]):
            raise SandboxError(
                f"{folder} holds a sandbox with other options: {_list_options(has, differ)}",
                expected=_list_options(wanted, differ),
                remedy=remedy,
            )
        return True
    if not folder.is_dir() or any(folder.iterdir()):
        raise SandboxError(
            f"{folder} exists and is not a sandbox",
            expected="a folder that is missing or empty",
            remedy="choose another folder",
        )
    return False
