"""The BPS submit configs that are made from a campaign."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from apcampaign.bps import (
    Ordering,
    Step,
    Wms,
    build_config,
    dump_config,
    load_campaign,
    load_site,
    plan_campaign,
    wms_kind,
    write_pair,
)
from apcampaign.common.errors import PipelineError, SettingsError
from apcampaign.pipelines.reference import load_table
from click.testing import CliRunner

ROOT = Path(__file__).resolve().parents[2]
TIMESTAMP = "20260102T030405Z"


@pytest.fixture
def campaign():
    return load_campaign(
        ROOT / "campaign.yaml",
        environment={},
        flags={("operator",): "me", ("bands",): "g r", ("where",): "visit > 1 OR visit < 0"},
    )


def configs(campaign, *, site="local", **arguments):
    plan = plan_campaign(campaign, timestamp=TIMESTAMP)
    return [
        build_config(
            campaign,
            run,
            load_site(site),
            submit_path=Path("/runs") / run.step,
            **{"apdb_config": "/runs/apdb_config.yaml", "environment": {}, **arguments},
        )
        for run in plan.runs
    ]


def pipeline_without(folder, *absent):
    """Write a pipeline with all tasks that difference imaging names, but for some."""
    labels = set(load_table().pipelines["ApPipe"].tasks) - set(absent)
    path = folder / "Mine.yaml"
    tasks = {label: f"lsst.elsewhere.{label}" for label in sorted(labels)}
    path.write_text(yaml.safe_dump({"description": "Mine.", "tasks": tasks}))
    return path


@pytest.mark.parametrize("edges_added", [True, False])
def test_tasks_that_the_pipeline_lacks_are_not_named(campaign, tmp_path, edges_added):
    absent = {
        "mpSkyEphemerisQuery",
        "singleFrameDetectAndMeasure",
        "standardizePromptSource",
        "subtractImages",
    }
    settings = {"cluster": {"singleFrameMeasurement": {"requestMemory": 9000}}}
    diffim = campaign.diffim.model_copy(
        update={"pipeline": str(pipeline_without(tmp_path, *absent)), "bps": settings}
    )
    campaign = campaign.model_copy(update={"diffim": diffim})
    _, config = configs(campaign, edges_added=edges_added)
    named = {label for cluster in config["cluster"].values() for label in cluster["pipetasks"].split(",")}
    assert not absent & (named | set(config["pipetask"]))
    assert {"buildTemplate", "associateApdb", "getRegionTimeFromVisit"} <= named
    assert "singleFrameMeasurement" not in config["cluster"]  # nothing is left of it


def test_the_pair_is_chained_by_collections(campaign):
    templates, diffim = configs(campaign)
    assert templates["payload"]["inCollection"] == "2.2i/defaults/test-med-1"
    assert diffim["payload"]["inCollection"] == "u/me/dc2-test-med-1/templates,2.2i/defaults/test-med-1"
    assert templates["payload"]["output"] == "u/me/dc2-test-med-1/templates"
    assert diffim["payload"]["outputRun"] == f"u/me/dc2-test-med-1/diffim/{TIMESTAMP}"
    options = shlex.split(diffim["extraQgraphOptions"])
    assert options[options.index("--skip-existing-in") + 1] == templates["payload"]["output"]
    assert options[options.index("-c") + 1] == "parameters:apdb_config=/runs/apdb_config.yaml"
    assert "outCollection" not in {*templates, *templates["payload"]}
    assert not templates.get("extraQgraphOptions")


def test_the_data_query_selects_what_the_campaign_says(campaign):
    for config in configs(campaign):
        assert config["payload"]["dataQuery"] == (
            "instrument='LSSTCam-imSim' AND skymap='DC2' AND tract IN (3828, 3829) AND band IN ('g', 'r') "
            "AND (visit > 1 OR visit < 0)"
        )


def test_pipelines_are_absolute_files(campaign):
    for config in configs(campaign):
        assert Path(config["pipelineYaml"]).is_absolute()
        assert Path(config["pipelineYaml"]).is_file()


def test_association_is_ordered_by_visit_and_never_retried(campaign, monkeypatch):
    monkeypatch.setattr("apcampaign.bps.config.find_missing_scripts", lambda: ())
    _, diffim = configs(campaign)
    (group,) = diffim["ordering"].values()
    assert group["labels"] == "preloadApdb,association"
    # As Rubin orders its nightly campaign: one visit after another, and on after a failure.
    assert (group["dimensions"], group["implementation"], group["blocking"]) == ("visit", "group", False)
    clustered = [label for cluster in diffim["cluster"].values() for label in cluster["pipetasks"].split(",")]
    assert len(clustered) == len(set(clustered))
    assert all(
        diffim["pipetask"][label]["numberOfRetries"] == 0 for label in ("loadDiaCatalogs", "associateApdb")
    )
    # A job has the largest number of retries of its tasks, unless its cluster says otherwise.
    for cluster in diffim["cluster"].values():
        if "associateApdb" in cluster["pipetasks"].split(","):
            assert (cluster["numberOfRetries"], cluster["memoryMultiplier"]) == (0, 1)
    # A group's name is no visit.
    assert not [
        each for each in diffim["cluster"].values() if "visit:group" in each.get("equalDimensions", "")
    ]


def test_without_the_plugins_scripts_the_order_is_one_that_works(campaign, monkeypatch):
    monkeypatch.setattr("apcampaign.bps.config.find_missing_scripts", lambda: ("subdag_post.sh",))
    (group,) = configs(campaign)[1]["ordering"].values()
    assert group["implementation"] == "noop"


def test_with_edges_of_our_own_the_association_is_one_job(campaign):
    _, diffim = configs(campaign, edges_added=True)
    assert "ordering" not in diffim
    assert diffim["cluster"]["association"]["pipetasks"] == "loadDiaCatalogs,associateApdb"
    assert diffim["clusterAlgorithm"] == "apcampaign.ordering.clustering.cluster_by_visit"


def test_a_cluster_by_visit_of_tasks_that_have_a_group_only_is_by_group_for_raw_bps(campaign):
    clusters = {"preload": {"dimensions": "visit"}, "diffim": {"dimensions": "visit"}}
    diffim = campaign.diffim.model_copy(update={"bps": {"cluster": clusters}})
    coarse = campaign.model_copy(update={"diffim": diffim})
    by_hand, ours = (configs(coarse, edges_added=added)[1]["cluster"] for added in (False, True))
    assert [by_hand[name]["dimensions"] for name in clusters] == ["group", "visit"]
    assert [ours[name]["dimensions"] for name in clusters] == ["visit", "visit"]


def test_without_an_order_raw_bps_is_asked_for_none(campaign):
    diffim = campaign.diffim.model_copy(update={"ordering": Ordering.NONE})
    assert "ordering" not in configs(campaign.model_copy(update={"diffim": diffim}))[1]


def test_generate_warns_of_a_campaign_without_an_order(tmp_path):
    from apcampaign.scripts.cli import command

    content = yaml.safe_load((ROOT / "campaign.yaml").read_text())
    for ordering in Ordering:
        content["diffim"]["ordering"] = str(ordering)
        (tmp_path / "campaign.yaml").write_text(yaml.safe_dump(content))
        arguments = ["generate", "--campaign", str(tmp_path / "campaign.yaml"), "--output", str(tmp_path)]
        said = CliRunner().invoke(command, arguments).output
        assert ("miss its history" in said) == (ordering is Ordering.NONE)


def test_the_pair_can_be_submitted_more_than_once_and_says_what_it_lacks(campaign, tmp_path, caplog):
    for site in ("local", "parsl-local"):
        for path in write_pair(campaign, load_site(site), tmp_path, apdb_config="/runs/apdb.yaml"):
            config = yaml.safe_load(path.read_text())
            assert config["payload"]["outputRun"] == f"{config['payload']['output']}/{{timestamp}}"
            assert config["submitPath"].endswith("/{timestamp}")
        assert ("ParslService cannot run BPS's 'ordering'" in caplog.text) == (site == "parsl-local")


def test_parsl_is_not_asked_for_an_order_that_it_cannot_give(campaign):
    assert "ordering" not in configs(campaign, site="parsl-local")[1]


def test_the_final_job_fits_a_small_pool(campaign):
    for site in ("local", "parsl-local"):
        for config in configs(campaign, site=site):
            assert config["finalJob"]["requestCpus"] == 1
            assert config["finalJob"]["requestMemory"] <= 2048


def test_jobs_get_the_variables_that_the_site_passes_and_no_secret(campaign):
    environment = {"PATH": "/bin", "AP_PIPE_DIR": "/ap_pipe", "PGPASSWORD": "hunter2", "EDITOR": "vi"}
    for config in configs(campaign, environment=environment):
        assert config["environment"] == {"PATH": "/bin", "AP_PIPE_DIR": "/ap_pipe"}
        assert "passEnvironment" not in config
    assert "environment" not in configs(campaign, site="s3df", environment=environment)[0]


def test_the_users_bps_settings_are_merged_last(campaign):
    campaign = campaign.model_copy(
        update={
            "bps": {"finalJob": {"requestMemory": 999}, "requestMemory": 1},
            "diffim": campaign.diffim.model_copy(update={"bps": {"requestMemory": 2}}),
        }
    )
    templates, diffim = configs(campaign)
    assert templates["finalJob"] == {"requestCpus": 1, "requestMemory": 999}
    assert (templates["requestMemory"], diffim["requestMemory"]) == (1, 2)


RELEASE = {"lsstVersion": "w_2026_43"}


@pytest.mark.parametrize(
    ("site", "settings", "sentence"),
    [
        (
            "s3df",
            RELEASE,
            "jobs run in the environment of whoever submits; remove it, and set up that release",
        ),
        ("s3df", {**RELEASE, "bpsMakeCommand": True}, "jobs run in the environment of whoever submits"),
        ("parsl-local", RELEASE, "jobs run in the environment of whoever submits"),
        ("s3df", {"bpsMakeCommand": False}, "none is named; write lsstVersion"),
        (
            "s3df",
            {**RELEASE, "bpsMakeCommand": False, "setupEnv": ""},
            "since setupEnv is set and does not name it",
        ),
        (
            "s3df",
            {**RELEASE, "bpsMakeCommand": False, "softwarePath": "/sw/w_2026_42"},
            "since softwarePath is set and does not name it",
        ),
        # The plugin's own default for this site.
        (
            "s3df",
            {**RELEASE, "bpsMakeCommand": False, "computeSite": "BPS_SUBMIT"},
            "since softwarePath is set and does not name it",
        ),
    ],
)
def test_a_release_that_jobs_would_not_run_with_is_refused(campaign, site, settings, sentence):
    with pytest.raises(SettingsError) as caught:
        configs(campaign.model_copy(update={"bps": settings}), site=site)
    assert sentence in str(caught.value)


def test_a_release_that_an_included_file_names_is_checked_too(campaign, tmp_path):
    included = tmp_path / "release.yaml"
    included.write_text("lsstVersion: w_2026_43\n")
    settings = {"includeConfigs": [str(included)]}
    with pytest.raises(SettingsError, match="jobs run in the environment of whoever submits"):
        configs(campaign.model_copy(update={"bps": settings}), site="s3df")
    assert configs(campaign.model_copy(update={"bps": {**settings, "bpsMakeCommand": False}}), site="s3df")


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({}, "none is named; write LSST_VERSION: w_2026_43"),
        (RELEASE, "write LSST_VERSION: w_2026_43 instead"),
        (
            {"LSST_VERSION": "w_2026_43", "setupLSSTEnv": "source /sw/loadLSST.bash"},
            "since setupLSSTEnv is set and does not name it",
        ),
        ({"LSST_VERSION": "w_2026_43"}, None),
        ({"setupLSSTEnv": "source /sw/loadLSST.bash"}, None),
    ],
)
def test_jobs_of_panda_run_with_the_release_that_is_named(campaign, tmp_path, settings, sentence):
    site = tmp_path / "panda.yaml"
    site.write_text("wmsServiceClass: lsst.ctrl.bps.panda.PanDAService\ncomputeSite: SLAC\n")
    campaign = campaign.model_copy(update={"bps": settings})
    if sentence is None:
        assert configs(campaign, site=str(site))
        return
    with pytest.raises(SettingsError) as caught:
        configs(campaign, site=str(site))
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"bpsMakeCommand": False},
        {"bpsMakeCommand": False, "softwarePath": "/sw/{lsstVersion}"},
        {"site": {"s3df": {"bpsMakeCommand": False}}},
        {"bpsMakeCommand": False, "setupEnv": "source {softwarePath}/loadLSST.bash;"},
    ],
)
def test_jobs_run_with_the_release_that_the_campaign_names(campaign, settings):
    from lsst.ctrl.bps import BPS_DEFAULTS, BpsConfig

    if settings:
        settings = {**RELEASE, **settings}
    for config in configs(campaign.model_copy(update={"bps": settings}), site="s3df"):
        read = BpsConfig(config, defaults=BPS_DEFAULTS)
        # As the plugin looks both up for a job.
        look = {"curvals": {"curr_site": "s3df"}, "skipNames": {"gwjobCommand", "gwjobExports"}}
        _, by_submitter = read.search("bpsMakeCommand", opt=look)
        assert by_submitter == (not settings)
        if settings:
            _, command = read.search("payloadCommand", opt=look)
            assert "/w_2026_43/loadLSST.bash" in command


def read_options(config, key="extraQgraphOptions"):
    return shlex.split(config[key])


def test_partial_outputs_are_no_failure_whatever_other_options_there_are(campaign, tmp_path):
    included = tmp_path / "memory.yaml"
    included.write_text("pipetask:\n  isr:\n    extraRunQuantumOptions: -j 1 -n 10\n")
    for settings in (
        {},
        {"extraRunQuantumOptions": "--no-existing-outputs"},
        {"pipetask": {"isr": {"extraRunQuantumOptions": "-n 4"}}},
        {"cluster": {"singleFrame": {"extraRunQuantumOptions": "-n 4"}}},
        {"payload": {"extraRunQuantumOptions": "-n 4"}},
        {"includeConfigs": [str(included)]},
    ):
        for config in configs(campaign.model_copy(update={"bps": settings})):
            found = [text for key, text in walk(config) if key == "extraRunQuantumOptions"]
            assert found
            assert all(text.startswith("--no-raise-on-partial-outputs") for text in found)
            for _, text in walk(settings):
                assert isinstance(text, list) or any(str(text) in each for each in found)
    assert config["pipetask"]["isr"]["extraRunQuantumOptions"].endswith("-j 1 -n 10")


def walk(settings):
    for key, value in settings.items():
        if isinstance(value, dict):
            yield from walk(value)
        else:
            yield key, value


def test_the_users_options_are_appended_to_ours(campaign):
    settings = {
        "parameters": {"release_id": 3, "coaddName": "a b"},
        "config": {"calibrateImage:id_generator.release_id": 4, "isr:doBrighterFatter": True},
        "graph_options": "--dataset-query-constraint off",
        "run_options": "--debug",
        "bps": {"extraQgraphOptions": "--mock"},
    }
    diffim = type(campaign.diffim).model_validate({**campaign.diffim.model_dump(), **settings})
    campaign = campaign.model_copy(update={"diffim": diffim, "bps": {"extraQgraphOptions": "--show graph"}})
    templates, config = configs(campaign)
    assert read_options(templates) == ["--show", "graph"]
    options = read_options(config)
    given = [options[place + 1] for place, option in enumerate(options) if option == "-c"]
    assert given == [
        "parameters:release_id=3",
        "parameters:coaddName=a b",
        "calibrateImage:id_generator.release_id=4",
        "isr:doBrighterFatter=True",
        "parameters:apdb_config=/runs/apdb_config.yaml",
    ]
    assert options[options.index("--skip-existing-in") + 1] == templates["payload"]["output"]
    assert options[-5:] == ["--dataset-query-constraint", "off", "--show", "graph", "--mock"]
    assert read_options(config, "extraRunQuantumOptions") == ["--no-raise-on-partial-outputs", "--debug"]


def test_what_a_file_includes_must_not_undo_what_is_ours(campaign, tmp_path):
    included = tmp_path / "all.yaml"
    included.write_text("extraQgraphOptions: --skip-existing-in u/other\n")
    with pytest.raises(
        SettingsError, match=r"all.yaml: extraQgraphOptions: the option --skip-existing-in is set"
    ):
        configs(campaign.model_copy(update={"bps": {"includeConfigs": str(included)}}))


def test_what_is_written_is_what_was_built(campaign):
    for config in configs(campaign):
        assert yaml.safe_load(dump_config(config)) == config


def test_a_diffim_run_without_apdb_is_refused(campaign):
    with pytest.raises(SettingsError, match="apdb init"):
        configs(campaign, apdb_config=None)


@pytest.mark.parametrize("butler", [f"/re{character}po" for character in " {}\"'\n\t$&;|<>()*?[]`\\\x1b"])
def test_a_path_that_bps_or_a_shell_would_change_is_refused(campaign, butler):
    with pytest.raises(SettingsError, match=r"butler: .* would not pass on as it is"):
        configs(campaign.model_copy(update={"butler": butler}))


def test_unknown_sites_and_pipelines_are_named_with_the_valid_ones(campaign):
    with pytest.raises(SettingsError, match=r"'s3' is unknown; did you mean 's3df'\? expected one of"):
        configs(campaign, site="s3")
    step = campaign.templates.model_copy(update={"pipeline": "ApTemplat.yaml"})
    with pytest.raises(
        PipelineError,
        match=r"templates.pipeline: .* expected one of ApPipe-DC2\.yaml, .*ApTemplate-DC2-base\.yaml",
    ):
        configs(campaign.model_copy(update={"templates": step}))


def test_a_step_may_run_alone_on_given_templates(campaign):
    (run,) = plan_campaign(campaign, timestamp=TIMESTAMP, steps=[Step.DIFFIM], templates="u/you/t").runs
    assert run.inputs == ("u/you/t", "2.2i/defaults/test-med-1")


def test_generate_writes_the_pair_without_importing_the_stack(tmp_path):
    code = (
        "import sys, click.testing\n"
        "from apcampaign.scripts.cli import command\n"
        f"result = click.testing.CliRunner().invoke(command, ['generate', '--output', {str(tmp_path)!r}])\n"
        "assert result.exit_code == 0, result.output\n"
        "heavy = {'lsst', 'htcondor2', 'sqlalchemy', 'numpy'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, timeout=60, env={"PATH": os.defpath})
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["ApPipe-DC2-bps.yaml", "ApTemplate-DC2-bps.yaml"]


def test_bps_itself_reads_the_pair_with_the_values_that_are_meant(campaign, tmp_path):
    from lsst.ctrl.bps import BPS_DEFAULTS, BPS_SEARCH_ORDER, BpsConfig

    for config in configs(campaign):
        path = tmp_path / "bps.yaml"
        path.write_text(dump_config(config))
        read = BpsConfig(str(path), search_order=BPS_SEARCH_ORDER, defaults=BPS_DEFAULTS)
        assert read["outputRun"] == config["payload"]["outputRun"]
        _, command = read.search("createQuantumGraph", opt={"curvals": {"qgraphFile": "x.qg"}})
        arguments = shlex.split(command)
        assert arguments[arguments.index("-d") + 1] == config["payload"]["dataQuery"]
        assert arguments[arguments.index("-i") + 1] == config["payload"]["inCollection"]
        assert arguments[arguments.index("--output-run") + 1] == config["payload"]["outputRun"]


def test_a_site_knows_its_workflow_system():
    kinds = {name: load_site(name).wms for name in ("local", "s3df", "parsl-local")}
    assert kinds == {"local": Wms.HTCONDOR, "s3df": Wms.HTCONDOR, "parsl-local": Wms.PARSL}
    assert wms_kind("lsst.ctrl.bps.panda.PanDAService") is Wms.PANDA
    assert wms_kind("somebody.slurm.Service") is Wms.OTHER
