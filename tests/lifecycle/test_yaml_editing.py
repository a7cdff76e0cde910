"""A YAML file is edited as text: what is not changed stays as it is, comments too."""

import pytest
import yaml
from apcampaign.common.errors import SettingsError
from apcampaign.lifecycle.yaml_editing import edit_yaml
from hypothesis import given
from hypothesis import strategies as st

TEXT = """\
# The first comment.
name: dc2          # the name
apdb:
    # where it is
    url: "postgresql://me@host/db"  # quoted
    namespace: dc2
diffim: {templates: a/b, where: "x = '#'"}
templates:         # nothing yet
where: >-
  visit > 1
  AND visit < 9
bands: [g, r]
"""


def test_only_the_values_change_and_every_comment_stays() -> None:
    changes = {
        ("name",): "dc2-v2",
        ("apdb", "namespace"): "dc2_v2",
        ("where",): "visit > 2",
        ("steps",): ["diffim"],
    }
    text = edit_yaml(TEXT, changes)
    before, after = TEXT.splitlines(), text.splitlines()
    assert after[:6] == [
        *before[:1],
        "name: dc2-v2          # the name",
        *before[2:5],
        "    namespace: dc2_v2",
    ]
    assert after[6:] == [*before[6:8], "where: visit > 2", "bands: [g, r]", "steps: [diffim]"]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (("apdb", "filled"), True),
        (("diffim", "skipExistingIn"), ["a"]),
        (("templates", "parts"), 2),
        (("notify", "email"), "me@example.org"),
        (("apdb", "url"), None),
        (("diffim", "templates"), None),
        (("diffim", "where"), None),
        (("bands",), "0127"),
        (("bands",), None),
        (("nothing",), None),
    ],
)
def test_keys_come_and_go_in_sections_of_every_form(key: tuple[str, ...], value: object) -> None:
    text = edit_yaml(TEXT, {key: value})
    content = yaml.safe_load(text)
    for name in key[:-1]:
        content = content.get(name) or {}
    assert content.get(key[-1]) == value
    comments = [line.partition("  #")[2] for line in TEXT.splitlines() if f"{key[-1]}: " not in line]
    assert all(comment in text for comment in comments)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("name: &n dc2\nother: *n\n", ("name",)),
        ("a: &a {name: dc2}\n<<: *a\n", ("a", "name")),
        ("a: &a\n  name: dc2\nb: *a\n", ("b", "name")),
    ],
)
def test_what_cannot_be_changed_without_changing_something_else_is_refused(
    text: str, key: tuple[str, ...]
) -> None:
    with pytest.raises(SettingsError, match="cannot be edited"):
        edit_yaml(text, {key: "x"})


SCALARS = st.one_of(
    st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "Zs"]), max_size=12),
    st.integers(),
    st.booleans(),
)
SECTIONS = st.dictionaries(
    st.sampled_from("abcd"), st.one_of(SCALARS, st.lists(SCALARS, max_size=3)), max_size=3
)
FILES = st.dictionaries(st.sampled_from("stuvw"), st.one_of(SCALARS, SECTIONS), min_size=1)


@given(
    FILES, st.sampled_from([True, False, None]), st.sampled_from("stuvw"), st.sampled_from("abcd"), SCALARS
)
def test_any_value_can_be_given_to_any_key(content, flow, section, key, value) -> None:
    text = yaml.safe_dump(content, default_flow_style=flow, allow_unicode=True)
    path = (section, key) if isinstance(content.get(section, {}), dict) else (section,)
    edited = yaml.safe_load(edit_yaml(text, {path: value}))
    assert (edited[section][key] if len(path) == 2 else edited[section]) == value
