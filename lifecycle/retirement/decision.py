"""Decision on what is removed of a campaign, and on every reason not to. Asks nobody."""

__all__ = ["decide_acts", "find_objections", "find_remarks", "object_to_use"]

from collections.abc import Iterator, Sequence

from ...common.errors import ApcampaignError, PreconditionError
from ...common.text import count
from ...ledger import RetirementAct, RetirementKind, RetirementScope
from .choice import RetirementRequest
from .holdings import RunHolding
from .state import RetirementState

_SHOWN = 8


def decide_acts(
    state: RetirementState, request: RetirementRequest
) -> tuple[tuple[RetirementAct, ...], tuple[str, ...]]:
    """List what is removed, and the timestamps of the campaign DAGs that go with it."""
    match request.scope:
        case None:
            return (), ()
        case RetirementScope.INTERMEDIATES:
            runs = [run for run in state.holdings.runs if run.record in state.runs and _has_any(run, request)]
            return tuple(_remove_types(run, state, request) for run in runs), ()
        case RetirementScope.RUNS:
            return _remove_runs(state)
        case RetirementScope.EVERYTHING:
            return _remove_everything(state, request)


def _remove_runs(state: RetirementState) -> tuple[tuple[RetirementAct, ...], tuple[str, ...]]:
    ledger, holdings = state.ledger, state.holdings
    gone = {run.output_run for run in state.runs}
    left = {(run.timestamp, run.name) for run in ledger.runs if run.output_run not in gone}
    mine = {run.timestamp for run in state.runs}
    dags = {
        dag.timestamp
        for _, dag in (*ledger.dags, *ledger.without_dag)
        if dag.timestamp in mine and dag.runs and not {(dag.timestamp, name) for name in dag.runs} & left
    }
    folders = {f"{run.step}/{run.folder}" for run in state.runs}
    folders |= {f"{kind}/{timestamp}" for kind in ("dag", "chain", "foreground") for timestamp in dags}
    acts = [
        *(_remove_run(run, state) for run in holdings.runs if run.exists and run.record.output_run in gone),
        *(_remove_files(each.name, each.size) for each in holdings.files if each.name in folders),
    ]
    return tuple(acts), tuple(sorted(dags))


def _remove_everything(
    state: RetirementState, request: RetirementRequest
) -> tuple[tuple[RetirementAct, ...], tuple[str, ...]]:
    ledger, holdings = state.ledger, state.holdings
    found = holdings.apdb
    acts = []
    if found is not None and not request.keep_apdb:
        removal = RetirementAct(
            kind=RetirementKind.APDB,
            name=found.target.url,
            namespace=found.target.namespace,
            prefix=found.prefix,
            place=found.target.place,
            rows=found.rows,
            size=found.size,
        )
        acts.append(removal)
    acts += [_remove_run(run, state) for run in holdings.runs if run.exists and run.record in state.runs]
    # What holds runs of which nobody knows stays with them.
    staying = [run for run in ledger.runs if run not in state.runs]
    mine = {run.output for run in state.runs} - {run.output for run in staying}
    mine -= {name.rpartition("/")[0] for name in holdings.unrecorded}
    acts += [
        RetirementAct(kind=RetirementKind.CHAIN, name=name, butler=butler)
        for butler, name in holdings.chains
        if name in mine
    ]
    # The configuration of an APDB that stays tells where that is.
    stays = request.keep_apdb or (found is None and bool(holdings.apdb_note))
    kept = {f"{run.step}/{run.folder}" for run in staying}
    kept |= {state.workspace.paths.apdb_config.name} if stays else set()
    acts += [_remove_files(each.name, each.size) for each in holdings.files if each.name not in kept]
    return tuple(acts), tuple(dag.timestamp for _, dag in (*ledger.dags, *ledger.without_dag))


def _has_any(run: RunHolding, request: RetirementRequest) -> bool:
    return any(request.is_intermediate(name) for name in run.types)


def _remove_types(run: RunHolding, state: RetirementState, request: RetirementRequest) -> RetirementAct:
    types = {name: each for name, each in run.types.items() if request.is_intermediate(name)}
    return RetirementAct(
        kind=RetirementKind.DATASETS,
        name=run.record.output_run,
        butler=run.record.butler,
        dataset_types=tuple(types),
        chains=_list_chains(run, state),
        folder=run.folder,
        datasets=sum(each.datasets for each in types.values()),
        size=sum(each.size for each in types.values()),
    )


def _remove_run(run: RunHolding, state: RetirementState) -> RetirementAct:
    return RetirementAct(
        kind=RetirementKind.RUN,
        name=run.record.output_run,
        butler=run.record.butler,
        chains=_list_chains(run, state),
        folder=run.folder,
        datasets=run.total.datasets,
        size=run.total.size,
    )


def _list_chains(run: RunHolding, state: RetirementState) -> tuple[str, ...]:
    """List the campaign's own CHAINED collections that may hold a run."""
    return tuple(name for butler, name in state.holdings.chains if butler == run.record.butler)


def _remove_files(name: str, size: int) -> RetirementAct:
    return RetirementAct(kind=RetirementKind.FILES, name=name, size=size)


