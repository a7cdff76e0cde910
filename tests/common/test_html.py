"""Values as HTML for notebooks."""

from apcampaign.common.html import html_lines, html_table
from html_reading import read_html
from report_data import HOSTILE


def test_a_table_shows_headings_rows_and_caption():
    shown = read_html(html_table(("job", "count"), [("isr", 4), ("warp", None)], "jobs"))
    assert shown.tables == [[["job", "count"], ["isr", "4"], ["warp", ""]]]
    assert shown.lines == ["jobs"]


def test_a_table_without_rows_is_left_out():
    assert html_table(("job",), [], "jobs") == ""


def test_all_text_is_escaped():
    shown = read_html(html_table((HOSTILE,), [(HOSTILE,)], HOSTILE) + html_lines([HOSTILE]))
    assert shown.tables == [[[HOSTILE], [HOSTILE]]]
    assert shown.lines == [HOSTILE, HOSTILE]


def test_lines_of_a_text_stay_lines():
    assert read_html(html_table(("fix",), [("one\ntwo",)])).tables == [[["fix"], ["one\ntwo"]]]
