"""Names of files that are made out of a campaign's: counted before there is any of them."""

import pytest
from apcampaign.bps import CampaignConfig, plan_campaign
from apcampaign.submit.preflight.file_names import check_file_names, find_longest_name


def campaign(name: str, butler: str = "/repo") -> CampaignConfig:
    settings = {
        "name": name,
        "butler": butler,
        "inCollection": ["2.2i/defaults"],
        "operator": "jdoe",
    }
    return CampaignConfig.model_validate(settings)


def check(name: str, butler: str = "/repo"):
    return list(check_file_names(plan_campaign(campaign(name, butler)), campaign(name, butler)))


def test_the_longest_name_in_a_repository_ends_with_the_collection():
    (run, *_) = plan_campaign(campaign("dc2"))
    name = find_longest_name(run, instrument="DECam")
    assert "_u_jdoe_dc2_templates_20" in name
    assert name.startswith("preliminary_visit_image_reprocessed_background_DECam_N1010_g DECam SDSS c0001 ")
    assert find_longest_name(run, instrument=None).endswith("-association-000.dag.condor.sub")


@pytest.mark.parametrize(
    ("length", "butler", "found"),
    [
        (20, "/repo", False),
        (161, "/repo", True),
        (161, "s3://bucket/repo", False),
        (200, "s3://bucket/repo", True),
    ],
)
def test_a_name_is_refused_only_where_a_file_could_not_have_it(length, butler, found):
    findings = check("x" * length, butler)
    assert bool(findings) == found
    assert all("shorten the campaign's name" in finding.remedy for finding in findings)


def test_what_the_remedy_says_is_enough():
    for step, finding in zip(("templates", "diffim"), check("x" * 161), strict=True):
        excess = int(finding.remedy.split(" characters")[0].rsplit(" ", 1)[1])
        for more, good in ((0, True), (-1, False)):
            shorter = check("x" * (161 - excess - more))
            assert good != any(f"/{step}/" in each.what for each in shorter)
