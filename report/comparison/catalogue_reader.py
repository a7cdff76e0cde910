"""Reader of the catalogues that are compared: from the APDB, or from what its runs have left in the repository."""

__all__ = ["CatalogueReader", "Scorer"]

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ...apdb import find_apdb, read_dia_objects, read_expected_associations, read_kept_sources
from ...bps import CampaignConfig
from ...common.butler import open_butler
from ...common.errors import RepositoryError, UnsupportedApdbError
from ...ledger import Ledger, RunRecord, newest_of
from ...monitor.submitted import find_filled_apdb
from ..completeness_measure import measure_completeness
from ..completeness_reader import find_injected
from .model import Injected
from .repository import read_made_objects, read_made_sources

if TYPE_CHECKING:
    import pandas as pd

#: Scores the DiaSources of an APDB, named by its configuration, against a simulated sky; `None` on a real one.
Scorer = Callable[[CampaignConfig, str], Mapping[str, float] | None]


class CatalogueReader:
    """Reads the DiaSources and DiaObjects of a campaign or of some of its runs.

    Parameters
    ----------
    campaign
        The campaign as it was submitted.
    ledger
        Its records.
    records
        The runs that are compared.
    whole
        Whether these are all that count. The APDB tells nothing of single runs: their catalogues are read from the
        repository. So are those of an APDB that cannot be looked into.
    """

    def __init__(
        self, campaign: CampaignConfig, ledger: Ledger, records: Sequence[RunRecord], *, whole: bool
    ):
        self._campaign, self._ledger, self._records, self._whole = campaign, ledger, records, whole
        self._config = find_filled_apdb(records)
        self._butler = newest_of(records).butler

    def read_sources(self) -> "pd.DataFrame | None":
        """Read the DiaSources; `None` if the runs fill no APDB.

        Raises
        ------
        ApdbError, RepositoryError
            If they cannot be read.
        """
        if self._config is None:
            return None
        if not self._reads_database():
            with open_butler(self._butler, "the repository cannot be read") as butler:
                return read_made_sources(butler, self._known(butler))
        sources = read_kept_sources(self._config)
        if self._campaign.apdb.filled:
            own = self._find_own()
            images = zip(sources["visit"], sources["detector"], strict=True)
            sources = sources[[image in own for image in images]].reset_index(drop=True)
        return sources

    def read_objects(self, sources: "pd.DataFrame | None") -> "pd.DataFrame | None":
        """Read the DiaObjects; `None` if the runs fill no APDB; raises as `read_sources`.

        Parameters
        ----------
        sources
            The DiaSources: those of an APDB that others have filled as well tell which DiaObjects are meant.
        """
        if self._config is None:
            return None
        if not self._reads_database():
            with open_butler(self._butler, "the repository cannot be read") as butler:
                return read_made_objects(butler, self._known(butler))
        objects = read_dia_objects(self._config)
        if self._campaign.apdb.filled and sources is not None:
            objects = objects[objects["diaObjectId"].isin(sources["diaObjectId"])].reset_index(drop=True)
        return objects

    def read_injected(self) -> Injected | None:
        """Read what was injected into the images; `None` if nothing was.

        Raises
        ------
        RepositoryError
            If that cannot be read.
        """
        settings = self._campaign.injection
        if settings is None or self._config is None:
            return None
        filling = [record for record in self._records if record.apdb_config == self._config]
        outputs = list(
            dict.fromkeys(record.output if self._whole else record.output_run for record in filling)
        )
        sources, notes = find_injected(self._butler, outputs, self._campaign.instrument, settings)
        return Injected(sources=sources, radius=settings.radius, notes=notes)

    def score(
        self, scorer: Scorer | None, sources: "pd.DataFrame | None", injected: Injected | None
    ) -> Mapping[str, float] | None:
        """Score it: by what was injected, or else against a simulated sky.

        Parameters
        ----------
        scorer
            Scores an APDB against a simulated sky; raises what it likes.
        sources, injected
            The DiaSources, and what was injected.

        Returns
        -------
        numbers
            `None` if there is nothing to score it by.
        """
        if injected is not None and sources is not None:
            return measure_completeness(injected.sources, sources, radius=injected.radius).numbers or None
        if scorer is None or self._config is None or not self._reads_database() or self._campaign.injection:
            return None
        return scorer(self._campaign, self._config)

    def _reads_database(self) -> bool:
        """Whether the APDB tells of what is compared, and can be looked into."""
        if not self._whole or self._config is None:
            return False
        try:
            find_apdb(self._config)
        except UnsupportedApdbError:
            return False
        return True

    def _find_own(self) -> Mapping[tuple[int, int], Any]:
        """Find the (visit, detector)s that the campaign itself has associated."""
        with open_butler(self._butler, "the repository cannot be read") as butler:
            runs = self._known(butler)
        return read_expected_associations(self._butler, runs).counts

    def _known(self, butler: Any) -> list[str]:
        """Name the RUN collections of the runs that have filled the APDB, the newest first.

        Raises
        ------
        RepositoryError
            If the repository knows none of them.
        """
        config = self._config
        runs = self._ledger.same_apdb(config) if self._whole and config is not None else self._records
        known = set(butler.collections.query("*"))
        filling = [run.output_run for run in reversed(runs) if run.apdb_config == config]
        if not known.intersection(filling):
            raise RepositoryError(
                f"{self._butler} knows nothing of {', '.join(filling)} yet",
                remedy="wait until the campaign has ended (`apcampaign status`)",
            )
        return [name for name in filling if name in known]
