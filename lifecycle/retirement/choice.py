"""What is chosen to be removed of a campaign, and which dataset types are intermediate."""

__all__ = ["INTERMEDIATES", "RetirementRequest"]

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from ...ledger import RetirementScope

#: Dataset types, as patterns, that a later task of the same run has read and that are none of its products:
#: images without detections of their own, warps, kernels, and the footprints of stars. The names before 2025
#: are among them.
INTERMEDIATES = (
    "post_isr_image",
    "preliminary_visit_image",
    "preliminary_visit_image_*background",
    "single_visit_*_footprints",
    "direct_warp",
    "direct_warp_*",
    "psf_matched_warp",
    "psf_matched_warp_*",
    "template_detector",
    "template_matched",
    "difference_image_predetection",
    "difference_kernel",
    "difference_kernel_sources",
    "postISRCCD",
    "icExp",
    "icExpBackground",
    "icSrc",
    "calexp",
    "calexpBackground",
    "deepCoadd_directWarp",
    "deepCoadd_psfMatchedWarp",
    "goodSeeingDiff_templateExp",
    "goodSeeingDiff_matchedExp",
    "goodSeeingDiff_differenceTempExp",
)
# What a campaign is judged by, or cannot be understood without: removed only with its run, whatever is asked for.
_NEVER = ("*_config", "*_log", "*_metadata", "packages", "apdb_marker", "run_provenance")


@dataclass(frozen=True, kw_only=True)
class RetirementRequest:
    """What is to be removed of a campaign.

    Parameters
    ----------
    scope
        Intermediate datasets, some runs, or everything; `None` only to look.
    runs
        Which runs: RUN collections, or the ends of their names.
    dataset_types
        More dataset types that count as intermediate, as patterns.
    keep
        Dataset types that do not, as patterns.
    keep_apdb
        Whether the APDB stays when everything else is removed.
    """

    scope: RetirementScope | None = None
    runs: tuple[str, ...] = ()
    dataset_types: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()
    keep_apdb: bool = False

    def is_intermediate(self, dataset_type: str) -> bool:
        """Tell whether datasets of a type are removed as intermediate ones."""
        removed = _matches(dataset_type, (*INTERMEDIATES, *self.dataset_types))
        return removed and not _matches(dataset_type, (*self.keep, *_NEVER))

    @property
    def forbidden(self) -> tuple[str, ...]:
        """The dataset types that are asked for and are never removed by themselves."""
        return tuple(name for name in self.dataset_types if _matches(name, _NEVER))


def _matches(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
