"""Files, classes and keys of the installed BPS, found in its source code without importing it."""

__all__ = ["CodeKeys", "find_folders", "has_class", "read_code"]

import ast
import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ..plugin import find_folders

_NAME = re.compile(r"[A-Za-z_]\w*")


def has_class(name: str) -> bool | None:
    """Tell whether a class or function is in the module or package that its full name names.

    Returns
    -------
    found
        `None` if there is no such module.
    """
    module, _, member = name.rpartition(".")
    parent, _, last = module.rpartition(".")
    paths = [path for folder in find_folders(module) for path in sorted(folder.glob("*.py"))]
    paths += [path for folder in find_folders(parent) if (path := folder / f"{last}.py").is_file()]
    if not paths:
        return None
    pattern = re.compile(rf"^(class|def|async def)\s+{re.escape(member)}\b", re.MULTILINE)
    return any(pattern.search(path.read_text(encoding="utf-8")) for path in paths)


@dataclass
class CodeKeys:
    """The keys of submit files that a code base reads.

    Parameters
    ----------
    anywhere, in_site, in_cluster, in_ordering
        Keys that it looks up, by the section in which it looks.
    patterns
        Keys with a number or a name in them, such as ``command1``, as regular expressions.
    filled_in
        Variables that it fills in itself.
    refused
        Keys that it refuses, with its error message.
    types
        The types it expects of values, as names of Python types, by key.
    strict_types
        The same where it refuses a value of another type.
    search_order
        The sections in which it looks for a key, in this order.
    """

    anywhere: set[str] = field(default_factory=set)
    in_site: set[str] = field(default_factory=set)
    in_cluster: set[str] = field(default_factory=set)
    in_ordering: set[str] = field(default_factory=set)
    patterns: set[str] = field(default_factory=set)
    filled_in: set[str] = field(default_factory=set)
    refused: dict[str, str] = field(default_factory=dict)
    types: dict[str, frozenset[str]] = field(default_factory=dict)
    strict_types: dict[str, frozenset[str]] = field(default_factory=dict)
    search_order: list[str] = field(default_factory=list)


@functools.cache
def read_code(folders: tuple[Path, ...]) -> CodeKeys:
    """Collect the keys of all modules under some folders, except those of tests."""
    code = CodeKeys()
    for folder in folders:
        for path in sorted(folder.rglob("*.py")):
            if "tests" in path.relative_to(folder).parts:
                continue
            try:
                tree = ast.parse(path.read_text(encoding="utf-8"))
            except (SyntaxError, UnicodeDecodeError):
                continue
            _read_module(tree, code)
    return code


def _read_module(tree: ast.Module, code: CodeKeys) -> None:
    for node in ast.walk(tree):
        _read_node(node, code)
        if isinstance(node, ast.FunctionDef):
            _read_lookups_by_name(node, code)


