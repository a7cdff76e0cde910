import functools
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from apcampaign.sandbox.create import AP_PIPE_DIR, Sandbox, create_sandbox
from apcampaign.sandbox.survey import SandboxSize
from lsst.daf.butler import Butler

IED = {"instrument", "exposure", "detector"}
IVD = {"instrument", "visit", "detector"}
IGD = {"instrument", "group", "detector"}
IV = {"instrument", "visit"}
PATCH = {"skymap", "tract", "patch"}

# What the tasks of these labels read and write in Rubin's ap_pipe with imSim's configuration.
TEMPLATES: dict[str, tuple[set[str], str, str]] = {
    "consolidateVisitSummary": (
        IV,
        "camera:Camera preliminary_visit_image:ExposureF",
        "preliminary_visit_summary:ExposureCatalog visit_geometry:VisitGeometry",
    ),
    "selectTemplateCoaddVisits": (
        PATCH | {"band", "instrument"},
        "preliminary_visit_summary:ExposureCatalog skyMap:SkyMap",
        "template_coadd_visit_selection:StructuredDataDict",
    ),
    "makeDirectWarp": (
        PATCH | IV,
        "preliminary_visit_image:ExposureF preliminary_visit_summary:ExposureCatalog skyMap:SkyMap",
        "direct_warp:ExposureF direct_warp_masked_fraction:ImageF",
    ),
    "makePsfMatchedWarp": (PATCH | IV, "direct_warp:ExposureF skyMap:SkyMap", "psf_matched_warp:ExposureF"),
    "assembleTemplateCoadd": (
        PATCH | {"band"},
        "direct_warp:ExposureF psf_matched_warp:ExposureF skyMap:SkyMap "
        "template_coadd_visit_selection:StructuredDataDict",
        "template_coadd:ExposureF template_coadd_n_image:ImageU",
    ),
}
DIFFERENCES: dict[str, tuple[set[str], str, str]] = {
    "isr": (
        IED,
        "raw:Exposure camera:Camera crosstalk:CrosstalkCalib bias:ExposureF dark:ExposureF flat:ExposureF "
        "fringe:ExposureF",
        "post_isr_image:Exposure",
    ),
    "calibrateImage": (
        IVD,
        "cal_ref_cat_2_2:SimpleCatalog post_isr_image:Exposure",
        "preliminary_visit_image:ExposureF preliminary_visit_image_background:Background "
        "single_visit_star_unstandardized:ArrowAstropy single_visit_star_footprints:SourceCatalog "
        "single_visit_psf_star:ArrowAstropy single_visit_psf_star_footprints:SourceCatalog "
        "initial_photoCalib_detector:PhotoCalib initial_astrometry_match_detector:Catalog "
        "initial_photometry_match_detector:Catalog",
    ),
    "buildTemplate": (
        IVD,
        "preliminary_visit_image.bbox:Box2I preliminary_visit_image.wcs:Wcs skyMap:SkyMap "
        "template_coadd:ExposureF",
        "template_detector:ExposureF",
    ),
    "subtractImages": (
        IVD,
        "template_detector:ExposureF preliminary_visit_image:ExposureF "
        "single_visit_star_footprints:SourceCatalog",
        "difference_image_predetection:ExposureF template_matched:ExposureF difference_kernel:MatchingKernel "
        "difference_kernel_sources:SourceCatalog",
    ),
    "detectAndMeasureDiaSource": (
        IVD,
        "preliminary_visit_image:ExposureF template_matched:ExposureF difference_image_predetection:ExposureF "
        "difference_kernel_sources:SourceCatalog",
        "dia_source_unfiltered:SourceCatalog difference_image:ExposureF trailed_glints:ArrowNumpyDict",
    ),
    "filterDiaSource": (
        IVD,
        "dia_source_unfiltered:SourceCatalog difference_image.visitInfo:VisitInfo",
        "dia_source_unstandardized:SourceCatalog rejected_dia_source:SourceCatalog "
        "long_trailed_source_detector:ArrowAstropy",
    ),
    "computeReliability": (
        IVD,
        "template_detector:ExposureF preliminary_visit_image:ExposureF difference_image:ExposureF "
        "dia_source_unstandardized:SourceCatalog pretrainedModelPackage:NNModelPackagePayload",
        "dia_source_reliability:Catalog",
    ),
    "filterDiaSourcePostReliability": (
        IVD,
        "dia_source_unstandardized:SourceCatalog dia_source_reliability:Catalog",
        "dia_source_high_reliability:SourceCatalog dia_source_low_reliability:SourceCatalog",
    ),
    "standardizeDiaSource": (
        IVD,
        "dia_source_high_reliability:SourceCatalog difference_image:ExposureF",
        "dia_source_detector:ArrowAstropy",
    ),
    "getRegionTimeFromVisit": (
        IGD,
        "single_visit_star_footprints:SourceCatalog",
        "regionTimeInfo:RegionTimeInfo getRegionTimeFromVisit_dummy2:int",
    ),
    "mpSkyEphemerisQuery": (IGD, "regionTimeInfo:RegionTimeInfo", "preloaded_ss_object:ArrowAstropy"),
    "loadDiaCatalogs": (
        IGD,
        "regionTimeInfo:RegionTimeInfo",
        "preloaded_dia_object:ArrowAstropy preloaded_dia_source:ArrowAstropy "
        "preloaded_dia_forced_source:ArrowAstropy",
    ),
    "associateApdb": (
        IVD,
        "dia_source_detector:DataFrame preloaded_ss_object:ArrowAstropy difference_image:ExposureF "
        "preliminary_visit_image:ExposureF template_detector:ExposureF preloaded_dia_object:DataFrame "
        "preloaded_dia_source:DataFrame preloaded_dia_forced_source:DataFrame",
        "apdb_marker:Config dia_source_apdb:ArrowAstropy ss_source_detector:ArrowAstropy "
        "ss_object_unassociated_detector:ArrowAstropy dia_forced_source_apdb:ArrowAstropy "
        "dia_object_apdb:ArrowAstropy new_dia_source:ArrowAstropy marginal_new_dia_source:ArrowAstropy",
    ),
    "consolidateDiaSourceTable": (IV, "dia_source_detector:ArrowAstropy", "dia_source_visit:ArrowAstropy"),
    "makeSampledImageSubtractionMetrics": (
        IVD,
        "preliminary_visit_image:ExposureF template_detector:ExposureF difference_image:ExposureF "
        "dia_source_detector:ArrowAstropy difference_kernel:MatchingKernel",
        "difference_image_metrics:ArrowAstropy",
    ),
    "singleFrameDetectAndMeasure": (
        IVD,
        "preliminary_visit_image:Exposure preliminary_visit_image_background:Background",
        "single_visit_star_reprocessed_unstandardized:ArrowAstropy "
        "single_visit_star_reprocessed_footprints:SourceCatalog "
        "preliminary_visit_image_reprocessed_background:Background",
    ),
    "standardizePromptSource": (
        IVD,
        "single_visit_star_reprocessed_unstandardized:DataFrame",
        "prompt_source_detector:ArrowAstropy",
    ),
    "consolidatePromptSource": (IV, "prompt_source_detector:ArrowAstropy", "prompt_source_all:ArrowAstropy"),
    "splitPromptSource": (
        IV,
        "prompt_source_all:ArrowAstropy",
        "prompt_source:ArrowAstropy prompt_source_nonprimary:ArrowAstropy",
    ),
}
# Quality assessment: only the labels are held to Rubin's.
DIFFERENCES_QA = {
    "analyzeAssociatedDiaSourceTable",
    "analyzeTrailedDiaSourceTable",
    "analyzeImageDifferenceMetrics",
    "analyzeDiaSourceDetectionMetrics",
    "analyzeLoadDiaCatalogsMetrics",
    "analyzeDiaSourceAssociationMetrics",
    "analyzeAssociateDiaSourceTiming",
    "analyzeSampledImageSubtractionMetrics",
    "analyzePreliminarySummaryStats",
    "analyzeVisitSampledImageSubtractionMetrics",
}
TEMPLATES_QA = {
    "makeTemplateCoaddInputSummaryTract",
    "makeTemplateCoaddInputSummary",
    "makeBinnedTemplateCoaddImage",
    "makeBinnedTemplateCoaddNImage",
    "makeWholeTractTemplateCoaddImage",
    "makeWholeTractTemplateCoaddNImage",
    "aggregateTemplateCoaddMaskFractions",
    "makeAggregatedTemplateCoaddMaskFractionsTable",
    "aggregatedTemplateCoaddMaskFractionsWholeSkyPlot",
    "analyzeCoaddDepthCore",
    "coaddDepthMetricTract",
}
FILES = [
    "_ingredients/ApPipe",
    "_ingredients/QuickTemplate",
    "LSSTCam-imSim/ApPipe",
    "LSSTCam-imSim/SingleFrame",
]


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Sandbox:
    size = SandboxSize(visits=1, detectors=(94,), pixels=64)
    return create_sandbox(tmp_path_factory.mktemp("sandbox") / "dc2", size)


