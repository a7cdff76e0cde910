"""Mistakes, each planted in a campaign that is otherwise correct, or around it.

`benchmarks/lint_vs_bps.py` shows them to raw BPS, too.
"""

__all__ = ["CAMPAIGNS", "CampaignMistake"]

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class CampaignMistake:
    """What is planted in a campaign or around it, the rule that finds it, and a word of what it says.

    Parameters
    ----------
    change
        Keys of the campaign to replace.
    environment
        Variables to set, or to unset by `None`.
    apdb
        What to do to the APDB before: nothing is made if ``none``.
    step
        Which step's config raw BPS is shown.
    """

    name: str
    rule: str
    word: str
    change: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, str | None] = field(default_factory=dict)
    apdb: str = "ready"
    step: str = "templates"


_RAW, _CALIB, _REST = "2.2i/raw/all", "2.2i/calib", ["refcats", "skymaps", "pretrained_models"]
_FAKES: dict[str, Any] = {
    "pipeline": "ApPipeWithFakes-DC2.yaml",
    "config": {
        "injectVisit:selection": "injection_catalog['isVisitSource']",
        "injectTemplate:selection": "injection_catalog['isTemplateSource']",
        "injectTemplate:process_all_data_ids": True,
    },
}
_OPEN = "instrument='LSSTCam-imSim' AND skymap='DC2'"