def _read_node(node: ast.AST, code: CodeKeys) -> None:
    match node:
        case ast.Call(func=ast.Attribute(value=receiver, attr="search"), args=[key, *_]):
            _add_key(code, key, ast.unparse(receiver), searched=True)
        case ast.Call(func=ast.Attribute(value=receiver, attr="get"), args=[key, *_]):
            _add_key(code, key, ast.unparse(receiver))
        case ast.Call(func=ast.Name(id="get_bps_config_value"), args=[receiver, key, kind, *_]):
            _add_key(code, key, ast.unparse(receiver), searched=True)
            if isinstance(kind, ast.Name) and (found := list(_names(key))):
                before = code.strict_types.get(found[-1], frozenset())
                code.strict_types[found[-1]] = before | {kind.id}
        case ast.Call(func=ast.Name(id="MWOptionDecorator"), args=[ast.Constant(value=str(option)), *_]):
            code.anywhere.add(_camel(option.strip("-").replace("-", "_")))
        case ast.Subscript(value=receiver, slice=key):
            _add_key(code, key, ast.unparse(receiver))
        case ast.Compare(left=key, ops=[ast.In() | ast.NotIn()], comparators=[receiver]):
            _add_key(code, key, ast.unparse(receiver))
        case ast.Dict(keys=keys, values=values):
            # {"curvals": {"qgraphFile": …}} fills in a variable.
            for name, value in zip(keys, values, strict=True):
                if list(_names(name)) == ["curvals"] and isinstance(value, ast.Dict):
                    code.filled_in.update(variable for k in value.keys for variable in _names(k))
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            if name == "BPS_SEARCH_ORDER" and isinstance(value, ast.List):
                code.search_order = [section for element in value.elts for section in _names(element)]
            elif name == "translation" and isinstance(value, ast.Dict):
                code.anywhere.update(key for element in value.values for key in _names(element))
            elif "key" in name:
                code.anywhere.update(_names(value))
        case ast.Assign(targets=[ast.Subscript(value=receiver, slice=key)]):
            text = ast.unparse(receiver)
            if "curvals" in text or "cmdvals" in text:
                code.filled_in.update(_names(key))
        case ast.ClassDef(name="GenericWorkflowJob", body=body):
            for statement in body:
                if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
                    key = _camel(statement.target.id)
                    code.anywhere.add(key)
                    code.types[key] = frozenset(_NAME.findall(ast.unparse(statement.annotation)))
        case ast.If(
            test=ast.Compare(left=ast.Constant(value=str(key)), ops=[ast.In()]),
            body=[ast.Raise(exc=ast.Call(args=[ast.Constant(value=str(reason)), *_]))],
        ):
            code.refused[key] = reason


def _read_lookups_by_name(scope: ast.FunctionDef, code: CodeKeys) -> None:
    """Take ``key = "x"`` or ``for key in ("x", "y")`` followed by ``config.search(key)``."""
    values: dict[str, set[str]] = {}
    for node in ast.walk(scope):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            values.setdefault(node.targets[0].id, set()).update(_names(node.value))
        elif isinstance(node, ast.For) and isinstance(node.iter, ast.List | ast.Tuple | ast.Set):
            found = {key for element in node.iter.elts for key in _names(element)}
            values.setdefault(ast.unparse(node.target), set()).update(found)
    for node in ast.walk(scope):
        match node:
            case ast.Call(func=ast.Attribute(attr="search"), args=[ast.Name(id=name), *_]):
                code.anywhere.update(values.get(name, ()))


def _add_key(code: CodeKeys, key: ast.expr | None, receiver: str, *, searched: bool = False) -> None:
    found = list(_names(key))
    if isinstance(key, ast.JoinedStr) and searched:
        head = key.values[0]
        text = head.value if isinstance(head, ast.Constant) else None
        if isinstance(text, str) and _NAME.fullmatch(text):
            code.patterns.add(text + r"\w+")
    if "group_" in receiver:
        code.in_ordering.update(found)
    elif "cluster_config" in receiver:
        code.in_cluster.update(found)
    elif "site" in receiver or "slot" in receiver:
        code.in_site.update(found)
    elif (searched and not _is_ad(receiver)) or "config" in receiver or "remote_build" in receiver:
        code.anywhere.update(found)
    elif "cached_val" in receiver:
        code.in_site.update(found)


def _is_ad(receiver: str) -> bool:
    """Tell whether the receiver is no config, but a job's ad or a regular expression."""
    return receiver in ("re", "os.environ") or receiver.endswith(("_ad", "_info", "job", "kwargs", "counts"))


def _names(node: ast.expr | None) -> Iterator[str]:
    """Take the keys of a constant such as ``"computeSite"`` or ``".provisioning.queue"``."""
    text = None
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        text = node.value
    elif isinstance(node, ast.JoinedStr) and node.values and isinstance(node.values[0], ast.Constant):
        text = str(node.values[0].value)
        if not text.startswith("."):
            return
    for part in (text or "").split("."):
        if _NAME.fullmatch(part):
            yield part


def _camel(name: str) -> str:
    """Spell an attribute as BPS spells it in YAML."""
    return re.sub(r"_(\S)", lambda match: match[1].upper(), name)
