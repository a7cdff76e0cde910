"""What `apcampaign check` says to each planted mistake and each odd campaign, and what the preparation then says.

``python benchmarks/check_vs_prepare.py FOLDER [mistakes] [oddities] [--first N] [--last N] [--only PATTERN]
[--passed]`` makes a sandbox in FOLDER, checks each campaign of `planted_campaigns` (tests/support) and each of
`ODDITIES`, prepares its run as ``submit --no-check`` would (in a folder that is thrown away), and prints a table
in Markdown. What `check` passes and the preparation refuses is marked. Takes about ten seconds each; with
``--passed`` only what `check` passes is prepared.
"""

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any

import yaml
from lint_vs_bps import BIN, make_templates, run, shorten

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "support"))

from apcampaign.sandbox.create import create_sandbox
from planted_campaigns import CAMPAIGNS, INTENDED, CampaignMistake
from planting import SIZE, Ground, check_campaigns, make_ground

#: Campaigns that are unusual, or wrong in ways that nobody has planted.
ODDITIES: dict[str, dict[str, Any]] = {
    "a condition with OR": {"where": "visit = 731000 OR visit = 731001"},
    "a condition with a function": {"where": "visit.exposure_time > 1.0"},
    "a condition with a time": {"where": "visit.timespan OVERLAPS (T'2020-01-01', T'2030-01-01')"},
    "a condition with a semicolon": {"where": "visit = 731000;"},
    "a condition of blanks": {"where": "  "},
    "tracts twice": {"tracts": [3828, 3828]},
    "a collection by a pattern": {"inCollection": "2.2i/defaults/*"},
    "a collection twice": {"inCollection": ["2.2i/defaults/test-med-1", "2.2i/defaults/test-med-1"]},
    "an output with a space": {"outCollection": "u/me/x y"},
    "an output with a variable": {"outCollection": "u/{operator}/{nobody}"},
    "an output with a slash at its end": {"outCollection": "u/me/x/"},
    "a name with letters beyond ASCII": {"name": "kampagne-ä"},
    "options with an unbalanced quote": {"bps": {"extraQgraphOptions": '-c "isr:doBias=True'}},
    "options that pipetask does not have": {"bps": {"extraQgraphOptions": "--no-such-option"}},
    "options of jobs that pipetask does not have": {"bps": {"extraRunQuantumOptions": "--no-such-option"}},
    "an option without its value": {"bps": {"extraQgraphOptions": "-c"}},
    "a -c without a value": {"bps": {"extraQgraphOptions": "-c isr:doBias"}},
    "a -c of a task that is not there": {"bps": {"extraQgraphOptions": "-c isrr:doBias=True"}},
    "a -C of a file that is not there": {"bps": {"extraQgraphOptions": "-C isr:/nowhere/isr.py"}},
    "a value of the wrong type": {
        "templates": {"pipeline": "ApTemplate-DC2.yaml", "config": {"calibrateImage:threshold": "many"}}
    },
    "a value out of its range": {
        "templates": {"pipeline": "ApTemplate-DC2.yaml", "config": {"calibrateImage:threshold": -1.0}}
    },
    "a section where a value belongs": {
        "templates": {"pipeline": "ApTemplate-DC2.yaml", "config": {"calibrateImage:threshold": {"a": 1}}}
    },
    "a parameter of the wrong type": {
        "diffim": {"pipeline": "ApPipe-DC2.yaml", "parameters": {"release_id": "many"}}
    },
    "a cluster of a dimension that is not there": {
        "bps": {"cluster": {"singleFrame": {"pipetasks": "isr,calibrateImage", "dimensions": "visits"}}}
    },
    "a cluster of a task that is not there": {
        "bps": {"cluster": {"more": {"pipetasks": "isrr", "dimensions": "visit"}}}
    },
    "a task in two clusters": {
        "bps": {"cluster": {"more": {"pipetasks": "isr", "dimensions": "exposure,detector"}}}
    },
    "clusters of different dimensions": {
        "bps": {"cluster": {"singleFrame": {"pipetasks": "isr,makeDirectWarp", "dimensions": "patch"}}}
    },
    "an algorithm that is not there": {"bps": {"clusterAlgorithm": "nowhere.algorithm"}},
    "no memory": {"bps": {"requestMemory": 0}},
    "memory in words": {"bps": {"requestMemory": "a lot"}},
    "memory with a unit": {"bps": {"requestMemory": "4 GB"}},
    "retries in words": {"bps": {"numberOfRetries": "three"}},
    "an included file that is not there": {"bps": {"includeConfigs": ["nowhere.yaml"]}},
    "a section as a list": {"bps": {"pipetask": ["isr"]}},
    "a section as a text": {"bps": {"pipetask": "isr"}},
    "a task's settings as a number": {"bps": {"pipetask": {"isr": 4096}}},
    "an environment as a list": {"bps": {"environment": ["A=1"]}},
    "a variable of BPS within itself": {"bps": {"setupEnv": "{setupEnv}"}},
    "a brace in a command": {"bps": {"setupEnv": "echo {nothing"}},
    "a subset of the pipeline": {"templates": {"pipeline": "ApTemplate-DC2.yaml#singleFrame"}},
    "the repository as a URI": {"butler": "file://@FOLDER@/dc2/repo"},
    "the repository with a slash at its end": {"butler": "@FOLDER@/dc2/repo/"},
}


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("parts", nargs="*", default=["mistakes", "oddities"])
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--last", type=int, default=1000)
    parser.add_argument("--only", default="", help="only campaigns whose names match this pattern")
    parser.add_argument("--passed", action="store_true", help="prepare only what check passes")
    arguments = parser.parse_args()
    folder = arguments.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    ground = Ground(folder, create_sandbox(folder / "dc2", SIZE))
    if not ground.apdb("ready").exists():
        make_ground(folder)
        make_templates(ground)
    cases = [*CAMPAIGNS, *INTENDED] if "mistakes" in arguments.parts else []
    if "oddities" in arguments.parts:
        cases += [
            CampaignMistake(name, "", "", change, step="diffim" if "diffim" in change else "templates")
            for name, change in ODDITIES.items()
        ]
    cases = [case for case in cases if re.search(arguments.only, case.name)][arguments.first : arguments.last]
    results = check_campaigns(ground, cases)
    print("| campaign | `check` | preparing it | |\n|---|---|---|---|")
    defects = 0
    for case, result in zip(cases, results, strict=True):
        passed = result.get("good", False)
        if arguments.passed and not passed:
            print(f"| {case.name} | {describe(result)} | | |", flush=True)
            continue
        code, said = prepare(ground, case)
        refused = passed and code != 0
        defects += refused
        print(f"| {case.name} | {describe(result)} | {said} | {'**!**' if refused else ''} |", flush=True)
    print(f"\n{len(cases)} campaigns; passed by `check` and refused by the preparation: {defects}")