CAMPAIGNS = (
    CampaignMistake(
        "a repository that is not there", "butler", "cannot be read", {"butler": "/nowhere/repo"}
    ),
    CampaignMistake(
        "a name that makes too long ones", "file-names", "File name too long", {"name": "long-" * 32}
    ),
    CampaignMistake(
        "associations in any order",
        "apdb-order",
        "history goes missing",
        {"diffim": {"pipeline": "ApPipe-DC2.yaml", "ordering": "none"}},
    ),
    CampaignMistake(
        "a misspelt collection",
        "no-collection",
        "2.2i/defaults/test-med-1",
        {"inCollection": "2.2i/defaults/test-med1"},
    ),
    CampaignMistake("inputs without calibrations", "no-input", "bias", {"inCollection": [_RAW, *_REST]}),
    CampaignMistake(
        "inputs without reference catalogue",
        "no-input",
        "cal_ref_cat_2_2",
        {"inCollection": [_RAW, _CALIB, *_REST[1:]]},
    ),
    CampaignMistake(
        "inputs without skymap",
        "no-input",
        "skyMap",
        {"inCollection": [_RAW, _CALIB, "refcats", "pretrained_models"]},
    ),
    CampaignMistake(
        "inputs with another skymap",
        "no-input",
        "no 'skyMap' of skymap 'DC2'",
        {"inCollection": [_RAW, _CALIB, "refcats", "mistakes/other-skymap", "pretrained_models"]},
    ),
    CampaignMistake(
        "inputs without the model of real and bogus",
        "no-input",
        "this repository has it in pretrained_models",
        {"inCollection": [_RAW, _CALIB, "refcats", "skymaps"]},
        step="diffim",
    ),
    CampaignMistake(
        "real Solar System objects on a simulated sky",
        "simulated-sky",
        "exclude mpSkyEphemerisQuery",
        {"diffim": {"pipeline": "$AP_PIPE_DIR/pipelines/LSSTCam-imSim/ApPipe.yaml"}},
        step="diffim",
    ),
    CampaignMistake("inputs without raws", "no-data", "selects no raw", {"inCollection": [_CALIB, *_REST]}),
    CampaignMistake(
        "calibrations of another time",
        "no-calibration",
        "valid when",
        {"inCollection": [_RAW, "mistakes/calib-2001", *_REST]},
    ),
    CampaignMistake(
        "a reference catalogue of another sky",
        "no-refcat",
        "does not reach",
        {"inCollection": [_RAW, _CALIB, "mistakes/refcat-elsewhere", *_REST[1:]]},
    ),
    CampaignMistake("a tract without visits", "no-data", "without 'tract IN (4431)'", {"tracts": [4431]}),
    CampaignMistake("a band without visits", "no-data", "band IN ('z')", {"bands": ["z"]}),
    CampaignMistake(
        "one band of two without visits", "no-data", "selected of band 'z'", {"bands": ["r", "z"]}
    ),
    CampaignMistake(
        "a band of another camera",
        "no-data",
        "band 'VR', which this instrument does not have",
        {"bands": ["r", "VR"]},
    ),
    CampaignMistake(
        "one tract of two without visits", "no-data", "selected of tract 4431", {"tracts": [3828, 4431]}
    ),
    CampaignMistake("a misspelt skymap", "no-data", "skymap='DC22'", {"skymap": "DC22"}),
    CampaignMistake(
        "a misspelt instrument",
        "no-data",
        "instrument='LSSTCam-ImSim'",
        {
            "instrument": "LSSTCam-ImSim",
            "templates": {"pipeline": "ApTemplate-DC2.yaml"},
            "diffim": {"pipeline": "ApPipe-DC2.yaml"},
        },
    ),
    CampaignMistake(
        "a condition that nothing meets", "no-data", "visit > 99999999", {"where": "visit > 99999999"}
    ),
    CampaignMistake("a value of the wrong type", "data-query", "cannot be run", {"where": "visit = 'abc'"}),
    CampaignMistake(
        "a data query without skymap",
        "query-open",
        "which skymap",
        {
            "templates": {
                "pipeline": "ApTemplate-DC2.yaml",
                "dataQuery": "instrument='LSSTCam-imSim' AND tract=3828",
            }
        },
    ),
    CampaignMistake(
        "a data query without limits",
        "query-open",
        "neither sky nor time",
        {"templates": {"pipeline": "ApTemplate-DC2.yaml", "dataQuery": _OPEN}},
    ),
    CampaignMistake(
        "a subset that the pipeline lacks",
        "pipeline",
        "apPip'",
        {"diffim": {"pipeline": "ApPipe-DC2.yaml#apPip"}},
        step="diffim",
    ),
    CampaignMistake(
        "a pipeline with a task that cannot be imported",
        "pipeline",
        "cannot be used",
        {"templates": {"pipeline": "@FOLDER@/no-task.yaml"}},
    ),
    CampaignMistake(
        "templates of another era",
        "pipelines-differ",
        "goodSeeingCoadd",
        {"diffim": {"pipeline": "@FOLDER@/other-era.yaml"}},
        step="diffim",
    ),
    CampaignMistake(
        "another ISR for the science images",
        "reuse",
        "doBrighterFatter is False there and True here",
        {"diffim": {"pipeline": "@FOLDER@/other-isr.yaml"}},
        step="diffim",
    ),
    CampaignMistake(
        "science visits beside those for templates",
        "uncovered",
        "no visit for templates overlaps",
        {
            "templates": {"pipeline": "ApTemplate-DC2.yaml", "where": "visit = 731000 AND patch < 20"},
            "diffim": {"pipeline": "ApPipe-DC2.yaml", "skipExistingIn": []},
        },
        step="diffim",
    ),
    CampaignMistake(
        "a band that the APDB has no columns for",
        "band",
        "visits in r are selected, and 'associateApdb' takes g only",
        {"diffim": {"config": {"associateApdb:validBands": "['g']"}}},
        step="diffim",
    ),
    CampaignMistake(
        "brighter-fatter without its kernels",
        "no-input",
        "hold no 'bfk', which isr reads",
        {
            step: {"pipeline": pipeline, "config": {"isr:doBrighterFatter": True}}
            for step, pipeline in (("templates", "ApTemplate-DC2.yaml"), ("diffim", "ApPipe-DC2.yaml"))
        },
    ),
    CampaignMistake(
        "a parameter that the pipeline lacks",
        "override",
        "write 'release_id'",
        {"diffim": {"pipeline": "ApPipe-DC2.yaml", "parameters": {"releaseId": 3}}},
        step="diffim",
    ),
    CampaignMistake(
        "a value for a task that the pipeline lacks",
        "override",
        "write 'calibrateImage'",
        {"templates": {"pipeline": "ApTemplate-DC2.yaml", "config": {"calibrateImages:threshold": 9.0}}},
    ),
    CampaignMistake(
        "a value for a field that a task lacks",
        "override",
        "write 'threshold'",
        {"templates": {"pipeline": "ApTemplate-DC2.yaml", "config": {"calibrateImage:treshold": 9.0}}},
    ),
    CampaignMistake(
        "a field of a subtask that is not there, in options",
        "override",
        "write 'release_id'",
        {"bps": {"extraQgraphOptions": "-c calibrateImage:id_generator.releaseid=3"}},
    ),
    CampaignMistake(
        "an option that pipetask does not have",
        "options",
        "No such option '--timout'",
        {"bps": {"pipetask": {"isr": {"extraRunQuantumOptions": "--timout 600"}}}},
    ),
    CampaignMistake(
        "a value that sets nothing",
        "options",
        "has not the form label:field=value",
        {"bps": {"extraQgraphOptions": "-c isr:doBias"}},
    ),
    CampaignMistake(
        "an algorithm that is not there",
        "unknown-class",
        "No module named 'nowhere'",
        {"bps": {"clusterAlgorithm": "nowhere.algorithm"}},
    ),
    CampaignMistake(
        "injection without a task that injects",
        "injection",
        "no task of the pipeline injects",
        {"injection": {"catalog": "injection_catalogs"}},
        step="diffim",
    ),
    CampaignMistake(
        "a collection without injection catalogue",
        "injection",
        "refcats holds no 'injection_catalog'",
        {"injection": {"catalog": "refcats"}, "diffim": _FAKES},
        step="diffim",
    ),
    CampaignMistake(
        "an injection catalogue of another sky",
        "injection",
        "has no source in 2 of 2",
        {"injection": {"catalog": "mistakes/injection-elsewhere"}, "diffim": _FAKES},
        step="diffim",
    ),
    CampaignMistake("$AP_PIPE_DIR not set", "environment", "AP_PIPE_DIR", environment={"AP_PIPE_DIR": None}),
    CampaignMistake(
        "$AP_PIPE_DIR of yesterday",
        "environment",
        "no such folder",
        environment={"AP_PIPE_DIR": "/nowhere/ap_pipe"},
    ),
    CampaignMistake(
        "a password in the environment", "environment", "PGPASSWORD", environment={"PGPASSWORD": "hunter2"}
    ),
    CampaignMistake("an APDB that was not made", "apdb", "no APDB yet", apdb="none", step="diffim"),
    CampaignMistake("an APDB that is not empty", "apdb", "not empty", apdb="filled", step="diffim"),
    CampaignMistake("an APDB of another instrument", "apdb", "instrument HSC", apdb="HSC", step="diffim"),
    CampaignMistake(
        "an output that is a RUN collection",
        "output-exists",
        "of type RUN",
        {"outCollection": "mistakes/run"},
    ),
    CampaignMistake(
        "an output made from other inputs",
        "stale-chain",
        "made from other inputs",
        {"outCollection": "mistakes/stale"},
    ),
    CampaignMistake(
        "two clusters, each with what is between the other's",
        "cluster-cycle",
        "'again' and 'diffim'",
        {
            "diffim": {
                "pipeline": "ApPipe-DC2.yaml",
                "bps": {
                    "cluster": {
                        "diffim": {"pipetasks": "buildTemplate,detectAndMeasureDiaSource"},
                        "again": {
                            "pipetasks": "subtractImages,filterDiaSource",
                            "dimensions": "visit,detector",
                        },
                    }
                },
            }
        },
        step="diffim",
    ),
    CampaignMistake(
        "no HTCondor",
        "wms",
        "does not answer",
        {"site": "local"},
        environment={"CONDOR_CONFIG": "/nowhere/condor_config"},
    ),
    CampaignMistake(
        "a BPS plugin that is not installed", "wms", "PanDAService", {"site": "@FOLDER@/panda.yaml"}
    ),
    CampaignMistake("Parsl without a site", "compute-site", "'site.here'", {"site": "@FOLDER@/parsl.yaml"}),
    CampaignMistake(
        "a site that Parsl does not have",
        "compute-site",
        "computeSite: local",
        {"bps": {"computeSite": "there"}},
    ),
    CampaignMistake(
        "Parsl without computeSite", "compute-site", "does not name", {"bps": {"computeSite": None}}
    ),
    CampaignMistake(
        "groups of jobs without their scripts",
        "group-scripts",
        "subdag_post.sh",
        {"site": "local", "bps": {"ordering": {"x": {"labels": "isr", "dimensions": "exposure"}}}},
    ),
    CampaignMistake(
        "a misspelt BPS setting in the campaign",
        "misspelt-key",
        "requestMemory",
        {"bps": {"requestMemry": 9000}},
    ),
)

#: What would be a mistake if the campaign did not say that it is meant.
INTENDED = (
    CampaignMistake(
        "science images that are calibrated in another way than those of the templates",
        "pipelines-differ",
        "'isr'",
        {"diffim": {"pipeline": "@FOLDER@/other-isr.yaml", "skipExistingIn": []}},
    ),
    CampaignMistake(
        "injected sources",
        "injection",
        "",
        {"injection": {"catalog": "injection_catalogs"}, "diffim": _FAKES},
    ),
    CampaignMistake(
        "an APDB that other campaigns fill too",
        "apdb",
        "not empty",
        {"apdb": {"config": "@FOLDER@/apdb-filled.yaml", "filled": True}},
    ),
)