# In a process of its own: Butler reads what storage classes mean once, and other tests use it without.
DESCRIBE = """
import json, sys
from lsst.daf.butler import Butler
from lsst.pipe.base import Pipeline

repository, location = sys.argv[1:]
pipeline = Pipeline.from_uri(location)
if location.endswith("ApPipe.yaml"):
    pipeline.addConfigOverride("parameters", "apdb_config", "/an/apdb.yaml")
graph = pipeline.to_graph()
graph.resolve(Butler.from_config(repository).registry)

def names(edges):
    return sorted({f"{edge.dataset_type_name}:{edge.storage_class_name}" for edge in edges})

tasks = {
    label: [sorted(task.dimensions.required), names(task.iter_all_inputs()), names(task.outputs.values())]
    for label, task in graph.tasks.items()
}
subsets = {label: sorted(subset) for label, subset in graph.task_subsets.items()}
print(json.dumps({"tasks": tasks, "subsets": subsets}))
"""


@pytest.fixture(scope="module")
def describe(sandbox: Sandbox) -> Callable[[str], dict[str, Any]]:
    """What a pipeline file resolves to: tasks with dimensions, inputs and outputs; subsets."""

    @functools.cache
    def describe(name: str) -> dict[str, Any]:
        location = str(AP_PIPE_DIR / f"pipelines/{name}.yaml")
        done = subprocess.run(
            [sys.executable, "-c", DESCRIBE, str(sandbox.butler), location],
            env=os.environ | sandbox.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    return describe


def _assert_as_rubins(tasks: dict[str, list[list[str]]], table: dict[str, tuple[set[str], str, str]]) -> None:
    assert {label: tasks[label] for label in table} == {
        label: [sorted(dimensions), sorted(read.split()), sorted(written.split())]
        for label, (dimensions, read, written) in table.items()
    }


@pytest.mark.slow
def test_difference_imaging_is_as_rubins(describe: Callable[[str], dict[str, Any]]) -> None:
    found = describe("LSSTCam-imSim/ApPipe")
    assert set(found["tasks"]) == {*DIFFERENCES, *DIFFERENCES_QA, "consolidateVisitSummary"}
    _assert_as_rubins(found["tasks"], DIFFERENCES)
    assert set(found["subsets"]) == {
        "apPipe",
        "apPipeSingleFrame",
        "preload",
        "prompt",
        "afterburner",
        "promptQaMetrics",
        "afterburnerQaMetrics",
    }
    assert set(found["subsets"]["apPipe"]) == set(found["tasks"])


@pytest.mark.slow
def test_template_building_is_as_rubins(describe: Callable[[str], dict[str, Any]]) -> None:
    found = describe("_ingredients/QuickTemplate")
    assert set(found["tasks"]) == {*TEMPLATES, *TEMPLATES_QA, "isr", "calibrateImage"}
    _assert_as_rubins(found["tasks"], TEMPLATES)
    assert set(found["subsets"]["makeTemplate"]) == set(TEMPLATES)
    assert set(found["subsets"]["makeMetrics"]) == TEMPLATES_QA


@pytest.mark.slow
def test_general_template_pipeline_wants_calibrations_that_dc2_lacks(
    describe: Callable[[str], dict[str, Any]], sandbox: Sandbox
) -> None:
    _, read, _ = describe("_ingredients/QuickTemplate")["tasks"]["isr"]
    assert {"ptc", "linearizer", "defects"} <= {line.partition(":")[0] for line in read}
    registered = {kind.name for kind in Butler.from_config(str(sandbox.butler)).registry.queryDatasetTypes()}
    assert not registered & {"ptc", "linearizer", "defects"}


@pytest.mark.parametrize("name", FILES)
def test_pipeline_is_where_rubins_is(name: str) -> None:
    assert Path(AP_PIPE_DIR, "pipelines", f"{name}.yaml").is_file()
