"""Configurations of tasks as their runs have stored them: every field with its resolved value.

They are read without executing them: what another release of the pipelines has stored can be compared too, and no
code of a repository runs here.
"""

__all__ = ["parse_config", "read_configurations"]

import ast
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ...common.errors import RepositoryError

#: The field that stands for the class of a configuration.
CLASS = "class"


def parse_config(text: str) -> dict[str, str]:
    """Read the stored configuration of a task (``<label>_config``).

    Parameters
    ----------
    text
        What `lsst.pex.config.Config.saveToString` has written: statements that assign each field.

    Returns
    -------
    fields
        Values as text by name, such as ``detection.thresholdValue``; ``class`` is that of the configuration, and
        ``NAME.class`` that of a subtask which is not the default one.

    Raises
    ------
    ValueError
        If it is no stored configuration.
    """
    try:
        statements = ast.parse(text).body
    except SyntaxError as error:
        raise ValueError(f"it is not written as `lsst.pex.config` does: {error}") from error
    fields = dict(field for statement in statements for field in _read_statement(statement))
    if CLASS not in fields:
        raise ValueError("it does not tell its class")
    return fields


def _read_statement(statement: ast.stmt) -> Iterator[tuple[str, str]]:
    match statement:
        case ast.Import() | ast.ImportFrom():
            return
        case ast.Assert(
            test=ast.Compare(
                left=ast.Call(func=ast.Name(id="type"), args=[ast.Name(id="config")]), comparators=[kind]
            )
        ):
            yield CLASS, ast.unparse(kind)
        case ast.Assign(targets=[target], value=value):
            yield _name(target), _write_value(value)
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=target, attr="retarget"), keywords=keywords)):
            for keyword in keywords:
                if keyword.arg == "target":
                    yield f"{_name(target)}.{CLASS}", ast.unparse(keyword.value)
        case _:
            raise ValueError(f"line {statement.lineno} is unknown: {ast.unparse(statement)[:80]}")


def _name(target: ast.expr) -> str:
    return ast.unparse(target).removeprefix("config.")


def _write_value(value: ast.expr) -> str:
    """Write a value in one way, however it was written."""
    try:
        return repr(ast.literal_eval(value))
    except ValueError:  # such as float('inf'), or a class
        return ast.unparse(value)


def read_configurations(
    butler: Any, runs: Iterable[str], labels: Iterable[str]
) -> dict[str, Mapping[str, str]]:
    """Read the configurations of tasks in some RUN collections.

    Parameters
    ----------
    butler
        The repository.
    runs
        The collections.
    labels
        The tasks.

    Returns
    -------
    configurations
        The fields of each task that any of the runs has configured. Where they differ in a field, the values are
        joined by «and».

    Raises
    ------
    RepositoryError
        If one cannot be read.
    """
    from lsst.daf.butler import MissingCollectionError, MissingDatasetTypeError

    found: dict[str, Mapping[str, str]] = {}
    runs = list(runs)
    for label in labels:
        try:
            refs = butler.query_datasets(
                f"{label}_config", collections=runs, find_first=False, limit=None, explain=False
            )
        except (MissingCollectionError, MissingDatasetTypeError):
            continue
        fields = []
        for ref in refs:
            try:
                fields.append(parse_config(butler.getURI(ref).read().decode()))
            except ValueError as error:
                raise RepositoryError(f"the configuration of {label} in {ref.run}: {error}") from error
        if fields:
            found[label] = join_values(fields)
    return found


def join_values(mappings: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Put values of several runs together: those that differ are joined by «and»."""
    values: dict[str, dict[str, None]] = {}
    for mapping in mappings:
        for name, value in mapping.items():
            values.setdefault(name, {})[value] = None
    return {name: " and ".join(sorted(found)) for name, found in values.items()}
