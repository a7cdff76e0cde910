"""A campaign goes on night after night: with what is new, in time order, and with nothing twice."""

from pathlib import Path

import pytest
from apcampaign.bps import NightSelection, Ordering
from apcampaign.common.errors import SettingsError
from apcampaign.ledger import Workspace
from apcampaign.submit.new_images import ImageState, KnownImages, NewImages, sort_images
from apcampaign.submit.repair import Repair
from apcampaign.submit.submission_nights import read_new_images
from hypothesis import given
from hypothesis import strategies as st
from nights_ground import (
    DETECTORS,
    NIGHTS,
    make_apdb,
    make_repository,
    open_workspace,
    record_images,
    visits_of,
)

FIRST, SECOND, THIRD = NIGHTS


def images_of(*nights: int) -> set[tuple[int, int]]:
    return {(visit, detector) for night in nights for visit in visits_of(night) for detector in DETECTORS}


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_repository(tmp_path_factory.mktemp("nights") / "repo")


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Workspace:
    """A campaign whose first two nights are in its APDB, of which it has no records."""
    workspace = open_workspace(tmp_path_factory.mktemp("campaign"), repository)
    make_apdb(workspace, [FIRST, SECOND])
    return workspace


def look(workspace: Workspace, nights: str | None) -> NewImages:
    asked = None if nights is None else NightSelection.read(nights)
    return read_new_images(workspace, workspace.read_ledger(), Repair(), asked, workspace.find_apdb_config())


def test_a_night_is_new_if_nothing_of_it_was_given_to_a_run_or_is_in_the_apdb(workspace: Workspace) -> None:
    new = look(workspace, str(THIRD))
    assert new.new == images_of(THIRD)
    assert not new.late
    assert new.narrow(workspace.campaign).day_obs == (THIRD,)
    assert list(new.describe()) == [f"night {THIRD}: 2 visits, 4 images: 4 new"]
    assert not list(new.obstacles("apdb.yaml"))


@pytest.mark.parametrize("nights", [f"{FIRST}..", f"{FIRST}..{THIRD}"])
def test_of_several_nights_only_those_with_something_new_are_taken(workspace: Workspace, nights: str) -> None:
    assert look(workspace, nights).narrow(workspace.campaign).day_obs == (THIRD,)


@pytest.mark.parametrize(
    ("nights", "said"),
    [
        (
            f"{FIRST}..{SECOND}",
            "selects 8 images of 20260910, 20260911, all of which earlier runs were given",
        ),
        ("20260913..", "selects no raw image of 20260913 and later"),
    ],
)
def test_where_nothing_is_new_that_is_said(workspace: Workspace, nights: str, said: str) -> None:
    new = look(workspace, nights)
    assert new.is_empty
    (line,) = new.describe()
    assert line.startswith("nothing new: ")
    assert said in line


def test_a_night_that_is_earlier_than_what_the_apdb_holds_of_its_sky_is_named(
    tmp_path: Path, repository: Path
) -> None:
    workspace = open_workspace(tmp_path, repository)
    config = make_apdb(workspace, [SECOND])
    new = look(workspace, f"{FIRST}..")
    assert new.too_late.keys() == images_of(FIRST)
    (error,) = new.obstacles(config)
    assert f"night {FIRST} comes too late: 4 of its 4 new images" in error.what
    assert "visit 10 detector 0 (after visit 21)" in error.what
    assert "where: visit NOT IN (10, 11)" in error.remedy
    unordered = workspace.campaign.diffim.model_copy(update={"ordering": Ordering.NONE})
    campaign = workspace.campaign.model_copy(update={"diffim": unordered})
    assert not look(Workspace(campaign, workspace.runs), f"{FIRST}..").late


def test_what_an_earlier_run_has_not_associated_goes_on_with_the_next_night(
    tmp_path: Path, repository: Path
) -> None:
    workspace = open_workspace(tmp_path, repository)
    make_apdb(workspace, [FIRST])
    record_images(workspace, SECOND, without_work=[(20, 0)])
    again = look(workspace, f"{SECOND}")
    assert again.is_empty
    assert "resume" in list(again.describe())[-1]
    new = look(workspace, f"{THIRD}")
    assert new.new == images_of(THIRD)
    assert new.images[SECOND] == {
        ImageState.UNFINISHED: images_of(SECOND) - {(20, 0)},
        ImageState.WITHOUT_WORK: {(20, 0)},
    }
    assert new.narrow(workspace.campaign).day_obs == (SECOND, THIRD)
    assert not look(workspace, None).is_empty


IMAGES = st.tuples(st.integers(1, 9), st.integers(0, 3))


@given(st.dictionaries(IMAGES, st.sampled_from(NIGHTS)), *[st.frozensets(IMAGES)] * 3)
def test_each_image_that_is_selected_is_of_one_night_and_in_one_state(selected, given, planned, done) -> None:
    found = sort_images(KnownImages(nights=selected, given=given, planned=planned, done=done))
    listed = [
        (image, night) for night, states in found.items() for images in states.values() for image in images
    ]
    assert sorted(listed) == sorted(selected.items())
    new = NewImages(images=found, asked=NightSelection(NIGHTS))
    assert new.new == selected.keys() - given - planned - done
    assert new.is_empty == (not new.new)
    assert new.pending <= selected.keys() - done
    # What is new is in the nights that are taken.
    assert {selected[image] for image in new.new} <= set(new.nights)


@pytest.mark.parametrize(
    ("text", "selection", "condition"),
    [
        ("20260911..", NightSelection(since=20260911), "day_obs >= 20260911"),
        ("20260911 20260910", NightSelection((20260910, 20260911)), "day_obs IN (20260910, 20260911)"),
        ("20260831..20260901", NightSelection((20260831, 20260901)), "day_obs IN (20260831, 20260901)"),
        (20260911, NightSelection((20260911,)), "day_obs IN (20260911)"),
    ],
)
def test_nights_are_some_or_all_from_one_on(text, selection, condition) -> None:
    assert NightSelection.read(text) == selection
    assert selection.condition == condition
    more = selection.add([20260101, 20260911])
    assert {20260101, 20260911} <= {night for night in (20260101, 20260911) if night in more}


@pytest.mark.parametrize(
    "text", ["20261301", "tonight", "20260911...", "..20260911", "20260912..20260911", ""]
)
def test_what_are_no_nights_is_refused_with_what_was_expected(text: str) -> None:
    with pytest.raises(SettingsError, match=r"no nights: .*; expected nights such as 20260905"):
        NightSelection.read(text)


def test_nights_cannot_be_added_to_a_query_that_is_written_whole(tmp_path: Path, repository: Path) -> None:
    diffim = {"pipeline": "p.yaml", "templates": "standing", "dataQuery": "visit > 1"}
    workspace = open_workspace(tmp_path, repository, diffim=diffim)
    with pytest.raises(SettingsError, match=r"whole data query.*--continue"):
        NightSelection.read(FIRST).select(workspace.campaign)