def find_remarks(state: RetirementState, request: RetirementRequest) -> Iterator[str]:
    """Say what stays, and what does not work any more afterwards."""
    holdings = state.holdings
    if request.forbidden:
        yield f"kept, since the campaign is judged by them: {', '.join(request.forbidden)}"
    if request.scope is RetirementScope.INTERMEDIATES:
        kept = [name for name in holdings.types if not request.is_intermediate(name)]
        yield f"kept: {_shorten(kept)}"
        if state.complete is not True:
            yield f"warning: {_judge(state)}, and what is not done cannot be resumed after this"
        return
    if request.scope is RetirementScope.RUNS:
        later = [run for run in state.ledger.runs if run not in state.runs]
        read = {run.output for run in state.runs if any(run.output in each.inputs for each in later)}
        if read:
            yield f"warning: other runs of the campaign have read {', '.join(sorted(read))}"
        return
    if adopted := [run.output_run for run in state.ledger.runs if run not in state.runs]:
        yield f"adopted, and stays: {', '.join(adopted)}"
    if state.complete is not True:
        yield f"warning: {_judge(state)}"
    if holdings.apdb_note:
        yield holdings.apdb_note
    if request.keep_apdb and holdings.apdb is not None:
        yield f"the APDB in {holdings.apdb.target.place} stays, with its configuration"
    if holdings.apdb is not None and holdings.apdb.contents.foreign:
        yield f"what is no APDB's stays: {', '.join(holdings.apdb.contents.foreign)}"
    if holdings.unrecorded:
        yield f"no run has a record of these, which stay: {', '.join(holdings.unrecorded)}"
    if holdings.other_files:
        yield f"no file of a run, and stays: {', '.join(holdings.other_files)}"


def _judge(state: RetirementState) -> str:
    """Say that a campaign is not complete, or that nobody knows."""
    return (
        "it is not known whether the campaign is complete"
        if state.complete is None
        else "the campaign is not complete"
    )


def _shorten(types: Sequence[str]) -> str:
    """Name the largest of some dataset types, without those that every task has."""
    of_tasks = ("_config", "_log", "_metadata")
    others = [name for name in types if not name.endswith(of_tasks)]
    more = f" and {len(others) - _SHOWN} more" if len(others) > _SHOWN else ""
    return f"{', '.join([*others[:_SHOWN]])}{more}, and configurations, logs and metadata"


def find_objections(
    state: RetirementState,
    request: RetirementRequest,
    acts: Sequence[RetirementAct],
) -> Iterator[ApcampaignError]:
    """Say why it would be refused."""
    yield from object_to_use(state)
    name = state.workspace.campaign.name
    if not acts:
        yield PreconditionError(f"there is nothing of that to remove of campaign {name}")
    if request.scope is RetirementScope.INTERMEDIATES:
        begun = {run.step for run in state.ledger.runs}
        missing = [step for step in state.workspace.campaign.steps if step not in begun]
        if missing:
            yield PreconditionError(
                f"the {' and '.join(missing)} step of campaign {name} has not begun, and takes over what the "
                "others have made",
                remedy="submit it first, or remove --everything",
            )
    yield from _object_to_adopted(state, request)
    if request.scope is RetirementScope.RUNS and state.recorded:
        yield PreconditionError(
            f"{count(state.recorded, 'association')} in the APDB would be recorded by no run any more",
            remedy="roll them back first (`apcampaign apdb rollback`), or remove --everything",
        )
    if request.scope is RetirementScope.EVERYTHING and not request.keep_apdb and state.holdings.apdb_error:
        yield state.holdings.apdb_error
    if request.scope is RetirementScope.EVERYTHING and state.unrecorded:
        yield PreconditionError(
            f"the APDB holds {count(state.unrecorded, 'association')} that no run of campaign {name} has "
            "recorded: of another campaign, or left of failed ones",
            remedy="see `apcampaign apdb verify`; roll back what is left of this campaign (`apcampaign apdb "
            "rollback --unrecorded`), or leave the APDB (--keep-apdb)",
        )


def _object_to_adopted(state: RetirementState, request: RetirementRequest) -> Iterator[ApcampaignError]:
    """Say which adopted runs are not removed, and what stays with them."""
    for run in state.runs:
        if run.adopted_from:
            yield PreconditionError(
                f"{run.output_run} was adopted: its names are not the campaign's",
                remedy="remove it with `butler remove-runs`",
            )
    if request.scope is not RetirementScope.EVERYTHING or request.keep_apdb:
        return
    config = str(state.workspace.paths.apdb_config)
    for run in state.ledger.runs:
        if run not in state.runs and run.apdb_config == config:
            yield PreconditionError(
                f"{run.output_run}, which was adopted and stays, fills the APDB",
                remedy="leave that too (--keep-apdb)",
            )


def object_to_use(state: RetirementState) -> Iterator[ApcampaignError]:
    """Say what of it is active, and who else uses it."""
    yield from state.active
    for use in state.uses:
        yield PreconditionError(
            use.describe(), remedy="remove it from there first, or leave it to whoever uses it"
        )
