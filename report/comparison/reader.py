"""Reader of what is compared: from a campaign's ledger, its runs' files, the repository and the APDB."""

__all__ = ["ComparableReader", "select_runs"]

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ...bps import CampaignConfig, Step
from ...common.butler import open_butler
from ...common.errors import ApcampaignError
from ...common.explain import explain_briefly
from ...common.progress import show_progress
from ...common.secrets import redact
from ...ledger import Ledger, RunRecord, Workspace, installed_versions, newest_of
from ...monitor.outcomes import (
    QuantaCount,
    add_counts,
    check_templates,
    read_outcomes,
    read_task_usage,
)
from ...monitor.submitted import read_planned_run, read_submitted_campaign
from .catalogue_reader import CatalogueReader, Scorer
from .configuration import join_values, read_configurations
from .model import Aspect, Comparable, TaskKey, Unread
from .repository import read_packages, read_selected, read_template_depths
from .resumed import add_earlier_counts, add_earlier_troubles

#: The distribution whose version is that of the stack.
_STACK = "lsst-pipe-base"


def select_runs(ledger: Ledger, run: str | None) -> tuple[RunRecord, ...]:
    """Find the runs that are meant.

    Parameters
    ----------
    ledger
        What a campaign has submitted.
    run
        The name of one, as for `Ledger.find`; or the time at which several were prepared, which names all of them.
        `None` for all that count.

    Raises
    ------
    LedgerError
        If there is none.
    """
    if run is None:
        return ledger.require_current()
    together = tuple(each for each in ledger.runs if each.timestamp == run)
    return together or (ledger.find(run),)


