"""Mistakes, each planted in a submit file or a campaign that is otherwise correct.

`benchmarks/lint_vs_bps.py` shows them to raw BPS, too.
"""

__all__ = ["CAMPAIGNS", "DIFFIM", "FILES", "TEMPLATES", "CampaignMistake", "FileMistake", "fill_in"]

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PIPELINES = Path(__file__).resolve().parents[1] / "pipelines"

TEMPLATES = """\
pipelineYaml: @PIPELINES@/ApTemplate-DC2.yaml
project: dc2
campaign: quick
computeSite: local
site:
  local:
    profile:
      condor:
        +Walltime: 43200
wmsServiceClass: lsst.ctrl.bps.htcondor.HTCondorService
submitPath: "@FOLDER@/submit/{outputRun}"
setupEnv: ""
requestMemory: 2048
clusterAlgorithm: lsst.ctrl.bps.quantum_clustering_funcs.dimension_clustering
cluster:
  singleFrame:
    pipetasks: isr,calibrateImage
    dimensions: visit,detector
    equalDimensions: visit:exposure
pipetask:
  assembleTemplateCoadd:
    requestMemory: 8192
finalJob:
  requestCpus: 1
  requestMemory: 2048
payload:
  payloadName: templates
  butlerConfig: @BUTLER@
  inCollection: 2.2i/defaults/test-med-1
  output: u/{operator}/{payloadName}
  dataQuery: "instrument='LSSTCam-imSim' AND skymap='DC2' AND tract=3828"
"""

DIFFIM = """\
pipelineYaml: @PIPELINES@/ApPipe-DC2.yaml
project: dc2
campaign: quick
computeSite: local
wmsServiceClass: lsst.ctrl.bps.htcondor.HTCondorService
submitPath: "@FOLDER@/submit/{outputRun}"
setupEnv: ""
extraQgraphOptions: "-c parameters:apdb_config=@FOLDER@/apdb.yaml --skip-existing-in u/me/templates"
pipetask:
  loadDiaCatalogs:
    numberOfRetries: 0
    memoryMultiplier: 1
  associateApdb:
    numberOfRetries: 0
    memoryMultiplier: 1
clusterAlgorithm: lsst.ctrl.bps.quantum_clustering_funcs.dimension_clustering
cluster:
  preload:
    pipetasks: getRegionTimeFromVisit,mpSkyEphemerisQuery
    dimensions: visit,detector
    equalDimensions: visit:group
ordering:
  association:
    labels: loadDiaCatalogs,associateApdb
    dimensions: visit,detector
    equalDimensions: visit:group
    findDependencyMethod: sink
    implementation: noop
payload:
  payloadName: diffim
  butlerConfig: @BUTLER@
  inCollection: u/me/templates,2.2i/defaults/test-med-1
  dataQuery: "instrument='LSSTCam-imSim' AND skymap='DC2' AND tract=3828"
"""


def fill_in(text: str, *, folder: Path, butler: Path) -> str:
    """Put in the paths."""
    return (
        text.replace("@PIPELINES@", str(PIPELINES))
        .replace("@FOLDER@", str(folder))
        .replace("@BUTLER@", str(butler))
    )


@dataclass(frozen=True)
class FileMistake:
    """What is planted by replacing a piece of text, the rule that finds it, and a word of what it says."""

    name: str
    old: str
    new: str
    rule: str
    word: str
    base: str = TEMPLATES

    @property
    def text(self) -> str:
        assert self.base.count(self.old) >= 1, self.name
        return self.base.replace(self.old, self.new, 1)


_CLUSTERING = "clusterAlgorithm: lsst.ctrl.bps.quantum_clustering_funcs.dimension_clustering\n"
_PAYLOAD = "  butlerConfig: @BUTLER@\n  inCollection: 2.2i/defaults/test-med-1\n"
_QUERY = "  dataQuery: \"instrument='LSSTCam-imSim' AND skymap='DC2' AND tract=3828\"\n"
_MEMORY = "    requestMemory: 8192\n"

