"""Reader of completeness: what a campaign injected, from its repository, and what it found, from its APDB."""

__all__ = ["find_injected", "read_completeness"]

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..apdb import read_kept_sources
from ..bps import InjectionSettings, Step
from ..common.butler import open_butler, query_visits
from ..common.errors import LedgerError, SettingsError
from ..ledger import Ledger, Workspace, newest_of
from ..monitor.submitted import find_filled_apdb, read_submitted_campaign
from .completeness import Completeness
from .completeness_measure import measure_completeness

if TYPE_CHECKING:
    import pandas as pd

#: The catalogues that injection tasks write of the sources in a science image: those of what
#: `make_injection_pipeline` makes, whatever its prefix, and of releases in which these images had other names.
_INJECTED = re.compile(r"\w+_(\w*visit_image|calexp|post_isr_image|postISRCCD)_catalog")
#: What the association writes last.
_MARKER = "apdb_marker"
#: Catalogues that are read; of more images there is a sample.
_MOST_IMAGES = 4000
_COLUMNS = ("ra", "dec", "mag")
_FLAG = "injection_flag"
#: Of a source that is in the template too, with another magnitude: the difference has neither.
_VARIABLE = "isVariable"

type Floats = npt.NDArray[np.float64]


def read_completeness(workspace: Workspace, ledger: Ledger | None = None) -> Completeness:
    """Measure the completeness of a campaign with injected sources.

    Parameters
    ----------
    workspace
        The campaign.
    ledger
        What it has submitted, if that is known.

    Raises
    ------
    SettingsError
        If it injects nothing.
    LedgerError
        If it has associated nothing yet.
    RepositoryError
        If the repository cannot be read.
    ApdbError
        If the APDB cannot be read.
    """
    ledger = ledger or workspace.read_ledger()
    records = [record for record in ledger.require_current() if record.step is Step.DIFFIM]
    apdb_config = find_filled_apdb(records)
    campaign = workspace.campaign
    if records:
        campaign = read_submitted_campaign(workspace, newest_of(records))
    if campaign.injection is None:
        raise SettingsError(
            f"campaign {campaign.name} injects no sources",
            remedy="completeness is that of a campaign with 'injection'; `apcampaign schema` describes it",
        )
    if apdb_config is None:
        raise LedgerError(
            f"campaign {campaign.name} has no run that fills an APDB yet",
            remedy="submit difference imaging: `apcampaign submit diffim`",
        )
    newest_first = sorted(records, key=lambda record: record.timestamp, reverse=True)
    outputs = list(dict.fromkeys(record.output for record in newest_first))
    settings = campaign.injection
    injected, notes = find_injected(newest_first[0].butler, outputs, campaign.instrument, settings)
    sources = read_kept_sources(apdb_config)
    return measure_completeness(injected, sources, radius=settings.radius, notes=notes)


def find_injected(
    repository: str, outputs: Sequence[str], instrument: str, settings: InjectionSettings
) -> "tuple[pd.DataFrame, tuple[str, ...]]":
    """Read which sources were injected into images that were associated.

    Parameters
    ----------
    repository
        The repository.
    outputs
        The CHAINED outputs of difference imaging, of which all runs count, or single RUN collections.
    instrument
        Its instrument.
    settings
        How near to the edge of an image they count.

    Returns
    -------
    injected, notes
        As `apcampaign.report.completeness_measure.measure_completeness` takes it; and what was left out.

    Raises
    ------
    RepositoryError
        If the repository cannot be read.
    """
    import pandas as pd

    notes: list[str] = []
    tables = []
    with open_butler(repository, "the injected sources cannot be read") as butler:
        catalogues = _find_catalogues(butler, outputs, instrument, notes)
        for ref, region in _with_regions(butler, catalogues, instrument):
            table = butler.get(ref)
            values = {name: np.asarray(table[name], float) for name in _COLUMNS}
            kept = _is_inside(region, values["ra"], values["dec"], settings.edge)
            for name in (_FLAG, _VARIABLE):
                if name in table.colnames:
                    kept &= np.asarray(table[name]) == 0
            tables.append(
                pd.DataFrame({name: column[kept] for name, column in values.items()}).assign(
                    visit=int(ref.dataId["visit"]),
                    detector=int(ref.dataId["detector"]),
                    band=str(ref.dataId["band"]),
                )
            )
    empty = pd.DataFrame({name: [] for name in (*_COLUMNS, "visit", "detector", "band")})
    filled = [table for table in tables if len(table)]
    return (pd.concat(filled, ignore_index=True) if filled else empty), tuple(notes)


def _find_catalogues(
    butler: Any, outputs: Sequence[str], instrument: str, notes: list[str]
) -> dict[tuple[int, int], Any]:
    """Find the catalogues of the images that were associated, by (visit, detector), or of a sample of them."""
    from lsst.daf.butler import CollectionType, MissingCollectionError

    patterns = [pattern for output in outputs for pattern in (output, f"{output}/*")]
    try:
        runs = sorted(set(butler.collections.query(patterns, collection_types=CollectionType.RUN)))
    except MissingCollectionError:
        runs = []
    infos = butler.collections.query_info(runs, include_summary=True) if runs else []
    names = sorted({name for info in infos for name in info.dataset_types or () if _INJECTED.fullmatch(name)})
    if not names:
        notes.append(f"{', '.join(outputs)} hold no catalogue of injected sources yet")
        return {}
    marked = {
        (int(ref.dataId["visit"]), int(ref.dataId["detector"])) for ref in _query(butler, _MARKER, runs)
    }
    found = {
        (int(ref.dataId["visit"]), int(ref.dataId["detector"])): ref
        for name in names
        for ref in _query(butler, name, runs)
    }
    if lost := len(found.keys() - marked):
        notes.append(f"{lost:,} of {len(found):,} images with injected sources were not associated")
    kept = sorted(found.keys() & marked)
    step = -(-len(kept) // _MOST_IMAGES) if kept else 1
    if step > 1:
        notes.append(f"every {step}th of {len(kept):,} images was read")
    return {key: found[key] for key in kept[::step]}


def _query(butler: Any, name: str, runs: Sequence[str]) -> list[Any]:
    from lsst.daf.butler import MissingDatasetTypeError

    try:
        return list(
            butler.query_datasets(
                name, collections=list(runs), limit=None, explain=False, with_dimension_records=True
            )
        )
    except MissingDatasetTypeError:
        return []


def _with_regions(
    butler: Any, catalogues: dict[tuple[int, int], Any], instrument: str
) -> Iterator[tuple[Any, Any]]:
    """Give each catalogue with the sky of its image."""
    visits = {visit for visit, _ in catalogues}
    for record in query_visits(butler, "visit_detector_region", instrument, visits):
        if (key := (int(record.visit), int(record.detector))) in catalogues:
            yield catalogues[key], record.region


def _is_inside(region: Any, ra: Floats, dec: Floats, edge: float) -> npt.NDArray[np.bool_]:
    """Tell which places (degrees) are in a convex polygon, and no closer to an edge than some arcseconds."""
    corners = np.array([tuple(corner) for corner in region.getVertices()])
    # The planes of its sides: their normals point inwards, since the corners go round to the left.
    normals = np.cross(corners, np.roll(corners, -1, axis=0))
    normals /= np.linalg.norm(normals, axis=1)[:, None]
    lon, lat = np.radians(ra), np.radians(dec)
    places = np.array([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])
    return np.asarray((normals @ places >= np.sin(np.radians(edge / 3600))).all(axis=0))
