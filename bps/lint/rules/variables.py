"""Rules for the text of all values, commands included: undefined ``{name}``, braces, unset ``${NAME}``."""

__all__ = ["check_variables"]

import re
from collections.abc import Iterator

from ..findings import Finding, Severity
from ..includes import UNSET
from ..submit_file import SubmitFile
from ..tree import Item
from ..vocabulary import FREE_SECTIONS, close_matches, names_in

#: Variables of Rubin's packages, which files name: that one is not set is no misspelling of another that is.
_PACKAGES = frozenset(
    f"{name}_DIR"
    for name in (
        *(
            "AP_ASSOCIATION",
            "AP_PIPE",
            "AP_VERIFY",
            "ANALYSIS_AP",
            "ANALYSIS_DRP",
            "ANALYSIS_TOOLS",
            "ATMOSPEC",
        ),
        *(
            "CI_CPP_GEN3",
            "CI_HSC_GEN3",
            "CI_IMSIM",
            "CP_PIPE",
            "CP_VERIFY",
            "DAF_BUTLER",
            "DAX_APDB",
            "DONUT_VIZ",
        ),
        *(
            "CTRL_BPS",
            "CTRL_BPS_HTCONDOR",
            "CTRL_BPS_PANDA",
            "CTRL_BPS_PARSL",
            "CTRL_MPEXEC",
            "CTRL_PLATFORM_S3DF",
        ),
        *(
            "DRP_PIPE",
            "DRP_TASKS",
            "FARO",
            "FGCMCAL",
            "IP_DIFFIM",
            "IP_ISR",
            "MEAS_ALGORITHMS",
            "MEAS_EXTENSIONS",
        ),
        *("OBS_BASE", "OBS_CFHT", "OBS_DECAM", "OBS_LSST", "OBS_SUBARU", "PIPE_BASE", "PIPE_TASKS"),
        *(
            "PROMPT_PROCESSING",
            "RUBINTV_PRODUCTION",
            "SOURCE_INJECTION",
            "SUMMIT_EXTRAS",
            "SUMMIT_UTILS",
            "TS_WEP",
        ),
    )
)
#: Templates that are filled in from the data ID of a job, by dimension.
_BY_DIMENSION = frozenset({"subDirTemplate", "templateDataId", "clusterTemplate"})


def check_variables(config: SubmitFile) -> Iterator[Finding]:
    """Look up every variable that a value uses."""
    submit_side = _submit_side(config)
    unset: dict[str, Item] = {}
    for item in config.root.walk():
        if set(item.path[:-1]) & FREE_SECTIONS:
            continue
        for text in item.value if isinstance(item.value, list) else [item.value]:
            if isinstance(text, str):
                yield from _check_text(config, item, text)
                if item.key in submit_side:
                    yield from _check_environment(config, item, text, unset)
    if unset:
        names = ", ".join(f"${name}" for name in unset)
        yield next(iter(unset.values())).finding(
            Severity.INFO,
            "environment-unset",
            f"not set here: {names}",
            "if a variable is not set for `bps submit`, BPS passes on its name as it is",
            "set them before you submit",
        )


def _check_text(config: SubmitFile, item: Item, text: str) -> Iterator[Finding]:
    try:
        names = names_in(text)
    except ValueError as error:
        yield item.finding(
            Severity.ERROR,
            "unbalanced-brace",
            f"the braces of {item.key!r} do not match: {error}",
            "BPS ends with a traceback as soon as it needs the value",
            "close every { with }, and write {{ and }} for literal braces",
        )
        return
    vocabulary = config.vocabulary
    for name in dict.fromkeys(re.findall(r"\$\{(\w+)\}", text)):
        if _is_of_bps(config, name):
            yield item.finding(
                Severity.ERROR,
                "undefined-variable",
                f"${{{name}}} is meant as BPS's {{{name}}}, and has a $ before it",
                "the $ stays in the value, or the shell replaces the whole by nothing",
                f"write {{{name}}}",
            )
    for name in dict.fromkeys(names):
        # BPS takes a key with dots for a path.
        head = name.strip(".").split(".")[0]
        filled_in = vocabulary.code.filled_in | vocabulary.template_names | vocabulary.settings
        if item.key in _BY_DIMENSION:
            known = filled_in | vocabulary.dimensions.keys() | config.defined | {"subfilter", "node_number"}
        else:
            known = filled_in | config.defined
        if head in known:
            continue
        near = close_matches(head, known)
        open_ended = not (config.is_submission and config.whole and config.keys_known)
        if item.key in _BY_DIMENSION and near:
            pass
        elif open_ended or "bpsGenerateConfig" in config.defined:
            continue  # a file that includes this one, an included file, or a plugin may define it
        yield item.finding(
            Severity.ERROR,
            "undefined-variable",
            f"nothing defines {{{name}}}" + (f"; {{{near[0]}}} is defined" if near else ""),
            "BPS silently replaces it by nothing",
            f"write {{{near[0]}}}"
            if near
            else f"define {name!r}, or write {{{{{name}}}}} for literal braces",
        )


def _is_of_bps(config: SubmitFile, name: str) -> bool:
    """Tell whether a variable that is written like one of the environment is BPS's."""
    return (
        name in config.vocabulary.template_names | config.vocabulary.settings
        and name not in config.environment
    )


def _submit_side(config: SubmitFile) -> frozenset[str]:
    """Find the settings in which BPS itself expands environment variables, before any job."""
    found: set[str] = set()
    front = ["createQuantumGraph", "submitPath"]
    while front:
        key = front.pop()
        if key in found:
            continue
        found.add(key)
        item = config.top(key)
        value = item.value if item is not None else config.defaults.get(key)
        if value is None:
            payload = config.defaults.get("payload")
            value = payload.get(key) if isinstance(payload, dict) else None
        if isinstance(value, str):
            try:
                front += names_in(value)
            except ValueError:
                continue
    return frozenset(found)


def _check_environment(
    config: SubmitFile, item: Item, text: str, unset: dict[str, Item]
) -> Iterator[Finding]:
    for match in UNSET.finditer(text):
        name = match[1] or match[2]
        if name in config.environment or (match[1] and _is_of_bps(config, name)):
            continue
        if name not in _PACKAGES and (near := close_matches(name, config.environment)):
            yield item.finding(
                Severity.ERROR,
                "environment-unset",
                f"${{{name}}} is not set here; ${{{near[0]}}} is",
                "BPS passes on the name as it is",
                f"write ${{{near[0]}}}",
            )
        else:
            unset.setdefault(name, item)
