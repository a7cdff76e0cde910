"""Hold on an APDB that is changed by hand: no campaign fills it meanwhile."""

__all__ = ["ApdbFillers", "find_fillers", "hold_apdb", "read_fillers"]

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from ...apdb import ApdbTarget, find_apdb
from ...bps import Step
from ...common.errors import ApcampaignError, BusyError, PreconditionError
from ...common.files import find_files
from ...ledger import CampaignPaths, Ledger, is_submitting, read_sound_ledger
from ..executors import ActiveRun, find_active
from ..executors.campaign_dag import read_work
from .ledger_hold import hold_ledger
from .obstacles import check_idle


@dataclass(frozen=True, kw_only=True)
class ApdbFillers:
    """The campaigns in a folder of runs that fill an APDB.

    Parameters
    ----------
    ledgers
        What they have submitted.
    obstacles
        Which of them may write to it at this moment.
    """

    ledgers: tuple[Ledger, ...] = ()
    obstacles: tuple[PreconditionError, ...] = ()


def find_fillers(runs: Path, place: str) -> Iterator[Ledger]:
    """Find the campaigns in a folder of runs that fill the APDB at a place, as far as records can be read."""
    return (ledger for ledger in _read_ledgers(runs) if _fills(ledger, place))


def read_fillers(
    runs: Path, target: ApdbTarget, look: Callable[[Ledger], tuple[ActiveRun, ...]] = find_active
) -> ApdbFillers:
    """Read which campaigns fill an APDB, and whether one of them is active. Changes nothing.

    Parameters
    ----------
    runs
        The folder of all campaigns' runs.
    target
        The APDB.
    look
        What finds what of a campaign is active.

    Raises
    ------
    SchedulerError
        If the scheduler of one of them does not answer.
    """
    every = tuple(_read_ledgers(runs))
    ledgers = tuple(ledger for ledger in every if _fills(ledger, target.place))
    obstacles = (
        *(_find_obstacle(ledger, target.place, look) for ledger in ledgers),
        *(_find_first_submission(ledger) for ledger in every),
    )
    return ApdbFillers(ledgers=ledgers, obstacles=tuple(each for each in obstacles if each is not None))


def hold_apdb(fillers: ApdbFillers) -> ExitStack:
    """Keep the campaigns that fill an APDB from being submitted, as long as it is changed by hand.

    Raises
    ------
    PreconditionError
        If one of them is active, is being submitted, or was submitted since `read_fillers` has looked.
    """
    for obstacle in fillers.obstacles:
        raise obstacle
    with ExitStack() as stack:
        for ledger in fillers.ledgers:
            # One that was never submitted has no folders, and gets none by this; of others a step may be next.
            begun = any(ledger.paths.step(step).is_dir() for step in Step)
            stack.enter_context(hold_ledger(ledger, tuple(Step) if begun else ()))
        return stack.pop_all()


def _read_ledgers(runs: Path) -> Iterator[Ledger]:
    for folder in find_files(runs.resolve(), "*"):
        if folder.is_dir():
            yield read_sound_ledger(CampaignPaths(folder.parent, folder.name))[0]


def _fills(ledger: Ledger, place: str) -> bool:
    return place in map(_find_place, _list_configs(ledger))


def _find_first_submission(ledger: Ledger) -> PreconditionError | None:
    """Refuse while difference imaging is submitted for the first time: nothing tells yet which APDB it fills."""
    if _list_configs(ledger) or not is_submitting(ledger.paths.step(Step.DIFFIM)):
        return None
    return BusyError(
        f"campaign {ledger.paths.campaign} is being submitted, and it is not known yet which APDB it fills",
        remedy="wait until that has ended, and see `apcampaign runs`",
    )


def _find_obstacle(
    ledger: Ledger, place: str, look: Callable[[Ledger], tuple[ActiveRun, ...]]
) -> PreconditionError | None:
    name = ledger.paths.campaign
    for step in Step:
        if is_submitting(ledger.paths.step(step)):
            return BusyError(
                f"campaign {name} fills the APDB in {place}, and its {step} step is being submitted, or its jobs "
                "run in the foreground",
                remedy="wait until that has ended, and see `apcampaign runs`",
            )
    if (found := check_idle(look(ledger), ledger)) is None:
        return None
    return type(found)(
        f"campaign {name} fills the APDB in {place}, and {found.what}",
        expected=found.expected,
        remedy=found.remedy,
    )


def _list_configs(ledger: Ledger) -> list[str]:
    """List the configurations of the APDBs that a campaign fills, or will."""
    configs = {run.apdb_config for run in ledger.runs}
    if ledger.paths.apdb_config.exists():
        configs.add(str(ledger.paths.apdb_config))
    for files, _ in (*ledger.dags, *ledger.without_dag):
        try:
            configs.add(read_work(files, ledger.paths.runs).apdb_config)  # its runs may not be prepared yet
        except ApcampaignError:
            continue
    return sorted(config for config in configs if config)


def _find_place(config: str) -> str:
    try:
        return find_apdb(config).target.place
    except ApcampaignError:
        return ""  # gone, or of another kind
