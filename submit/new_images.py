"""New images of a campaign that goes on filling its APDB: of which nights they are, which come too late."""

__all__ = ["ImageState", "KnownImages", "NewImages", "sort_images"]

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from ..bps import CampaignConfig, NightSelection
from ..common.errors import PreconditionError
from ..common.text import count
from ..ordering import VisitDetector

_MOST_LISTED = 5


class ImageState(StrEnum):
    """How far an image that a campaign selects is."""

    NEW = "new"  #: no run was given it
    UNFINISHED = "unfinished"  #: a run was to associate it, and has not
    WITHOUT_WORK = "without work"  #: a run was given it, and had nothing to associate: it has no template
    DONE = "done"  #: it is associated

    @property
    def is_pending(self) -> bool:
        """Whether it may still be associated."""
        return self is not ImageState.DONE


@dataclass(frozen=True, kw_only=True)
class KnownImages:
    """The images that a campaign selects, and what has become of them.

    Parameters
    ----------
    nights
        The night of each that it selects.
    given, planned
        Those that its runs were given, and those that they were to associate.
    done
        Those that are associated.
    """

    nights: Mapping[VisitDetector, int]
    given: frozenset[VisitDetector] = frozenset()
    planned: frozenset[VisitDetector] = frozenset()
    done: frozenset[VisitDetector] = frozenset()

    def state(self, image: VisitDetector) -> ImageState:
        """Tell how far one of them is."""
        if image in self.done:
            return ImageState.DONE
        if image in self.planned:
            return ImageState.UNFINISHED
        return ImageState.WITHOUT_WORK if image in self.given else ImageState.NEW


@dataclass(frozen=True, kw_only=True)
class NewImages:
    """What of a campaign is not associated, night by night.

    Parameters
    ----------
    images
        The images that it selects, by night and state.
    late
        Those that are earlier than what the APDB holds of the same sky, each with the latest of that.
    asked
        The nights that were asked for; `None` if all that the campaign selects.
    undone
        Whether the newest runs have left quanta undone.
    carried
        The nights of these.
    """

    images: Mapping[int, Mapping[ImageState, frozenset[VisitDetector]]]
    late: Mapping[VisitDetector, VisitDetector] = field(default_factory=dict)
    asked: NightSelection | None = None
    undone: bool = False
    carried: frozenset[int] = frozenset()

    @property
    def new(self) -> frozenset[VisitDetector]:
        """Those that no run was given."""
        return self._in_state(ImageState.NEW)

    @property
    def _unfinished(self) -> frozenset[VisitDetector]:
        return self._in_state(ImageState.UNFINISHED)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to submit: where nights were asked for, what is left undone is for `resume`."""
        return not self.new and (self.asked is not None or not (self.undone or self._unfinished))

    @property
    def too_late(self) -> dict[VisitDetector, VisitDetector]:
        """The new ones that would be out of time order."""
        return {image: later for image, later in sorted(self.late.items()) if image in self.new}

    @property
    def deferred(self) -> dict[VisitDetector, int]:
        """Those of earlier runs that later visits have gone past already, so that they come late anyway.

        None where no nights were asked for: what the campaign file selects is refused then.
        """
        return {image: 1 for image in sorted(self.late) if image not in self.new and self.asked is not None}

    @property
    def nights(self) -> tuple[int, ...]:
        """The nights that have something to do."""
        states = (ImageState.NEW, ImageState.UNFINISHED)
        found = {night for night, images in self.images.items() if any(images.get(state) for state in states)}
        return tuple(sorted(found | self.carried))

    @property
    def pending(self) -> frozenset[VisitDetector]:
        """The images of these nights that are not associated."""
        found = [self.images.get(night, {}).items() for night in self.nights]
        return frozenset().union(*(each for night in found for state, each in night if state.is_pending))

    def narrow(self, campaign: CampaignConfig) -> CampaignConfig:
        """Give the campaign of the nights that have something to do, if nights were asked for."""
        if self.asked is None or not self.nights:
            return campaign
        return NightSelection(self.nights).select(campaign)

    def describe(self) -> Iterator[str]:
        """Say it in lines: what is new, and what earlier nights have left."""
        which = "" if self.asked is None else f" of {self.asked}"
        if not self.images:
            yield f"nothing new: the campaign selects no raw image{which}"
            return
        if self.is_empty:
            total = count(sum(map(_size, self.images.values())), "image")
            yield f"nothing new: the campaign selects {total}{which}, all of which earlier runs were given"
        for night in self.nights:
            images = self.images.get(night, {})
            new, left = (len(images.get(each, ())) for each in (ImageState.NEW, ImageState.UNFINISHED))
            visits = count(len({visit for found in images.values() for visit, _ in found}), "visit")
            made = f"{left} not associated by earlier runs" if left else ""
            parts = [f"{new} new" if new else "", made, "unfinished quanta" if night in self.carried else ""]
            of = f"night {night}: {visits}, {count(_size(images), 'image')}: {', '.join(filter(None, parts))}"
            yield f"{of}; `apcampaign resume` goes on with that" if self.is_empty else of

    def obstacles(self, apdb_config: str) -> Iterator[PreconditionError]:
        """Say which new images come too late, night by night, and what to do."""
        late = self.too_late
        for night, images in sorted(self.images.items()):
            new = images.get(ImageState.NEW, frozenset())
            if not (found := [image for image in late if image in new]):
                continue
            shown = ", ".join(
                f"visit {visit} detector {detector} (after visit {late[visit, detector][0]})"
                for visit, detector in found[:_MOST_LISTED]
            )
            more = f" and {len(found) - _MOST_LISTED} more" if len(found) > _MOST_LISTED else ""
            visits = ", ".join(map(str, sorted({visit for visit, _ in found})))
            yield PreconditionError(
                f"night {night} comes too late: {len(found)} of its {count(len(new), 'new image')} are earlier "
                f"than what the APDB {apdb_config} holds of the same sky: {shown}{more}",
                expected="associations in time order",
                remedy=f"leave these out with `where: visit NOT IN ({visits})` in the campaign file, or have them "
                "too in an empty APDB: `apcampaign start-over`",
            )

    def as_dict(self) -> list[dict[str, Any]]:
        """Give it as plain values, for JSON."""
        return [
            {
                "night": night,
                "visits": len({visit for found in images.values() for visit, _ in found}),
                **{str(state).replace(" ", "_"): len(images.get(state, ())) for state in ImageState},
                "too_late": sorted(list(each) for each in self.too_late if each in images[ImageState.NEW]),
            }
            for night, images in sorted(self.images.items())
        ]

    def _in_state(self, state: ImageState) -> frozenset[VisitDetector]:
        return frozenset().union(*(images.get(state, frozenset()) for images in self.images.values()))


def sort_images(known: KnownImages) -> dict[int, dict[ImageState, frozenset[VisitDetector]]]:
    """Sort the images that a campaign selects by night and state. Asks nobody."""
    found: dict[int, dict[ImageState, set[VisitDetector]]] = {}
    for image, night in known.nights.items():
        found.setdefault(night, {}).setdefault(known.state(image), set()).add(image)
    return {
        night: {state: frozenset(images) for state, images in by_state.items()}
        for night, by_state in sorted(found.items())
    }


def _size(images: Mapping[ImageState, Collection[VisitDetector]]) -> int:
    return sum(map(len, images.values()))
