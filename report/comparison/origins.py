"""Differences of what results depend on: configuration, inputs, settings, software; and of what they took."""

__all__ = ["differ_in_origins"]

import re
from collections.abc import Iterator, Mapping

from .model import Aspect, Comparable, Difference, Tolerances, list_examples

#: Settings that name or place a campaign, or tell how its jobs are run: they change no result.
_PLACES = re.compile(
    r"(name|butler|operator|outCollection|site|prepareSlots|prepareMemory)|(apdb|notify|bps)\..*"
    r"|(templates|diffim)\.(parts|bps\..*)"
)
#: Fields of configurations that change no output; the URL names the APDB, each campaign's own.
_HARMLESS = re.compile(r"saveLogOutput|apdb_config_url")
#: A smaller difference of time or memory says more of the machine than of the task.
_TELLING_SECONDS, _TELLING_MIB = 1.0, 64.0


def differ_in_origins(a: Comparable, b: Comparable, tolerances: Tolerances) -> Iterator[Difference]:
    """List in what two sides differ besides their results."""
    yield from _differ_in_configuration(a, b)
    yield from _differ_in_inputs(a, b)
    yield from _differ_in_settings(a, b)
    yield from _differ_in_software(a, b)
    yield from _differ_in_costs(a, b, tolerances)


def _differ_in_configuration(a: Comparable, b: Comparable) -> Iterator[Difference]:
    keys = sorted(a.configuration.keys() | b.configuration.keys())
    for key in keys:
        one, other = a.configuration.get(key), b.configuration.get(key)
        label = key[1] if sum(each[1] == key[1] for each in keys) == 1 else f"{key[0]} {key[1]}"
        if one is None or other is None:
            # A step that one side does not have, or a configuration that cannot be read, is told elsewhere.
            both = {step for step, _ in a.configuration} & {step for step, _ in b.configuration}
            if key[0] in both and not (a.lacks(Aspect.CONFIGURATION) or b.lacks(Aspect.CONFIGURATION)):
                has = ["there" if each is not None else "none" for each in (one, other)]
                yield Difference(aspect=Aspect.CONFIGURATION, what=label, a=has[0], b=has[1], weight=2)
            continue
        for name in sorted(one.keys() | other.keys()):
            if one.get(name) != other.get(name) and not _HARMLESS.fullmatch(name):
                yield Difference(
                    aspect=Aspect.CONFIGURATION,
                    what=f"{label}: {name}",
                    a=one.get(name, ""),
                    b=other.get(name, ""),
                    # Names of datasets and of classes come with what they stand for.
                    weight=0 if name.startswith("connections.") else 1,
                )


def _differ_in_inputs(a: Comparable, b: Comparable) -> Iterator[Difference]:
    for step in sorted(a.collections.keys() & b.collections.keys()):
        if a.collections[step] != b.collections[step]:
            yield Difference(
                aspect=Aspect.INPUTS,
                what=f"collections of {step}",
                a=", ".join(a.collections[step]),
                b=", ".join(b.collections[step]),
            )
    for step in sorted(a.selected.keys() & b.selected.keys()):
        one, other = a.selected[step], b.selected[step]
        lost, new = sorted(one - other), sorted(other - one)
        if lost or new:
            examples = list_examples(
                f"visit {visit} detector {detector}" for visit, detector in (*lost, *new)
            )
            yield Difference(
                aspect=Aspect.INPUTS,
                what=f"images of {step}",
                a=f"{len(one):,}",
                b=f"{len(other):,}",
                note=f"{len(lost):,} lost, {len(new):,} new: {examples}",
                weight=len(lost) + len(new),
            )


def _differ_in_settings(a: Comparable, b: Comparable) -> Iterator[Difference]:
    if a.lacks(Aspect.SETTINGS) or b.lacks(Aspect.SETTINGS):
        return
    for name in _changed(a.settings, b.settings):
        yield Difference(
            aspect=Aspect.SETTINGS,
            what=name,
            a=a.settings.get(name, ""),
            b=b.settings.get(name, ""),
            counts=not _PLACES.fullmatch(name),
        )


def _differ_in_software(a: Comparable, b: Comparable) -> Iterator[Difference]:
    # What a job has not imported it has not recorded either.
    for name in _changed(a.software, b.software):
        known = name in a.software and name in b.software
        yield Difference(
            aspect=Aspect.SOFTWARE,
            what=name,
            a=a.software.get(name, ""),
            b=b.software.get(name, ""),
            weight=known * (1 + ("pipe_base" in name.replace("-", "_"))),
            counts=known,
        )


def _differ_in_costs(a: Comparable, b: Comparable, tolerances: Tolerances) -> Iterator[Difference]:
    for key in sorted(a.usage.keys() & b.usage.keys()):
        one, other = a.usage[key], b.usage[key]
        found = [("seconds", _TELLING_SECONDS, one.seconds.median, other.seconds.median)]
        if one.memory and other.memory:
            found.append(("MiB at most", _TELLING_MIB, one.memory.most, other.memory.most))
        for unit, telling, here, there in found:
            factor = max(here, there) / max(min(here, there), 1e-9)
            if factor > tolerances.slower and abs(there - here) > telling:
                yield Difference(
                    aspect=Aspect.COSTS,
                    what=f"{key[1]}, {unit}",
                    a=f"{here:.3g}" if here < 100 else f"{here:,.0f}",
                    b=f"{there:.3g}" if there < 100 else f"{there:,.0f}",
                    weight=factor,
                    counts=False,
                )


def _changed(one: Mapping[str, str], other: Mapping[str, str]) -> list[str]:
    return [name for name in sorted(one.keys() | other.keys()) if one.get(name) != other.get(name)]
