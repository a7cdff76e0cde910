"""Templates that the science visits need, and which of them are missing."""

__all__ = ["TemplateCoverage", "check_templates", "find_templates", "require_templates"]

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ...bps import CampaignConfig, PlannedRun
from ...common.butler import open_butler
from ...common.errors import PreconditionError, RepositoryError
from .products import TEMPLATE

#: Tract, patch and band.
TemplateId = tuple[int, int, str]

_SHOWN = 10
#: More runs are counted.
_MOST_RUNS = 4


@dataclass(frozen=True, kw_only=True)
class TemplateCoverage:
    """Which templates the science visits need, and which of them are missing.

    Parameters
    ----------
    needed, missing
        (tract, patch, band) of the templates.
    collections
        Where they were looked for.
    runs
        The RUN collection of each of them that is there.
    """

    needed: frozenset[TemplateId]
    missing: frozenset[TemplateId]
    collections: tuple[str, ...]
    runs: Mapping[TemplateId, str] = field(default_factory=dict)

    @property
    def missing_percent(self) -> float:
        """How many percent are missing."""
        return 100 * len(self.missing) / len(self.needed) if self.needed else 0.0

    def within(self, percent: float) -> bool:
        """Tell whether at most this share is missing."""
        return self.missing_percent <= percent

    def __or__(self, other: "TemplateCoverage") -> "TemplateCoverage":
        """Put the coverage of two runs together; what both need is missing if one of them lacks it."""
        return TemplateCoverage(
            needed=self.needed | other.needed,
            missing=self.missing | other.missing,
            collections=tuple(dict.fromkeys((*self.collections, *other.collections))),
            runs={**self.runs, **other.runs},
        )

    def describe(self) -> str:
        """Say it in a sentence."""
        needed = f"{len(self.needed)} (patch, band) that the science visits need"
        if not self.missing:
            return f"templates: all {needed} are there{self._by_run()}"
        return (
            f"templates: {len(self.missing)} of {needed} are missing in {', '.join(self.collections)}: "
            f"{self.list_missing()}{self._by_run()}"
        )

    def list_missing(self) -> str:
        """List the first of the missing ones."""
        shown = sorted(self.missing)[:_SHOWN]
        listed = ", ".join(f"tract {tract} patch {patch} {band}" for tract, patch, band in shown)
        return listed + (
            f" and {len(self.missing) - len(shown)} more" if len(self.missing) > len(shown) else ""
        )

    def _by_run(self) -> str:
        """Name the runs if there are several: templates of an older one may not be wanted."""
        counts = Counter(self.runs.values())
        if len(counts) < 2:
            return ""
        if len(counts) > _MOST_RUNS:
            return f" (those that are there: from {len(counts)} runs)"
        listed = ", ".join(f"{count} from {run}" for run, count in sorted(counts.items(), reverse=True))
        return f" (those that are there: {listed})"


def check_templates(campaign: CampaignConfig, run: PlannedRun) -> TemplateCoverage:
    """Compare the templates that a diffim run needs with those that are there.

    Parameters
    ----------
    campaign
        The campaign.
    run
        Its diffim run; the first of its inputs holds the templates.

    Raises
    ------
    RepositoryError
        If the repository or a collection cannot be read, or the data query selects no science visit.
    """
    collection, *science = run.inputs
    purpose = (
        f"the templates in {collection} cannot be compared with the science visits in {', '.join(science)} of "
        f"{campaign.butler}"
    )
    with open_butler(campaign.butler, purpose) as butler:
        needed = _find_needed(butler, science, run.query)
        found = _find_made(butler, collection)
    if not needed:
        raise RepositoryError(
            f"the diffim step's data query selects no raw image in {', '.join(science)}: {run.query}",
            remedy="correct tracts, bands, 'where' or 'inCollection' in the campaign file",
        )
    return TemplateCoverage(
        needed=needed,
        missing=needed - found.keys(),
        collections=(collection,),
        runs={key: run for key, run in found.items() if key in needed},
    )


def require_templates(campaign: CampaignConfig, run: PlannedRun) -> TemplateCoverage:
    """See that the templates of a run are there, but for those that the campaign lets be missing.

    Parameters and errors as `check_templates`.

    Raises
    ------
    PreconditionError
        If too many are missing; it lists them.
    """
    coverage = check_templates(campaign, run)
    if not coverage.within(campaign.allow_missing_templates):
        raise PreconditionError(
            f"{coverage.describe()}; the campaign allows {campaign.allow_missing_templates:g} % "
            "(allowMissingTemplates, --allow-missing-templates)",
            remedy="if a templates run of the campaign has failed, see `apcampaign failures`, then "
            "`apcampaign resume`",
        )
    return coverage


def _find_needed(butler: Any, collections: list[str], where: str) -> frozenset[TemplateId]:
    """Find the patches under the visit-detector regions of the raw images."""
    dimensions = ["instrument", "exposure", "visit", "detector", "skymap", "tract", "patch"]
    with butler.query() as query:
        rows = query.join_dataset_search("raw", collections).where(where).data_ids(dimensions)
        return frozenset((int(row["tract"]), int(row["patch"]), str(row["band"])) for row in rows)


def find_templates(butler: Any, collection: str) -> frozenset[TemplateId]:
    """Find the templates that are there; none if the repository has no such collection, or has never had any."""
    from lsst.daf.butler import MissingCollectionError, MissingDatasetTypeError

    try:
        return frozenset(_find_made(butler, collection))
    except (MissingCollectionError, MissingDatasetTypeError):
        return frozenset()


def _find_made(butler: Any, collection: str) -> dict[TemplateId, str]:
    """Find the templates that are there, and the RUN collection of each."""
    refs = butler.query_datasets(TEMPLATE, collections=collection, find_first=True, limit=None, explain=False)
    return {
        (int(ref.dataId["tract"]), int(ref.dataId["patch"]), str(ref.dataId["band"])): str(ref.run)
        for ref in refs
    }