class ComparableReader:
    """Reads a campaign, or one of its submissions, for a comparison.

    Parameters
    ----------
    workspace
        The campaign.
    run
        Which of its runs, as for `select_runs`.
    scorer
        Scores it, where the sky is a simulated one.

    Raises
    ------
    LedgerError
        If it has no such runs.
    """

    def __init__(self, workspace: Workspace, run: str | None = None, scorer: Scorer | None = None):
        self._workspace = workspace
        self._run = run
        self._scorer = scorer
        self._ledger = workspace.read_ledger()
        self._records = select_runs(self._ledger, run)
        self._unread: list[Unread] = []

    @property
    def name(self) -> str:
        """How to call what is read."""
        name = self._workspace.campaign.name
        return f"{name} {self._run}" if self._run else name

    def read(self) -> Comparable:
        """Read all of it. What cannot be read is noted, and the rest is read all the same."""
        self._unread = []
        newest = newest_of(self._records)
        campaign = self._attempt(
            Aspect.SETTINGS,
            "the settings that were submitted",
            lambda: read_submitted_campaign(self._workspace, newest),
            self._workspace.campaign,
        )
        attempt = self._attempt
        quanta, causes = attempt(Aspect.QUANTA, "the outcomes of the quanta", self._read_quanta, ({}, {}))
        catalogues = CatalogueReader(campaign, self._ledger, self._records, whole=self._run is None)
        sources = attempt(Aspect.SOURCES, "the DiaSources", catalogues.read_sources, None)
        injected = attempt(Aspect.SCORE, "the injected sources", catalogues.read_injected, None)
        return Comparable(
            name=self.name,
            settings=_flatten(campaign.model_dump(mode="json", by_alias=True, exclude_none=True)),
            software=attempt(Aspect.SOFTWARE, "the versions of the software", self._read_software, {}),
            configuration=attempt(
                Aspect.CONFIGURATION, "the configurations of the tasks", self._read_configuration, {}
            ),
            collections=self._list_collections(campaign),
            selected=attempt(Aspect.INPUTS, "the selected images", lambda: self._read_selected(campaign), {}),
            quanta=quanta,
            causes=causes,
            usage=attempt(Aspect.COSTS, "the time and memory of the tasks", self._read_usage, {}),
            templates=attempt(
                Aspect.TEMPLATES, "the templates", lambda: self._read_templates(campaign), None
            ),
            sources=sources,
            objects=attempt(Aspect.OBJECTS, "the DiaObjects", lambda: catalogues.read_objects(sources), None),
            injected=injected,
            score=attempt(
                Aspect.SCORE, "the score", lambda: catalogues.score(self._scorer, sources, injected), None
            ),
            unread=tuple(self._unread),
        )

    def _attempt[Result, Other](
        self, aspect: Aspect, what: str, read: Callable[[], Result], otherwise: Other
    ) -> Result | Other:
        """Read something; a comparison without it is better than none."""
        try:
            with show_progress(f"reading {what} of {self.name}"):
                return read()
        except ApcampaignError as error:
            reason = str(error)
        except Exception as error:
            # Foreign code under it may raise anything.
            reason = explain_briefly(error)
        self._note(aspect, f"{what} cannot be read: {reason}")
        return otherwise

    def _note(self, aspect: Aspect, why: str) -> None:
        """Note that something is not known; what another release has written may be the reason."""
        written = {record.versions.get(_STACK) for record in self._records} - {None}
        here = installed_versions().get(_STACK)
        if written and written != {here}:
            why += (
                f" (written by {_STACK} {' and '.join(map(str, sorted(map(str, written))))}, read by {here})"
            )
        self._unread.append(Unread(aspect, redact(why)))

    def _by_step(self) -> Iterator[tuple[Step, list[RunRecord]]]:
        for step in Step:
            if records := [record for record in self._records if record.step is step]:
                yield step, records

    def _read_software(self) -> dict[str, str]:
        submitted = join_values(record.versions for record in self._records)
        found = {f"submission: {name}": version for name, version in submitted.items()}
        for record in self._records:
            with open_butler(record.butler, f"the packages of {record.output_run}") as butler:
                packages = read_packages(butler, [record.output_run])
            if not packages:
                self._note(Aspect.SOFTWARE, f"{record.output_run} has recorded no packages")
            found = join_values([found, {f"jobs: {name}": value for name, value in packages.items()}])
        return found

    def _read_configuration(self) -> dict[TaskKey, Mapping[str, str]]:
        found: dict[TaskKey, Mapping[str, str]] = {}
        for step, records in self._by_step():
            runs = [record.output_run for record in records]
            labels = {label: None for record in records for label in record.quanta}
            with open_butler(records[0].butler, "the configurations cannot be read") as butler:
                for label, fields in read_configurations(butler, runs, labels).items():
                    found[step, label] = fields
                # What earlier runs had done already the ones that count have left out.
                for record in reversed(self._ledger.runs_of(step) if self._run is None else ()):
                    rest = [label for label in record.quanta if (step, label) not in found]
                    for label, fields in read_configurations(butler, [record.output_run], rest).items():
                        found[step, label] = fields
        if missing := sorted(
            {label for record in self._records for label in record.quanta} - {k for _, k in found}
        ):
            self._note(Aspect.CONFIGURATION, f"no run has stored the configuration of {', '.join(missing)}")
        return found

    def _list_collections(self, campaign: CampaignConfig) -> dict[str, tuple[str, ...]]:
        own = f"{campaign.root_collection}/"
        return {
            str(step): tuple(
                dict.fromkeys(
                    f"its own {name.removeprefix(own)}" if name.startswith(own) else name
                    for record in records
                    for name in record.inputs
                )
            )
            for step, records in self._by_step()
        }

    def _read_selected(self, campaign: CampaignConfig) -> dict[str, frozenset[tuple[int, int]]]:
        selected: dict[str, frozenset[tuple[int, int]]] = {}
        for step, records in self._by_step():
            written = bool(getattr(campaign, step).data_query)
            for record in records:
                run = read_planned_run(self._workspace, record)
                with open_butler(record.butler, f"the raw images of {record.output_run}") as butler:
                    images = read_selected(butler, run, written=written)
                selected[step] = selected.get(step, frozenset()) | images
        return selected

    def _read_quanta(self) -> tuple[dict[TaskKey, QuantaCount], dict[tuple[str, str, str], int]]:
        counts: dict[TaskKey, QuantaCount] = {}
        causes: Counter[tuple[str, str, str]] = Counter()
        for step, records in self._by_step():
            outcomes = [read_outcomes(record) for record in records]
            found = add_counts(each.counts for each in outcomes)
            troubles = [trouble for each in outcomes for trouble in each.troubles]
            if earlier := [run for run in self._all_runs(step, records) if run not in records]:
                troubles = add_earlier_troubles(troubles, earlier)
                found = add_earlier_counts(found, [*earlier, *records], troubles)
            counts |= {(str(step), label): count for label, count in found.items()}
            causes.update((str(step), trouble.label, trouble.why) for trouble in troubles)
        return counts, dict(causes)

    def _read_usage(self) -> dict[TaskKey, Any]:
        return {
            (str(step), label): usage
            for step, records in self._by_step()
            for label, usage in read_task_usage(self._all_runs(step, records)).items()
        }

    def _all_runs(self, step: Step, records: Sequence[RunRecord]) -> Sequence[RunRecord]:
        """Give the runs of a step whose outputs are compared, with those that newer ones continue."""
        return records if self._run else self._ledger.runs_of(step)

    def _read_templates(self, campaign: CampaignConfig) -> dict[tuple[int, int, str], int] | None:
        """Read the templates that the runs have made, else those that they need of the ones they subtract."""
        steps = dict(self._by_step())
        purpose = "the templates cannot be read"
        if made := steps.get(Step.TEMPLATES):
            names = dict.fromkeys(record.output_run if self._run else record.output for record in made)
            with open_butler(made[0].butler, purpose) as butler:
                return read_template_depths(butler, names)
        depths: dict[tuple[int, int, str], int] = {}
        for record in steps[Step.DIFFIM]:
            run = read_planned_run(self._workspace, record)
            if run.needs_templates:
                needed = check_templates(campaign, run).needed
                with open_butler(record.butler, purpose) as butler:
                    depths |= read_template_depths(butler, run.inputs[:1], needed)
        return depths or None


def _flatten(content: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Write nested settings as dotted keys with their values as text."""
    found: dict[str, str] = {}
    for key, value in content.items():
        if isinstance(value, Mapping):
            found |= _flatten(value, f"{prefix}{key}.")
        else:
            text = (
                ", ".join(map(str, value))
                if isinstance(value, Sequence) and not isinstance(value, str)
                else value
            )
            found[f"{prefix}{key}"] = redact(str(text))
    return found
