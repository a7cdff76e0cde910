"""Files that are given to the linter and are none for BPS: they are told for what they are."""

__all__ = ["find_other_file", "without_our_keys"]

from pathlib import Path

from ..other_files import FileKind, recognise
from .findings import Finding, Severity
from .submit_file import NEEDED
from .tree import Section
from .vocabulary import FREE_SECTIONS, Vocabulary, close_matches

_REMEDIES = {
    FileKind.PIPELINE: "see its tasks with `pipetask build --show pipeline -p {path}`; a submit file names it as "
    "'pipelineYaml'",
    FileKind.APDB: "look at it with `apcampaign apdb info {path}`",
}
#: Of site files, which BPS does not see.
_OUR_KEYS = frozenset({"about", "passEnvironment"})
_MOST = 5  # keys to list


def find_other_file(path: Path, root: Section, vocabulary: Vocabulary) -> Finding | None:
    """Tell a file that is no submit file, and no part of one; `None` if it may be one."""
    if not root.items:
        what, remedy = "the file is empty", "write lines such as 'computeSite: s3df'"
    elif (kind := recognise(root.items)) in _REMEDIES:
        what, remedy = f"this is {kind}, not a BPS submit file", _REMEDIES[kind].format(path=path)
    elif not any(_is_known(item.key, vocabulary) for item in root):
        keys = [item.key for item in root]
        shown = ", ".join([*keys[:_MOST], *(["…"] if len(keys) > _MOST else [])])
        what = f"this is no BPS submit file: BPS knows none of its keys ({shown})"
        remedy = "name another file, or ignore this if another one includes it for its variables"
    else:
        return None
    return Finding(
        severity=Severity.WARNING,
        rule="other-file",
        what=what,
        why="nothing of it was checked",
        remedy=remedy,
        file=str(path),
    )


def without_our_keys(root: Section) -> Section:
    """Give the settings of BPS in a site file."""
    if recognise(root.items) is not FileKind.SITE or any(key in root for key in NEEDED):
        return root
    return Section({key: item for key, item in root.items.items() if key not in _OUR_KEYS})


def _is_known(key: str, vocabulary: Vocabulary) -> bool:
    """Tell whether BPS knows a key, or one that is close to it."""
    known = vocabulary.settings | vocabulary.top_sections | vocabulary.label_sections | FREE_SECTIONS
    known |= {*vocabulary.removed, "includeConfigs"}
    return key in known or vocabulary.matches_pattern(key) or bool(close_matches(key, known))
