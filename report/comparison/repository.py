"""What a repository tells of runs for a comparison: software, selected images, depth of templates, catalogues."""

__all__ = [
    "count_done",
    "read_made_objects",
    "read_made_sources",
    "read_packages",
    "read_selected",
    "read_template_depths",
]

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from ...apdb import compact_sources
from ...bps import PlannedRun
from ...common.errors import RepositoryError
from ...monitor.outcomes import TEMPLATE
from ..sky import find_raws
from .configuration import join_values

if TYPE_CHECKING:
    import pandas as pd

# Files are read in parallel: on a cluster's file system each takes milliseconds, nearly all of it waiting.
_THREADS = 8
_SELECTION, _WARP = "template_coadd_visit_selection", "direct_warp"
_SOURCES, _OBJECTS, _MARKER = "dia_source_apdb", "dia_object_apdb", "apdb_marker"
_PATCH = ("skymap", "tract", "patch")
#: Tract, patch and band.
TemplateId = tuple[int, int, str]

_OBJECT_COLUMNS = ("diaObjectId", "ra", "dec", "nDiaSources")


def read_packages(butler: Any, runs: Iterable[str]) -> dict[str, str]:
    """Read the versions of what the jobs of runs imported, which Rubin's middleware records (``packages``)."""
    return join_values(dict(butler.get(ref)) for ref in _find(butler, "packages", runs))


def count_done(butler: Any, label: str, runs: Iterable[str]) -> int:
    """Count the quanta of a task that were successful in any of some RUN collections, each once."""
    return len({ref.dataId for ref in _find(butler, f"{label}_metadata", runs)})


def read_selected(butler: Any, run: PlannedRun, *, written: bool) -> frozenset[tuple[int, int]]:
    """Read which (visit, detector)s the data query of a run selects.

    Parameters
    ----------
    butler
        The repository.
    run
        The run.
    written
        Whether the user has written the query, which may then not speak of the sky at all.
    """
    rows = find_raws(butler, [run], () if written else _PATCH)
    return frozenset((int(row["visit"]), int(row["detector"])) for row in rows)


def read_template_depths(
    butler: Any, collections: Iterable[str], needed: Collection[TemplateId] | None = None
) -> dict[TemplateId, int]:
    """Read the number of visits in each template.

    Parameters
    ----------
    butler
        The repository.
    collections
        Those with the templates, the first one first.
    needed
        Of which templates, where others made them: such a collection may hold a hundred times as many.

    Returns
    -------
    depths
        By tract, patch and band: the visits that were selected for the template and, of the campaign's own ones,
        have an image that was warped for it, where these are kept; 0 where neither is known.
    """
    names = list(collections)
    templates = {_patch_of(ref) for ref in _find(butler, TEMPLATE, names, find_first=True)}
    warped: dict[TemplateId, set[int]] = defaultdict(set)
    if needed is None:
        for ref in _find(butler, _WARP, names, find_first=True):
            warped[_patch_of(ref)].add(int(ref.dataId["visit"]))
    else:
        templates &= set(needed)
    selections = [
        ref for ref in _find(butler, _SELECTION, names, find_first=True) if _patch_of(ref) in templates
    ]
    with ThreadPoolExecutor(_THREADS) as pool:
        found = dict(zip(map(_patch_of, selections), pool.map(butler.get, selections), strict=True))
    depths = {}
    for key in templates:
        selected = {int(visit) for visit, chosen in dict(found.get(key, {})).items() if chosen}
        there = warped.get(key, set())
        depths[key] = len(selected & there if selected and there else selected or there)
    return depths


def read_made_sources(butler: Any, runs: Sequence[str]) -> "pd.DataFrame":
    """Read the DiaSources that runs have associated, from what the association leaves in the repository.

    As `apcampaign.apdb.read_kept_sources`; what was withdrawn later is there too.

    Raises
    ------
    RepositoryError
        If an association has left no table.
    """
    import pandas as pd

    tables = list(_read_tables(butler, _SOURCES, runs))
    if not tables:
        return compact_sources(pd.DataFrame())
    sources = pd.concat([compact_sources(table) for table in tables], ignore_index=True)
    return sources.astype({"band": "category"}).sort_values("diaSourceId", ignore_index=True)


def read_made_objects(butler: Any, runs: Sequence[str]) -> "pd.DataFrame":
    """Read the latest version of each DiaObject that runs have made or changed; raises as `read_made_sources`."""
    import pandas as pd

    tables = list(_read_tables(butler, _OBJECTS, runs))
    if not tables:
        return pd.DataFrame(columns=list(_OBJECT_COLUMNS))
    objects = pd.concat([table[list(_OBJECT_COLUMNS)] for table in tables], ignore_index=True)
    # Each version has more DiaSources than the one before.
    latest: pd.DataFrame = objects.sort_values("nDiaSources", kind="stable")
    latest = latest.drop_duplicates("diaObjectId", keep="last")
    return latest.sort_values("diaObjectId", ignore_index=True)


def _read_tables(butler: Any, name: str, runs: Sequence[str]) -> Iterator[Any]:
    """Read the tables of a type, of which there must be one for each association that was recorded."""
    refs = _find(butler, name, runs, find_first=True)
    recorded = {ref.dataId for ref in _find(butler, _MARKER, runs)}
    if missing := recorded - {ref.dataId for ref in refs}:
        raise RepositoryError(
            f"{len(missing)} of {len(recorded)} associations have left no {name} in {', '.join(runs)}",
            remedy="compare whole campaigns, of which the APDB is read",
        )
    with ThreadPoolExecutor(_THREADS) as pool:
        for table in pool.map(butler.get, refs):
            # Astropy's or Arrow's; asked for by threads, Butler's own conversion may fail while it imports pandas.
            frame = table.to_pandas() if hasattr(table, "to_pandas") else table
            if len(frame):
                # Identifiers may be columns, or the index, or both.
                names = [name for name in frame.index.names if name and name not in frame.columns]
                yield frame.reset_index(names) if names else frame


def _find(butler: Any, name: str, collections: Iterable[str], *, find_first: bool = False) -> Sequence[Any]:
    """Find the datasets of a type, of which a repository may know nothing yet."""
    from lsst.daf.butler import MissingDatasetTypeError

    names = list(collections)
    try:
        return names and list(
            butler.query_datasets(name, collections=names, find_first=find_first, limit=None, explain=False)
        )
    except MissingDatasetTypeError:
        return []


def _patch_of(ref: Any) -> TemplateId:
    return int(ref.dataId["tract"]), int(ref.dataId["patch"]), str(ref.dataId["band"])
