"""Comparison of a campaign with injected sources and the plain one beside it: what they may share, and must."""

__all__ = ["check_beside", "compare_with_plain"]

from collections.abc import Iterator
from pathlib import Path

from ...apdb import namespace_for
from ...bps import CampaignConfig, load_campaign
from ...bps.lint import Finding, Severity
from ...common.errors import ApcampaignError
from ...ledger import Workspace
from .run_spec import make_finding

#: In these the campaigns must be alike for their comparison to mean anything.
_SAME = ("butler", "instrument", "skymap", "tracts", "bands", "day_obs", "where")


def check_beside(workspace: Workspace) -> Iterator[Finding]:
    """Report what an injected campaign would share with the plain one beside it, and what it selects otherwise."""
    campaign = workspace.campaign
    if campaign.injection is None or campaign.injection.beside is None:
        return
    try:
        plain = load_campaign(Path(campaign.injection.beside))
    except ApcampaignError as error:
        yield make_finding(
            Severity.ERROR,
            "injection",
            f"the plain campaign cannot be read: {error}",
            "it cannot be told whether its collections and its APDB are left alone",
            "correct the path, or remove 'beside'",
            key="injection: beside",
        )
        return
    yield from compare_with_plain(workspace, Workspace(plain, workspace.runs))


def compare_with_plain(injected: Workspace, plain: Workspace) -> Iterator[Finding]:
    """Report what an injected campaign shares with a plain one that it must not, and where they differ."""
    ours, theirs = injected.campaign, plain.campaign
    shared = []
    if ours.name == theirs.name:
        shared.append((f"the name {ours.name!r}, and so the folder of runs", "name", "another name"))
    if _overlap(ours.root_collection, theirs.root_collection):
        shared.append((f"the output {ours.root_collection!r}", "outCollection", "another collection"))
    if _place_of_apdb(injected) == _place_of_apdb(plain):
        shared.append(("the APDB", "apdb", "another namespace, or another database"))
    for what, key, other in shared:
        yield make_finding(
            Severity.ERROR,
            "injection",
            f"this campaign and the plain one ({theirs.name}) have {what} in common",
            "the plain campaign would hold sources that are not on the sky",
            f"choose {other}",
            key=key,
        )
    if different := [name for name in _SAME if getattr(ours, name) != getattr(theirs, name)]:
        keys = ", ".join(CampaignConfig.model_fields[name].alias or name for name in different)
        yield make_finding(
            Severity.WARNING,
            "injection",
            f"this campaign and the plain one ({theirs.name}) differ in {keys}",
            "what is found in one says little about the other",
            "write the same, unless that is intended",
            key=keys,
        )


def _overlap(one: str, other: str) -> bool:
    return one == other or one.startswith(f"{other}/") or other.startswith(f"{one}/")


def _place_of_apdb(workspace: Workspace) -> tuple[str, ...]:
    """Name the place of a campaign's APDB: the same for two campaigns that would write to the same."""
    settings = workspace.campaign.apdb
    if settings.config:
        return ("config", settings.config)
    if settings.url is None:
        return ("none", workspace.campaign.name)
    # A database in a file has no namespaces.
    own = settings.namespace or namespace_for(workspace.campaign.name)
    return ("url", settings.url, "" if settings.url.startswith("sqlite") else own)
