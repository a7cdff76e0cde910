"""New images of a campaign that goes on filling its APDB: of which nights they are, which come too late."""

__all__ = ["MOST_RUNS", "ImageState", "KnownImages", "NewImages", "sort_images"]

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from ...bps import CampaignConfig, NightSelection
from ...common.errors import PreconditionError
from ...common.text import count
from ...ordering import VisitDetector

#: What has not succeeded in so many runs is not tried again by itself.
MOST_RUNS = 3
_MOST_LISTED = 5


class ImageState(StrEnum):
    """How far an image that a campaign selects is."""

    NEW = "new"  #: no run was given it
    UNFINISHED = "unfinished"  #: a run was to do something with it, and has not
    GIVEN_UP = "given up"  #: the same, of several runs
    WITHOUT_WORK = "without work"  #: a run was given it, and had nothing to associate: it has no template
    DONE = "done"  #: it is associated


@dataclass(frozen=True, kw_only=True)
class KnownImages:
    """The images that a campaign selects, and what has become of them.

    Parameters
    ----------
    nights
        The night of each that it selects.
    runs
        How many runs each was given to.
    planned
        Those that runs were to associate.
    done
        Those that are associated.
    undone
        Those of which runs have left anything undone that no other has done, whether or not they are associated.
    """

    nights: Mapping[VisitDetector, int]
    runs: Mapping[VisitDetector, int] = field(default_factory=dict)
    planned: frozenset[VisitDetector] = frozenset()
    done: frozenset[VisitDetector] = frozenset()
    undone: frozenset[VisitDetector] = frozenset()

    def state(self, image: VisitDetector) -> ImageState:
        """Tell how far one of them is."""
        runs = self.runs.get(image, 0)
        if image in self.undone or (image in self.planned and image not in self.done):
            return ImageState.UNFINISHED if runs < MOST_RUNS else ImageState.GIVEN_UP
        if image in self.done:
            return ImageState.DONE
        return ImageState.WITHOUT_WORK if runs else ImageState.NEW


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
    skip_late
        Whether new ones that come too late are left out, and do not hold the others up.
    """

    images: Mapping[int, Mapping[ImageState, frozenset[VisitDetector]]]
    late: Mapping[VisitDetector, VisitDetector] = field(default_factory=dict)
    asked: NightSelection | None = None
    skip_late: bool = False

    @property
    def new(self) -> frozenset[VisitDetector]:
        """Those that no run was given."""
        return self._in_state(ImageState.NEW)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to submit: where nights were asked for, what is left undone is for `resume`."""
        left = self._in_state(ImageState.UNFINISHED) | self._in_state(ImageState.GIVEN_UP)
        return not self._wanted and (self.asked is not None or not left)

    @property
    def _wanted(self) -> frozenset[VisitDetector]:
        return self.new - self.too_late.keys() if self.skip_late else self.new

    @property
    def too_late(self) -> dict[VisitDetector, VisitDetector]:
        """The new ones that would be out of time order."""
        new = self.new
        return {image: later for image, later in sorted(self.late.items()) if image in new}

    @property
    def deferred(self) -> dict[VisitDetector, int]:
        """Those of earlier runs that later visits have gone past already, so that they come late anyway."""
        return dict.fromkeys(sorted(self.late.keys() - self.new), 1)

    @property
    def taken(self) -> NightSelection:
        """What is taken: the nights that have anything new, and visits of others of which something is undone."""
        wanted = self._wanted
        nights = {
            night
            for night, images in self.images.items()
            if not wanted.isdisjoint(images.get(ImageState.NEW, ()))
        }
        left = {
            visit
            for night, images in self.images.items()
            for visit, _ in images.get(ImageState.UNFINISHED, ())
            if night not in nights
        }
        without = tuple(self.too_late) if self.skip_late else ()
        return NightSelection(tuple(sorted(nights)), visits=tuple(sorted(left)), without=without)

    @property
    def pending(self) -> frozenset[VisitDetector]:
        """The images that are taken and are not done."""
        nights, visits = self.taken.nights, self.taken.visits
        return frozenset(
            image
            for night, states in self.images.items()
            for state, images in states.items()
            for image in images
            if state is not ImageState.DONE and (self.asked is None or night in nights or image[0] in visits)
        )

    def narrow(self, campaign: CampaignConfig) -> CampaignConfig:
        """Give the campaign of what is taken, if nights were asked for and there is anything."""
        return campaign if self.asked is None or self.is_empty else self.taken.select(campaign)

    def describe(self) -> Iterator[str]:
        """Say it in lines: what is new, and what earlier runs have left."""
        which = "" if self.asked is None else f" of {self.asked}"
        if not self.images:
            yield f"nothing new: the campaign selects no raw image{which}"
            return
        if self.is_empty:
            total = count(sum(map(_size, self.images.values())), "image")
            yield f"nothing new: the campaign selects {total}{which}, all of which earlier runs were given"
        too_late = self.too_late.keys()
        for night, images in self.images.items():
            parts = [
                f"{len(images[state])} {said}"
                for state, said in (
                    (ImageState.NEW, "new"),
                    (ImageState.UNFINISHED, "not finished by earlier runs"),
                    (ImageState.GIVEN_UP, f"not finished by {MOST_RUNS} runs"),
                )
                if state in images
            ]
            if late := too_late & images.get(ImageState.NEW, frozenset()):
                parts.append(f"{len(late)} of these too late{' and left out' if self.skip_late else ''}")
            if parts:
                visits = count(len({visit for found in images.values() for visit, _ in found}), "visit")
                yield f"night {night}: {visits}, {count(_size(images), 'image')}: {', '.join(parts)}"
        if self.is_empty and self._in_state(ImageState.UNFINISHED):
            yield "what is not finished goes on with `apcampaign resume`"
        if self.asked is not None and self._in_state(ImageState.GIVEN_UP):
            yield f"what {MOST_RUNS} runs have not finished goes on with `apcampaign submit diffim --continue`"

    def obstacles(self, apdb_config: str) -> Iterator[PreconditionError]:
        """Say which new images come too late, night by night, and what to do; nothing if they are left out."""
        late = {} if self.skip_late else self.too_late
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
                remedy=f"leave these out with `--skip-late`, or for good with `where: visit NOT IN ({visits})` in "
                "the campaign file, or have them too in an empty APDB: `apcampaign start-over`",
            )

    def as_dict(self) -> list[dict[str, Any]]:
        """Give it as plain values, for JSON."""
        too_late = self.too_late.keys()
        return [
            {
                "night": night,
                "visits": len({visit for found in images.values() for visit, _ in found}),
                **{str(state).replace(" ", "_"): len(images.get(state, ())) for state in ImageState},
                "too_late": sorted(map(list, too_late & images.get(ImageState.NEW, frozenset()))),
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
