"""Which seeds are tried (SEEDS='1 2' or '1..40'; none by default), and a table of what became of each."""

import os
import sys
from collections import Counter
from typing import Any

import pytest

_SEEDS = os.environ.get("SEEDS", "")
collect_ignore = [] if _SEEDS else ["test_chaos.py"]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    seeds: list[int] = []
    for word in _SEEDS.split():
        first, _, last = word.partition("..")
        seeds += range(int(first), int(last or first) + 1)
    metafunc.parametrize("seed", seeds)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Tell of a failure at once: all seeds may take hours, and their folders are not kept so long."""
    if report.failed and not os.environ.get("PYTEST_XDIST_WORKER"):
        sys.stdout.write(f"\n{report.longreprtext}\n")
        sys.stdout.flush()


def pytest_terminal_summary(terminalreporter: Any) -> None:
    told = [
        dict(report.user_properties)
        for kind in ("passed", "failed")
        for report in terminalreporter.stats.get(kind, [])
        if report.when == "call" and any(name == "seed" for name, _ in report.user_properties)
    ]
    if not told:
        return
    terminalreporter.section("chaos")
    for each in sorted(told, key=lambda each: each["seed"]):
        terminalreporter.line(f"{each['seed']:>4} {each['end'][0]}: {', '.join(each['faults'])}")
        terminalreporter.line(f"     {'; '.join(each['commands'])}")
    ends, faults = (
        Counter(each["end"][0] for each in told),
        Counter(kind for e in told for kind in e["faults"]),
    )
    for count in (ends, faults):
        terminalreporter.line(", ".join(f"{number} × {what}" for what, number in count.most_common()))
