"""Mistakes, each planted in an otherwise correct submit file; those of campaigns are in `planted_campaigns`.

`benchmarks/lint_vs_bps.py` also gives them to raw BPS.
"""

__all__ = ["DIFFIM", "FILES", "PIPELINES", "TEMPLATES", "FileMistake", "fill_in"]

from dataclasses import dataclass
from pathlib import Path

PIPELINES = Path(__file__).resolve().parents[2] / "pipelines"

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
    pipetasks: getRegionTimeFromVisit
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
    """Fill in the paths."""
    return (
        text.replace("@PIPELINES@", str(PIPELINES))
        .replace("@FOLDER@", str(folder))
        .replace("@BUTLER@", str(butler))
    )


@dataclass(frozen=True)
class FileMistake:
    """A mistake made by replacing a piece of text, the rule that finds it, and a part of the message."""

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
        "a dollar before a variable of BPS",
        "submit/{outputRun}",
        "submit/${outputRun}",
        "undefined-variable",
        "write {outputRun}",
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
        "an environment that is a list",
        "campaign: quick",
        "campaign: quick\nenvironment: [A=1]",
        "wrong-type",
        "expected a mapping",
    ),
    FileMistake(
        "a word for a number",
        "campaign: quick",
        "campaign: quick\nnumberOfRetries: three",
        "wrong-type",
        "three",
    ),
    FileMistake(
        "fewer attempts than one",
        "campaign: quick",
        "campaign: quick\nnumberOfRetries: -1",
        "wrong-unit",
        "fewer times than once",
    ),
    FileMistake(
        "less memory for each further attempt",
        "campaign: quick",
        "campaign: quick\nmemoryMultiplier: 0.5",
        "wrong-unit",
        "with less of it",
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
        "an old label under pipetask",
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
    FileMistake(
        "a task's settings as a number",
        "pipetask:\n",
        "pipetask:\n  isr: 4096\n",
        "misplaced-key",
        "BPS ends with a traceback",
    ),
    FileMistake(
        "requests of a cluster under pipetask",
        "pipetask:\n",
        "pipetask:\n  singleFrame:\n    requestMemory: 4096\n",
        "no-label",
        "write them under cluster.singleFrame",
    ),
    FileMistake(
        "a value for a task that the pipeline lacks",
        "-c parameters:",
        "-c isrr:doBias=True -c parameters:",
        "override",
        "write 'isr'",
        DIFFIM,
    ),
    FileMistake(
        "a value for a parameter that the pipeline lacks",
        "-c parameters:",
        "-cparameters:releaseid=3 -c parameters:",
        "override",
        "write 'release_id'",
        DIFFIM,
    ),
    FileMistake(
        "an option without its value",
        "-c parameters:",
        "-c isr:doBias -c parameters:",
        "override",
        "isr",
        DIFFIM,
    ),
    FileMistake(
        "a quote that is not closed, in a command",
        'setupEnv: ""',
        'setupEnv: ""\nrunQuantumCommand: "pipetask run-qbb -b \'{butlerConfig}"',
        "unbalanced-quote",
        "closing quotation",
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
        "Parsl without a site",
        "wmsServiceClass: lsst.ctrl.bps.htcondor.HTCondorService",
        "wmsServiceClass: lsst.ctrl.bps.parsl.ParslService",
        "compute-site",
        "class: lsst.ctrl.bps.parsl.sites.Local",
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
        "    pipetasks: getRegionTimeFromVisit",
        "    pipetasks: getRegionTimeFromVisit,loadDiaCatalogs",
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
        "arbitrary order",
        DIFFIM,
    ),
)
