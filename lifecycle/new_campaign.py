"""The campaign file of a campaign that starts over: the old one with other names. Nothing is written."""

__all__ = ["NewCampaign", "StartOverRequest", "draft_campaign", "find_target", "load_for"]

import contextlib
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..apdb import ApdbTarget, find_apdb, namespace_for
from ..bps import CampaignConfig, Step, load_campaign
from ..bps.yaml_reading import YamlFile
from ..common.errors import ApdbError, SettingsError
from ..ledger import Workspace
from .free_names import Names
from .yaml_editing import Key, edit_yaml


@dataclass(frozen=True, kw_only=True)
class StartOverRequest:
    """What is asked for.

    Parameters
    ----------
    source
        The campaign file of the old campaign.
    file
        The new one, in the same folder; named after the new campaign's number by default.
    name
        The new campaign's name; the old one with ``-v2``, or the next number that is free, by default.
    database
        The database of its APDB; by default that of the old one, or a new SQLite file beside it.
    keep_templates
        Whether it takes the templates of the old one instead of making its own.
    day_obs
        The night, where the file names one.
    check
        Whether repository and database are asked for what is there.
    """

    source: Path
    file: Path | None = None
    name: str | None = None
    database: str | None = None
    keep_templates: bool = False
    day_obs: str | None = None
    check: bool = True


@dataclass(frozen=True, kw_only=True)
class NewCampaign:
    """A campaign file to be.

    Parameters
    ----------
    file, text
        The file.
    changes
        What it has otherwise than the old one.
    campaign
        The campaign in it.
    target
        Where its APDB is to be made; `None` if nobody has said.
    """

    file: Path
    text: str
    changes: Mapping[Key, Any]
    campaign: CampaignConfig
    target: ApdbTarget | None


def load_for(request: StartOverRequest, file: Path) -> CampaignConfig:
    """Read a campaign file, with the night that a request names."""
    return load_campaign(file, flags={("dayObs",): request.day_obs})


def draft_campaign(
    request: StartOverRequest, old: Workspace, file: YamlFile, names: Names, before: ApdbTarget | None
) -> NewCampaign:
    """Write the file of the new campaign, under names that need not be free.

    Parameters
    ----------
    request
        What is asked for.
    old, file
        The old campaign, and its file.
    names
        The new names.
    before
        Where the APDB of the old campaign is.

    Raises
    ------
    SettingsError
        If the file cannot be edited, or what it says then cannot be used.
    ApdbError
        If the place of the new APDB cannot be used.
    """
    path = request.file or request.source.with_name(names.rename_file(request.source.name))
    if path.resolve().parent != request.source.resolve().parent:
        raise SettingsError(
            f"{path} is in another folder than {request.source}, and paths in it are relative to its folder",
            remedy=f"name a file in {request.source.resolve().parent}",
        )
    changes: dict[Key, Any] = {("name",): names.name}
    root = file.content.get("outCollection")
    if isinstance(root, str) and "{name}" not in root:
        changes["outCollection",] = names.rename(root)
    changes.update(_change_apdb(request, old.campaign, file.content.get("apdb") or {}, names, before))
    if request.keep_templates:
        changes.update(_keep_templates(old.campaign))
    text = edit_yaml(file.text, changes)
    with tempfile.TemporaryDirectory(prefix="apcampaign-") as folder:
        written = Path(folder) / path.name
        written.write_text(text, encoding="utf-8")
        campaign = load_for(request, written)
    return NewCampaign(
        file=path, text=text, changes=changes, campaign=campaign, target=_plan_target(campaign)
    )


def find_target(old: Workspace) -> ApdbTarget | None:
    """Find where the APDB of a campaign is; `None` where nobody knows, or it is in no SQL database."""
    if old.campaign.apdb.config or old.paths.apdb_config.exists():
        with contextlib.suppress(ApdbError):
            return find_apdb(old.planned_apdb_config).target
        return None
    return _plan_target(old.campaign)


def _keep_templates(old: CampaignConfig) -> Iterator[tuple[Key, Any]]:
    templates = f"{old.root_collection}/{Step.TEMPLATES}"
    yield ("steps",), [str(Step.DIFFIM)]
    if old.diffim.skip_existing is None:
        # What the step has calibrated was taken over by default, and of templates from elsewhere nothing is.
        yield ("diffim", "skipExistingIn"), templates
    yield ("diffim", "templates"), templates


def _change_apdb(
    request: StartOverRequest,
    old: CampaignConfig,
    section: Mapping[str, Any],
    names: Names,
    before: ApdbTarget | None,
) -> Iterator[tuple[Key, Any]]:
    """Find the place of the new APDB: another namespace of the same database, or another SQLite file."""
    if old.apdb.config:
        if request.database is None:
            raise SettingsError(
                f"campaign {old.name} fills the ready APDB {old.apdb.config}, beside which none can be made",
                remedy="name the database of the new APDB with --db postgresql://user@host/database",
            )
        yield ("apdb", "config"), None
    url = request.database or section.get("url") or (before and before.url.replace("+psycopg2", ""))
    if url and url.startswith("sqlite") and request.database is None:
        url = names.rename_file(url)
    if url and url != section.get("url"):
        yield ("apdb", "url"), url
    namespace = section.get("namespace")
    if (url or "").startswith("sqlite"):
        if namespace is not None:
            yield ("apdb", "namespace"), None
        return
    if namespace is None and namespace_for(names.name) == namespace_for(old.name):
        namespace = namespace_for(old.name)  # the names differ beyond what a namespace can have
    if namespace is not None:
        yield ("apdb", "namespace"), names.rename_namespace(namespace)


def _plan_target(campaign: CampaignConfig) -> ApdbTarget | None:
    """Find where the APDB of a campaign is to be made."""
    settings = campaign.apdb
    if settings.url is None:
        return None
    sqlite = settings.url.startswith("sqlite")
    namespace = None if sqlite else settings.namespace or namespace_for(campaign.name)
    return ApdbTarget.from_url(settings.url, namespace)