FILES = (
    FileMistake(
        "a misspelt key", "\nrequestMemory: 2048", "\nrequestMemmory: 2048", "misspelt-key", "requestMemory"
    ),
    FileMistake(
        "a key in snake case", _MEMORY, "    request_memory: 8192\n", "misspelt-key", "requestMemory"
    ),
    FileMistake("a misspelt section", "finalJob:", "finalJobs:", "misspelt-key", "finalJob"),
    FileMistake(
        "a key nobody knows", "campaign: quick", "campaign: quick\ncolour: red", "unknown-key", "colour"
    ),
    FileMistake(
        "a task outside pipetask", "pipetask:\n", "isr:\n  requestCpus: 2\npipetask:\n", "unknown-key", "isr"
    ),
    FileMistake(
        "site under computeSite",
        "computeSite: local\nsite:\n  local:\n    profile:\n      condor:\n        +Walltime: 43200",
        "computeSite:\n  site:\n    local:\n      profile:\n        condor:\n          +Walltime: 43200",
        "misplaced-key",
        "site",
    ),
    FileMistake("a misspelt site", "computeSite: local", "computeSite: locl", "misspelt-site", "locl"),
    FileMistake(
        "computeSite without a value", "computeSite: local", "computeSite:", "empty-value", "computeSite"
    ),
    FileMistake(
        "a site's setting at the top",
        "campaign: quick",
        "campaign: quick\nwalltime: '10:00:00'",
        "misplaced-key",
        "walltime",
    ),
    FileMistake(
        "a setting where a cluster's name belongs",
        "cluster:\n",
        "cluster:\n  requestMemory: 4096\n",
        "misplaced-key",
        "name of a cluster",
    ),
    FileMistake("outCollection", "  output: u/", "  outCollection: u/", "removed-key", "outCollection"),
    FileMistake(
        "executionButler",
        "finalJob:",
        "executionButler:\n  requestMemory: 4000\nfinalJob:",
        "removed-key",
        "executionButler",
    ),
    FileMistake(
        "a variable that is not defined",
        "u/{operator}/{payloadName}",
        "u/{operator}/{payload_name}",
        "undefined-variable",
        "payload_name",
    ),
    FileMistake(
        "a misspelt variable in outputRun",
        "  output: u/",
        "  outputRun: u/me/x/{timestmp}\n  output: u/",
        "undefined-variable",
        "timestamp",
    ),
    FileMistake("a brace that is not closed", "u/{operator}/", "u/{operator/", "unbalanced-brace", "output"),
    FileMistake(
        "a misspelt variable of the environment",
        "@PIPELINES@/ApTemplate-DC2.yaml",
        "${AP_PIPE_DRI}/pipelines/x.yaml",
        "environment-unset",
        "AP_PIPE_DIR",
    ),
    FileMistake(
        "an unbalanced quote in the data query", "skymap='DC2' AND", "skymap='DC2 AND", "data-query", "quote"
    ),
    FileMistake(
        "an unbalanced parenthesis in the data query",
        "AND tract=3828",
        "AND (tract=3828",
        "data-query",
        "parenthes",
    ),
    FileMistake(
        "double quotes in the data query",
        "skymap='DC2' AND",
        'skymap=\\"DC2\\" AND',
        "data-query",
        "double quotes",
    ),
    FileMistake(
        "a misspelt dimension in the data query", "AND tract=3828", "AND tracts=3828", "data-query", "tracts"
    ),
    FileMistake(
        "a misspelt field in the data query",
        "AND tract=3828",
        "AND visit.exposure_tim > 1",
        "data-query",
        "exposure_tim",
    ),
    FileMistake("memory with a unit", "\nrequestMemory: 2048", "\nrequestMemory: 4GB", "wrong-unit", "4096"),
    FileMistake("memory in GiB", "\nrequestMemory: 2048", "\nrequestMemory: 4", "wrong-unit", "4 MiB"),
    FileMistake(
        "a boolean in quotes",
        "campaign: quick",
        'campaign: quick\npreemptible: "False"',
        "wrong-type",
        "counts as true",
    ),
    FileMistake(
        "a word for a number",
        "campaign: quick",
        "campaign: quick\nnumberOfRetries: three",
        "wrong-type",
        "three",
    ),
    FileMistake("cores in quotes", "  requestCpus: 1", '  requestCpus: "1"', "wrong-type", "requestCpus"),
    FileMistake(
        "an include that is not there",
        "project: dc2",
        "includeConfigs: [nowhere.yaml]\nproject: dc2",
        "include",
        "nowhere.yaml",
    ),
    FileMistake(
        "a file that includes itself",
        "project: dc2",
        "includeConfigs: [bps.yaml]\nproject: dc2",
        "include",
        "includes itself",
    ),
    FileMistake(
        "a pipeline file that is not there",
        "ApTemplate-DC2.yaml",
        "ApTemplates-DC2.yaml",
        "no-pipeline",
        "ApTemplates",
    ),
    FileMistake(
        "a subset that the pipeline lacks",
        "ApTemplate-DC2.yaml",
        "ApTemplate-DC2.yaml#makeTemplates",
        "no-subset",
        "makeTemplates",
    ),
    FileMistake(
        "a label of former times under pipetask",
        "  assembleTemplateCoadd:",
        "  assembleCoadd:",
        "no-label",
        "assembleCoadd",
    ),
    FileMistake(
        "a misspelt label in a cluster",
        "isr,calibrateImage",
        "isr,calibrateImag",
        "no-label",
        "calibrateImage",
    ),
    FileMistake(
        "a task in two clusters",
        "pipetask:\n",
        "  again:\n    pipetasks: isr\n    dimensions: exposure,detector\npipetask:\n",
        "cluster",
        "isr",
    ),
    FileMistake("clusters without their algorithm", _CLUSTERING, "", "cluster-unused", "single_quantum"),
    FileMistake(
        "a misspelt algorithm",
        "funcs.dimension_clustering",
        "funcs.dimensions_clustering",
        "unknown-class",
        "dimensions_clustering",
    ),
    FileMistake(
        "labels as a YAML list",
        "pipetasks: isr,calibrateImage",
        "pipetasks: [isr, calibrateImage]",
        "cluster",
        "isr,calibrateImage",
    ),
    FileMistake("equalDimensions that are no pair", "visit:exposure", "visit,exposure", "dimension", "pair"),
    FileMistake(
        "a misspelt dimension of a cluster",
        "dimensions: visit,detector",
        "dimensions: visit,detectr",
        "dimension",
        "detector",
    ),
    FileMistake(
        "a misspelt plugin",
        "htcondor.HTCondorService",
        "htcondr.HTCondorService",
        "unknown-class",
        "htcondor",
    ),
    FileMistake(
        "a misspelt class", "HTCondorService", "HTCondorServices", "unknown-class", "HTCondorServices"
    ),
    FileMistake(
        "a key twice", "campaign: quick", "campaign: quick\ncampaign: slow", "duplicate-key", "campaign"
    ),
    FileMistake(
        "a tab for indentation", "  payloadName: templates", "\tpayloadName: templates", "yaml", "not YAML"
    ),
    FileMistake(
        "a space in inCollection",
        "inCollection: 2.2i/",
        "inCollection: 2.2i/raw/all, 2.2i/",
        "space",
        "comma",
    ),
    FileMistake("no dataQuery", _QUERY, "", "missing-key", "whole repository"),
    FileMistake(
        "no inCollection", "  inCollection: 2.2i/defaults/test-med-1\n", "", "missing-key", "inCollection"
    ),
    FileMistake(
        "no payloadName and no output",
        f"  payloadName: templates\n{_PAYLOAD}  output: u/{{operator}}/{{payloadName}}\n",
        _PAYLOAD,
        "missing-key",
        "payloadName",
    ),
    FileMistake(
        "a request in the payload",
        "  payloadName: templates",
        "  payloadName: templates\n  requestMemory: 1024",
        "payload-wins",
        "requestMemory",
    ),
    FileMistake(
        "an outputRun that is always the same",
        "  output: u/",
        "  outputRun: u/me/x/run1\n  output: u/",
        "fixed-run",
        "run1",
    ),
    FileMistake(
        "an ordered label in a cluster",
        "    pipetasks: getRegionTimeFromVisit,mpSkyEphemerisQuery",
        "    pipetasks: getRegionTimeFromVisit,mpSkyEphemerisQuery,loadDiaCatalogs",
        "ordering",
        "loadDiaCatalogs",
        DIFFIM,
    ),
    FileMistake(
        "a group without dimensions",
        "    dimensions: visit,detector\n    equalDimensions: visit:group\n    findDep",
        "    findDep",
        "ordering",
        "dimensions",
        DIFFIM,
    ),
    FileMistake(
        "an unknown implementation of the order",
        "implementation: noop",
        "implementation: noops",
        "ordering",
        "noops",
        DIFFIM,
    ),
    FileMistake(
        "an unknown findDependencyMethod",
        "findDependencyMethod: sink",
        "findDependencyMethod: sinks",
        "dimension",
        "sinks",
        DIFFIM,
    ),
    FileMistake(
        "retries of what writes to the APDB",
        "  associateApdb:\n    numberOfRetries: 0\n    memoryMultiplier: 1\n",
        "",
        "apdb-retries",
        "5 times",
        DIFFIM,
    ),
    FileMistake(
        "associations in any order",
        DIFFIM[DIFFIM.index("ordering:") : DIFFIM.index("payload:")],
        "",
        "apdb-order",
        "any order",
        DIFFIM,
    ),
)


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
_OPEN = "instrument='LSSTCam-imSim' AND skymap='DC2'"

CAMPAIGNS = (
    CampaignMistake(
        "a repository that is not there", "butler", "cannot be opened", {"butler": "/nowhere/repo"}
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
    CampaignMistake("a misspelt skymap", "no-data", "skymap='DC22'", {"skymap": "DC22"}),
    CampaignMistake(
        "a misspelt instrument", "no-data", "instrument='LSSTCam-ImSim'", {"instrument": "LSSTCam-ImSim"}
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
        "pipelines-differ",
        "'isr'",
        {"diffim": {"pipeline": "@FOLDER@/other-isr.yaml"}},
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
    CampaignMistake("an APDB of another instrument", "apdb", "is of instrument", apdb="HSC", step="diffim"),
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
        "a cluster that leaves out what is between",
        "cluster-cycle",
        "through detectAndMeasureDiaSource",
        {
            "diffim": {
                "pipeline": "ApPipe-DC2.yaml",
                "bps": {"cluster": {"diffim": {"pipetasks": "buildTemplate,subtractImages,filterDiaSource"}}},
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
        "groups of jobs without their scripts",
        "versions",
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
