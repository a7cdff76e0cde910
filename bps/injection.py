"""Injection settings of a campaign: which catalogue of synthetic sources, and how what is found is matched."""

__all__ = ["InjectionSettings", "check_apart"]

from pathlib import PurePath
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from .model import MisfitError, Model, NotTruth
from .values import Collections

_TABLES = (".csv", ".ecsv", ".fits", ".fit", ".parq", ".parquet", ".hdf5")


def _refuse_file(value: Any) -> Any:
    for name in value if isinstance(value, list) else [value]:
        if isinstance(name, str) and PurePath(name).suffix.lower() in _TABLES:
            raise ValueError(
                f"{name!r} is a file, and tasks read catalogues from the repository; put it there with Rubin's "
                "`ingest_injection_catalog`, and name the collection"
            )
    return value


class InjectionSettings(Model):
    """Synthetic sources that are injected into the science images of a campaign.

    Parameters
    ----------
    catalog
        The collections with the catalogue of what is injected (``injection_catalog``, by HTM pixel and band).
    beside
        The campaign file of the plain campaign, of whose collections and APDB this one must touch nothing.
    radius
        Within how many arcseconds of an injected source a DiaSource is that source.
    edge
        How many arcseconds from the edge of its image an injected source must be to count.
    """

    catalog: Annotated[Collections, BeforeValidator(_refuse_file)]
    beside: str | None = Field(default=None, min_length=1)
    radius: Annotated[float, NotTruth] = Field(default=0.5, gt=0, le=60)
    edge: Annotated[float, NotTruth] = Field(default=10.0, ge=0)


def check_apart(*, subtracts: bool, shares_apdb: bool) -> None:
    """Refuse a campaign that could not inject sources, or would mix them with those of the sky.

    Parameters
    ----------
    subtracts
        Whether it has the step that injects.
    shares_apdb
        Whether its APDB may hold rows of other campaigns.

    Raises
    ------
    MisfitError
        If it is one.
    """
    if not subtracts:
        raise MisfitError(
            ("injection",),
            "sources are injected by difference imaging; add diffim to 'steps', or remove 'injection'",
        )
    if shares_apdb:
        raise MisfitError(
            ("apdb", "filled"),
            "injected sources must not be mixed with those of the sky: a campaign with 'injection' fills an APDB "
            "of its own; remove 'filled' of 'apdb', and name an empty one",
        )
