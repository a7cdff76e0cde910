"""Nights that a campaign goes on with: some that are named, or all from one on; and visits of others."""

__all__ = ["NightSelection"]

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Self

from pydantic import TypeAdapter, ValidationError

from ..common.errors import SettingsError
from .campaign import CampaignConfig
from .values import Nights

_OPEN = re.compile(r"\s*(\d{8})\s*\.\.\s*")
_EXPECTED = "nights such as 20260905, 20260905..20260907, or 20260905.. for all from that one on"


@dataclass(frozen=True)
class NightSelection:
    """Some observing nights.

    Parameters
    ----------
    nights
        Those that are named, ``YYYYMMDD``.
    since
        Also all from this one on; `None` if those that are named are all.
    visits
        Also these visits, of whichever night.
    without
        But not these (visit, detector)s.
    """

    nights: tuple[int, ...] = ()
    since: int | None = None
    visits: tuple[int, ...] = ()
    without: tuple[tuple[int, int], ...] = ()

    @classmethod
    def read(cls, given: Sequence[int] | int | str) -> Self:
        """Read nights as the campaign file has them, or ``20260905..`` for all from that one on.

        Raises
        ------
        SettingsError
            If it is neither.
        """
        if isinstance(given, str) and (found := _OPEN.fullmatch(given)):
            (since,) = _read(found[1])
            return cls(since=since)
        return cls(_read(given))

    @property
    def condition(self) -> str:
        """The condition of a data query."""
        terms = [f"day_obs IN ({', '.join(map(str, self.nights))})"] if self.nights else []
        terms += [f"day_obs >= {self.since}"] if self.since is not None else []
        terms += [f"visit IN ({', '.join(map(str, self.visits))})"] if self.visits else []
        some = " OR ".join(terms)
        if not self.without:
            return some
        detectors: dict[int, list[int]] = {}
        for visit, detector in self.without:
            detectors.setdefault(visit, []).append(detector)
        left_out = " OR ".join(
            f"(visit = {visit} AND detector IN ({', '.join(map(str, numbers))}))"
            for visit, numbers in detectors.items()
        )
        return f"({some}) AND NOT ({left_out})"

    def __str__(self) -> str:
        named = ", ".join(map(str, self.nights))
        return named if self.since is None else f"{named}{', ' * bool(named)}{self.since} and later"

    def add_visits(self, visits: Iterable[int]) -> Self:
        """Give the selection with visits of other nights."""
        return replace(self, visits=tuple(sorted({*self.visits, *visits})))

    def select(self, campaign: CampaignConfig) -> CampaignConfig:
        """Give a campaign of these nights only.

        Raises
        ------
        SettingsError
            If the data query of difference imaging is written as a whole, so that nothing can be added to it.
        """
        if campaign.diffim.data_query:
            raise SettingsError(
                "diffim.dataQuery is a whole data query, to which no nights can be added",
                remedy="write what it says as 'where', or name the nights in it and go on with `apcampaign submit "
                "diffim --continue`",
            )
        if self.since is None and not self.visits and not self.without:
            return campaign.model_copy(update={"day_obs": self.nights})
        where = f"({campaign.where}) AND ({self.condition})" if campaign.where else self.condition
        return campaign.model_copy(update={"day_obs": None, "where": where})


def _read(given: Sequence[int] | int | str) -> tuple[int, ...]:
    try:
        nights: tuple[int, ...] = TypeAdapter(Nights).validate_python(given)
    except ValidationError as error:
        said = error.errors(include_url=False)[0]["msg"].removeprefix("Value error, ")
        raise SettingsError(f"these are no nights: {said}", expected=_EXPECTED) from None
    return tuple(sorted(nights))
