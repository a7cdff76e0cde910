"""What a repository knows, for those who begin a campaign: instruments, skymaps, tracts, collections."""

__all__ = ["find_unregistered"]

import difflib
from collections.abc import Iterator, Sequence
from typing import Any

from ...bps import CampaignConfig
from .repository import open_repository


def find_unregistered(campaign: CampaignConfig) -> list[str]:
    """Say what a campaign names and its repository does not have.

    Parameters
    ----------
    campaign
        The campaign.

    Returns
    -------
    missing
        A sentence about each; none if all is there.

    Raises
    ------
    RepositoryError
        If the repository cannot be opened.
    """
    with open_repository(campaign.butler) as butler:
        return [*_find_missing(butler, campaign)]


def _find_missing(butler: Any, campaign: CampaignConfig) -> Iterator[str]:
    registered: dict[str, list[str]] = {}
    for dimension, name in (("instrument", campaign.instrument), ("skymap", campaign.skymap)):
        records = butler.query_dimension_records(dimension, explain=False)
        known = registered[dimension] = sorted(str(record.name) for record in records)
        if name not in known:
            yield f"{dimension}: {name!r} is not registered; {_near(name, known)}"
    collections = [str(name) for name in butler.collections.query("*")]
    for name in campaign.input_collections:
        if name not in collections:
            yield f"inCollection: there is no collection {name!r}; {_near(name, collections)}"
    if campaign.tracts and campaign.skymap in registered["skymap"]:
        found = butler.query_dimension_records(
            "tract",
            where="tract IN (:tracts)",
            bind={"tracts": list(campaign.tracts)},
            skymap=campaign.skymap,
            explain=False,
        )
        if absent := sorted(set(campaign.tracts) - {int(record.id) for record in found}):
            yield f"tracts: {campaign.skymap} has no {', '.join(map(str, absent))}"


def _near(name: str, known: Sequence[str]) -> str:
    same = [each for each in known if each.lower() == name.lower()]
    near = same or difflib.get_close_matches(name, known, n=3, cutoff=0.5) or known[:5]
    return f"there is {', '.join(near)}" if near else "there is none"