def describe(result: dict[str, Any]) -> str:
    """Say what the check has found, the worst first."""
    if "error" in result:
        return f"refused: {shorten(result['error'])}"
    if not result["findings"]:
        return "nothing"
    first = result["findings"][0]
    return f"{first['severity']}: {shorten(first['what'])} [{first['rule']}]"


def prepare(ground: Ground, case: CampaignMistake) -> tuple[int, str]:
    """Prepare the run of a campaign; say how many quanta it has, or why it has none."""
    path = ground.folder / "campaign.yaml"
    path.write_text(yaml.safe_dump(ground.campaign(case)))
    words = [str(BIN / "apcampaign"), "submit", case.step, "--dry-run", "--no-check", "--json"]
    words += ["--campaign", str(path), "--runs", str(ground.folder / "runs")]
    if case.step == "diffim":
        words += ["--templates", "u/me/templates"]
    code, said, _ = run(words, ground, case.environment)
    try:
        told = json.loads(said[said.index("{") : said.rindex("}") + 1])
    except ValueError:
        return code or 99, shorten(said)
    if error := told.get("error"):
        return code, f"refused: {shorten(error['what'])}"
    if obstacles := told.get("obstacles"):
        return code, f"refused: {shorten(obstacles[0])}"
    return code, f"{sum(sum(each['quanta'].values()) for each in told['previews'])} quanta"


if __name__ == "__main__":
    main()
