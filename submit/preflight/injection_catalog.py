"""Checks of the catalogue of injected sources: it is there, reaches all images, and its content is possible."""

__all__ = ["check_catalogue", "check_content", "find_types"]

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from ...bps import InjectionSettings
from ...bps.lint import Finding, Severity
from ...common.butler import query_visits
from .run_spec import make_finding
from .selection import Selection

#: What a catalogue must have for point sources.
_COLUMNS = ("ra", "dec", "source_type", "mag")
#: AB magnitudes between which those of a survey lie.
_BRIGHTEST, _FAINTEST = 10.0, 32.0
#: Shards that are read, of each band; images that are looked at.
_MOST_SHARDS, _MOST_IMAGES = 200, 20_000
_KEY = "injection: catalog"


def find_types(butler: Any, collection: str) -> set[str]:
    """Find the dataset types that a collection holds; none if it is not there."""
    from lsst.daf.butler import ButlerUserError

    try:
        infos = butler.collections.query_info(collection, flatten_chains=True, include_summary=True)
    except ButlerUserError:
        return set()  # a collection that is not there is another check's
    return {name for info in infos for name in info.dataset_types or ()}


def check_catalogue(
    butler: Any, task: Any, selection: Selection, settings: InjectionSettings
) -> Iterator[Finding]:
    """Report a catalogue that is not there, does not reach all images, or has impossible content.

    Parameters
    ----------
    butler
        The repository.
    task
        The task that injects into the science images, of the pipeline graph.
    selection
        What is processed.
    settings
        The catalogue.
    """
    label, config, collections = task.label, task.config, ", ".join(settings.catalog)
    name = next(edge.parent_dataset_type_name for edge in task.prerequisite_inputs.values())
    if name not in {found for each in settings.catalog for found in find_types(butler, each)}:
        yield make_finding(
            Severity.ERROR,
            "injection",
            f"{collections} holds no {name!r}, which {label} reads",
            "its quanta fail, one for each image",
            "put the catalogue there with `ingest_injection_catalog`, or name the collection that holds it",
            key=_KEY,
        )
        return
    shards: dict[str, dict[int, Any]] = defaultdict(dict)
    for ref in butler.query_datasets(name, collections=list(settings.catalog), limit=None, explain=False):
        if len(shards[str(ref.dataId["band"])]) < _MOST_SHARDS:
            shards[str(ref.dataId["band"])][int(ref.dataId["htm7"])] = butler.get(ref)
    wrong = [
        finding
        for band, tables in sorted(shards.items())
        for table in tables.values()
        for finding in check_content(table, f"{name!r} of {band}", config)
    ]
    yield from dict.fromkeys(wrong)
    cut = any(len(tables) == _MOST_SHARDS for tables in shards.values())
    if wrong or cut:
        return
    if bare := _find_bare(butler, selection, shards, config):
        visit, detector, band = min(bare)
        lenient = config.process_all_data_ids
        yield make_finding(
            Severity.WARNING if lenient else Severity.ERROR,
            "injection",
            f"{name!r} of {collections} has no source in {len(bare)} of "
            f"{len(selection.project(('visit', 'detector')))} (visit, detector)s, such as visit {visit}, detector "
            f"{detector} in {band}",
            "nothing is injected into them"
            if lenient
            else f"{label} fails there, and so they are not associated",
            f"add sources of that sky and band, or set {label}:process_all_data_ids",
            key=_KEY,
        )


def _find_bare(
    butler: Any, selection: Selection, shards: Mapping[str, Mapping[int, Any]], config: Any
) -> list[tuple[int, int, str]]:
    """Find images without a source of their band."""
    pixels = butler.dimensions.skypix_dimensions["htm7"].pixelization
    rows = selection.project(("visit", "detector", "band"))
    bands = {(visit, detector): str(band) for visit, detector, band in rows}
    ((instrument,), *_) = selection.project(("instrument",))
    places = {
        band: {pixel: _places(table, config) for pixel, table in tables.items()}
        for band, tables in shards.items()
    }
    detectors = len({detector for _, detector in bands})
    bare = []
    visits = sorted({visit for visit, _ in bands})[: _MOST_IMAGES // detectors + 1]
    for record in query_visits(butler, "visit_detector_region", instrument, visits):
        band = bands.get((record.visit, record.detector))
        if band is None:
            continue
        ranges = pixels.envelope(record.region).ranges()
        touched = [pixel for begin, end in ranges for pixel in range(begin, end)]
        here = [places[band][pixel] for pixel in touched if pixel in places.get(band, {})]
        if not any(record.region.contains(*each).any() for each in here):
            bare.append((record.visit, record.detector, band))
    return bare


def _places(table: Any, config: Any) -> tuple[Any, Any]:
    """Give the positions in a part of a catalogue, radians."""
    names = (getattr(config, "col_ra", "ra"), getattr(config, "col_dec", "dec"))
    ra, dec = (np.radians(np.asarray(table[name], float)) for name in names)
    return ra, dec


def check_content(table: Any, what: str, config: Any) -> Iterator[Finding]:
    """Report columns that a catalogue lacks, and magnitudes that no source of a survey has.

    Parameters
    ----------
    table
        A part of the catalogue, an `astropy.table.Table`.
    what
        What it is called.
    config
        The configuration of the task that injects it, which names the columns.
    """
    names = [str(getattr(config, f"col_{column}", column)) for column in _COLUMNS]
    wrong = [f"no column {name!r}" for name in names if name not in table.colnames]
    magnitudes = [float(value) for value in table[names[-1]]] if names[-1] in table.colnames else []
    if unknown := sum(not math.isfinite(value) for value in magnitudes):
        wrong.append(f"{unknown} of {len(magnitudes)} magnitudes that are no numbers")
    if odd := [value for value in magnitudes if value < _BRIGHTEST or value > _FAINTEST]:
        wrong.append(f"magnitudes such as {odd[0]:g}, and fluxes are no magnitudes")
    for each in wrong:
        yield make_finding(
            Severity.ERROR,
            "injection",
            f"the catalogue {what} has {each}",
            "such sources are not injected, or not as they are meant",
            "correct the catalogue",
            key="injection: catalog",
        )
