"""Score the demo's campaign on many simulated skies, in one process: ``python benchmarks/sandbox_seeds.py 1 2 3``.

``--unkind RATE`` (0: kind skies) replaces the rate of the demo. Prints a row for each seed, then processor seconds
and peak memory of the tasks.
"""

import argparse
import resource
import sys
import tempfile
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "support"))

from apcampaign.sandbox.score import score
from apcampaign.sandbox.sky import Sky
from apcampaign.sandbox.survey import DEMO, Survey
from apcampaign.sandbox.truth import make_truth
from rehearsal import rehearse


def main(seeds: list[int], unkind: float) -> None:
    seconds: dict[str, list[float]] = defaultdict(list)
    print("seed truths sources completeness purity position   flux association  missed")
    for seed in seeds:
        survey = Survey(replace(DEMO, seed=seed, unkind=unkind))
        with tempfile.TemporaryDirectory() as folder:
            campaign = rehearse(survey, Path(folder))
            result = score(make_truth(Sky(survey)), campaign.rows("DiaSource"))
        for task, values in campaign.seconds.items():
            seconds[task] += values
        print(
            f"{seed:4} {result.truths:6} {result.sources:7} {result.completeness:12.3f} {result.purity:6.3f} "
            f"{result.position:8.3f} {result.flux:+6.3f} {result.association:11.3f}  {', '.join(result.missed)}",
            flush=True,
        )
    for task, values in seconds.items():
        print(f"{task:36} {len(values):5} runs, {np.mean(values):.3f} s each, {np.max(values):.3f} s at most")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory of this process: {peak:.0f} MB")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("seeds", type=int, nargs="*", default=[1, 2, 3, 4, 5, 6])
    parser.add_argument("--unkind", type=float, default=DEMO.unkind)
    options = parser.parse_args()
    main(options.seeds, options.unkind)
