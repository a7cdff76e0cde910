"""The shell lines of the documents, and what a page shows as what they print."""

__all__ = ["ShellBlock", "find_missing", "read_shell_blocks"]

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from documents import FENCED, text_of

#: What stands between a block of commands and that with their output: nothing, or a sentence that announces it.
_BETWEEN = re.compile(r"\s*(?:[^\n]+:\n\s*)?")
_UNITS = {"bytes", "KiB", "MiB", "GiB", "TiB", "h", "min", "s"}


@dataclass(frozen=True)
class ShellBlock:
    """Commands that are typed one after the other, and lines that they print together.

    Parameters
    ----------
    document
        The page.
    lines
        The commands, each as one line without its comment.
    shown
        What the page shows of their output; empty if it shows none.
    """

    document: str
    lines: tuple[str, ...]
    shown: tuple[str, ...] = ()


def read_shell_blocks(document: Path) -> list[ShellBlock]:
    """Find the commands of a document, in the order in which they stand there."""
    text, found = text_of(document), []
    blocks = list(FENCED.finditer(text))
    for block, after in zip_longest(blocks, blocks[1:]):
        if block[1] == "sh":
            printed = ""
            if (
                after
                and not after[1]
                and not after[2].startswith("$ ")
                and _BETWEEN.fullmatch(text[block.end() : after.start()])
            ):
                printed = after[2]
            found.append(ShellBlock(document.name, _join(block[2]), tuple(printed.splitlines())))
        elif not block[1] and block[2].startswith("$ "):
            for typed in re.split(r"^\$ ", block[2], flags=re.MULTILINE)[1:]:
                command, *shown = typed.splitlines()
                found.append(ShellBlock(document.name, (_without_comment(command),), tuple(shown)))
    return found


def _join(code: str) -> tuple[str, ...]:
    """Join lines that go on in the next one."""
    lines = re.sub(r"\\\n\s*", "", code).splitlines()
    return tuple(line for line in map(_without_comment, lines) if line)


def _without_comment(line: str) -> str:
    """Give a line without the comment at its end."""
    return re.sub(r"(^|\s+)#.*", "", line).strip()


def find_missing(shown: Iterable[str], printed: str) -> list[str]:
    """Find the lines of an output whose fixed words no printed line has, in their order.

    Rows that begin with a number are not compared, since they are of another sky, and what is said of a server.
    """
    have = [_fixed_words(line) for line in printed.splitlines()]
    return [
        line
        for line in shown
        if not re.match(r"[│ ]*\d", line)
        and not re.search("namespace|database", line)
        and not any(_is_within(_fixed_words(line), words) for words in [[], *have])
    ]


def _is_within(words: Iterable[str], others: Iterable[str]) -> bool:
    rest = iter(others)
    return all(word in rest for word in words)


def _fixed_words(line: str) -> list[str]:
    """Give the words that are the same for every campaign: no numbers, names, paths, and units; one or many."""
    words = [word.strip(",;:()") for word in re.sub(r"[│┃]", " ", line).split()]
    return [word.rstrip("s") for word in words if word not in _UNITS and not re.search(r"[\d/'…]", word)]
