"""The gate between the two steps: are there templates for all the sky of the science visits?"""

__all__ = ["GateResult", "check_templates"]

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..bps import Campaign, PlannedRun, build_query
from ..common.errors import SubmissionError

TEMPLATE = "template_coadd"


@dataclass(frozen=True, kw_only=True)
class GateResult:
    """Which templates the science visits need, and which of them are missing.

    Parameters
    ----------
    needed, missing
        (tract, patch, band) of the templates.
    collection
        Where they were looked for.
    runs
        Which RUN collections the templates that are there come from, and how many from each.
    """

    needed: frozenset[tuple[int, int, str]]
    missing: frozenset[tuple[int, int, str]]
    collection: str
    runs: Mapping[str, int] = field(default_factory=dict)

    @property
    def missing_percent(self) -> float:
        """How many percent are missing."""
        return 100 * len(self.missing) / len(self.needed)

    def explain(self) -> str:
        """Say it in a sentence."""
        needed = f"{len(self.needed)} (patch, band) that the science visits need"
        if not self.missing:
            return f"templates: all {needed} are there{self._whence()}"
        shown = sorted(self.missing)[:10]
        listed = ", ".join(f"tract {tract} patch {patch} {band}" for tract, patch, band in shown)
        more = f" and {len(self.missing) - len(shown)} more" if len(self.missing) > len(shown) else ""
        return (
            f"templates: {len(self.missing)} of {needed} are missing in {self.collection}: "
            f"{listed}{more}{self._whence()}"
        )

    def _whence(self) -> str:
        """Name the runs if there are several: templates of an older one may not be wanted."""
        if len(self.runs) < 2:
            return ""
        listed = ", ".join(f"{count} from {run}" for run, count in sorted(self.runs.items(), reverse=True))
        return f" (those that are there: {listed})"


def check_templates(campaign: Campaign, run: PlannedRun) -> GateResult:
    """Compare the templates that a diffim run needs with those that are there.

    Parameters
    ----------
    campaign
        The campaign.
    run
        Its diffim run, planned; the first of its inputs holds the templates.

    Raises
    ------
    SubmissionError
        If the repository or a collection cannot be read, or the data query selects no science visit.
    """
    from lsst.daf.butler import Butler

    templates, *science = run.inputs
    try:
        with Butler.from_config(campaign.butler) as butler:
            needed = _needed(butler, science, build_query(campaign, run.step))
            found = _found(butler, templates)
    except Exception as error:
        raise SubmissionError(
            f"the templates in {templates} cannot be compared with the science visits in {', '.join(science)} "
            f"of {campaign.butler}: {type(error).__name__}: {error}"
        ) from error
    if not needed:
        raise SubmissionError(
            f"the diffim step's data query selects no raw image in {', '.join(science)}: "
            f"{build_query(campaign, run.step)}"
        )
    runs = Counter(run for key, run in found.items() if key in needed)
    return GateResult(needed=needed, missing=needed - found.keys(), collection=templates, runs=runs)


def _needed(butler: Any, collections: list[str], where: str) -> frozenset[tuple[int, int, str]]:
    """Find the patches under the visit-detector regions of the raw images."""
    dimensions = ["instrument", "exposure", "visit", "detector", "skymap", "tract", "patch"]
    with butler.query() as query:
        rows = query.join_dataset_search("raw", collections).where(where).data_ids(dimensions)
        return frozenset((int(row["tract"]), int(row["patch"]), str(row["band"])) for row in rows)


def _found(butler: Any, collection: str) -> dict[tuple[int, int, str], str]:
    """Find the templates that are there, and the RUN collection of each."""
    refs = butler.query_datasets(TEMPLATE, collections=collection, find_first=True, limit=None, explain=False)
    return {
        (int(ref.dataId["tract"]), int(ref.dataId["patch"]), str(ref.dataId["band"])): str(ref.run)
        for ref in refs
    }
