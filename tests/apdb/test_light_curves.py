"""Light curves: all measurements of the DiaObjects that are meant, and no others."""

import io
import json

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from apcampaign import CampaignApdb
from apcampaign.apdb import ApdbOptions, Circle, find_light_curves, read_dia_objects, read_light_curves
from apcampaign.common.errors import SettingsError
from apcampaign.scripts.commands.apdb import command
from apdb_content import Copies, Survey, dump, run_sql
from astropy.table import Table
from click.testing import CliRunner

VISITS = [1, 2, 3, 4]


def fill(url: str, folder) -> Copies:
    copies = Copies(url, folder, ApdbOptions(), Survey(), VISITS)
    # The position of a version that is no longer the latest is not where an object is.
    run_sql(copies.target, 'UPDATE $DiaObject SET dec = 0 WHERE "validityEndMjdTai" IS NOT NULL')
    return copies


@pytest.fixture(scope="module")
def target(tmp_path_factory):
    folder = tmp_path_factory.mktemp("curves")
    return fill(f"sqlite:///{folder}/apdb.db", folder).target


def busiest(target) -> pd.Series:
    objects = read_dia_objects(target)
    return objects.sort_values(["nDiaSources", "diaObjectId"]).iloc[-1]


def run(*words: str):
    return CliRunner().invoke(command, ["lightcurve", *words])


@pytest.mark.slow
@pytest.mark.postgres
def test_objects_are_found_by_place_in_postgresql_too(postgres_url, tmp_path):
    check_place(fill(postgres_url, tmp_path).target)


def test_objects_are_found_by_place(target):
    check_place(target)


def check_place(target) -> None:
    objects = read_dia_objects(target)
    centre = busiest(target)
    circle = Circle(centre["ra"], centre["dec"] + 1 / 3600, 60 / 3600)
    found = find_light_curves(target, circle=circle)
    near = (
        np.hypot((objects["ra"] - circle.ra) * np.cos(np.radians(circle.dec)), objects["dec"] - circle.dec)
        * 3600
    )
    assert set(found.objects["diaObjectId"]) == set(objects["diaObjectId"][near <= 60])
    assert found.objects["diaObjectId"][0] == centre["diaObjectId"]
    assert found.objects["separation"].is_monotonic_increasing
    assert found.objects["separation"][0] == pytest.approx(1)
    assert list(dict.fromkeys(found.measurements["diaObjectId"])) == list(found.objects["diaObjectId"])
    again = find_light_curves(target, ids=found.objects["diaObjectId"]).measurements
    assert set(again["diaObjectId"]) == set(found.objects["diaObjectId"])
    counts = found.measurements[~found.measurements["forced"]].groupby("diaObjectId").size()
    assert counts.to_dict() == dict(
        zip(found.objects["diaObjectId"], found.objects["nDiaSources"], strict=True)
    )


def test_a_light_curve_has_detections_and_forced_measurements_in_time_order_without_withdrawn_ones(target):
    number = int(busiest(target)["diaObjectId"])
    before = read_light_curves(target, [number])
    assert before["midpointMjdTai"].is_monotonic_increasing
    assert 0 < before["forced"].sum() < len(before)
    assert before.attrs["units"] == {
        "midpointMjdTai": "d",
        "ra": "deg",
        "dec": "deg",
        "psfFlux": "nJy",
        "psfFluxErr": "nJy",
        "scienceFlux": "nJy",
        "scienceFluxErr": "nJy",
    }
    one = f'"diaObjectId" = {number} AND visit = {before["visit"][0]}'
    run_sql(target, f'UPDATE $DiaSource SET "timeWithdrawnMjdTai" = 61000 WHERE {one}')  # noqa: S608
    try:
        assert len(read_light_curves(target, [number])) == len(before) - 1
    finally:
        run_sql(target, 'UPDATE $DiaSource SET "timeWithdrawnMjdTai" = NULL')
    assert list(read_light_curves(target, [1])) == list(before)  # none of no object


def test_tables_for_astropy_have_the_units_of_the_schema(target):
    apdb = CampaignApdb(target.url)
    centre = busiest(target)
    table = apdb.light_curves(at=(centre["ra"], centre["dec"]), radius=2.0, kind="astropy")
    assert (table["psfFlux"].unit, table["midpointMjdTai"].unit) == ("nJy", "d")
    assert apdb.dia_objects("astropy")["ra"].unit == "deg"
    assert apdb.light_curve(int(centre["diaObjectId"])).equals(
        table.to_pandas()
        .drop(columns="diaObjectId")
        .astype(apdb.light_curve(int(centre["diaObjectId"])).dtypes)
    )


def test_the_command_shows_them_as_table_json_and_csv_and_writes_files(target, tmp_path):
    centre = busiest(target)
    number = str(centre["diaObjectId"].astype(int))
    at = ["--at", str(centre["ra"]), str(centre["dec"])]
    shown = run(target.url, *at)
    assert (shown.exit_code, f"DiaObject {number} at (" in shown.stdout) == (0, True)
    content = json.loads(run(target.url, "--object", number, "--json").stdout)
    assert [each["diaObjectId"] for each in content["objects"]] == [int(number)]
    measured = content["objects"][0]["measurements"]
    assert content["units"]["psfFlux"] == "nJy"
    assert None in {each["scienceFlux"] for each in measured}  # JSON knows no NaN
    curve = read_light_curves(target, [int(number)])
    assert len(measured) == len(curve)
    written = run(target.url, "--object", number, "--csv").stdout
    read = pd.read_csv(io.StringIO(written))
    assert list(read) == list(curve)
    assert read["psfFlux"].equals(curve["psfFlux"])
    for suffix in ("csv", "ecsv", "parquet"):
        done = run(target.url, "--object", number, "-o", str(tmp_path / f"curve.{suffix}"))
        assert (done.exit_code, "wrote" in done.stdout) == (0, True)
    assert Table.read(tmp_path / "curve.ecsv")["psfFlux"].unit == "nJy"
    assert pq.read_schema(tmp_path / "curve.parquet").field("psfFlux").metadata[b"unit"] == b"nJy"
    assert isinstance(
        run(target.url, "--object", number, "-o", str(tmp_path / "curve.fits")).exception, SettingsError
    )


def test_where_there_is_no_object_the_answer_is_no(target, tmp_path):
    nothing = run(target.url, "--at", "10", "10", "--radius", "30", "-o", str(tmp_path / "none.csv"))
    assert nothing.exit_code == 1
    assert not list(tmp_path.iterdir())
    shown = run(target.url, "--object", "1")
    assert (shown.exit_code, "there is no such DiaObject" in shown.stdout) == (1, True)
    assert json.loads(run(target.url, "--object", "1", "--json").stdout)["objects"] == []
    assert run(target.url).exit_code == run(target.url, "--object", "1", "--at", "1", "2").exit_code == 2
    assert dump(target)["DiaObject"]
