"""Values of the campaign file as those of options: what one cannot be is refused with the name of the option."""

__all__ = ["COUNT", "ID", "NightsType", "SiteType", "ValueType", "read_values"]

import difflib
import os
from pathlib import Path
from typing import Any, Literal

import click
from click.shell_completion import CompletionItem
from click.types import StringParamType

#: A number such as of seconds, which fits wherever it is handed on to.
COUNT = click.IntRange(0, 2**31 - 1)
#: The number of a visit, a detector or a DiaObject: databases have no larger ones.
ID = click.IntRange(0, 2**63 - 1)

type Kind = Literal["tracts", "bands", "dayObs"]


def read_values(kind: Kind, text: str) -> tuple[Any, ...]:
    """Read a list as the campaign file has it.

    Raises
    ------
    click.BadParameter
        If it is none.
    """
    from pydantic import TypeAdapter, ValidationError

    from ...bps import values
    from ...bps.mistakes import describe_value

    types: dict[Kind, Any] = {"tracts": values.Tracts, "bands": values.Bands, "dayObs": values.Nights}
    try:
        found: tuple[Any, ...] = TypeAdapter(types[kind]).validate_python(text)
    except ValidationError as error:
        raise click.BadParameter(describe_value(error, kind)) from None
    return found


class ValueType(StringParamType):
    """A list as the campaign file has it, which stays a text.

    Parameters
    ----------
    kind
        The key.
    """

    name = "text"

    def __init__(self, kind: Kind):
        self._kind = kind

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Refuse what is none."""
        try:
            read_values(self._kind, value)
        except click.BadParameter as error:
            self.fail(error.message, param, ctx)
        return str(value)


class NightsType(StringParamType):
    """Nights, or all from one on."""

    name = "text"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Refuse what is none."""
        from ...bps import NightSelection
        from ...common.errors import SettingsError

        try:
            NightSelection.read(value)
        except SettingsError as error:
            self.fail(str(error), param, ctx)
        return str(value)


class SiteType(StringParamType):
    """A site, by its name or as a file: a shell completes both."""

    name = "text"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Refuse what is neither."""
        from ...bps import list_sites

        folder = Path((ctx and ctx.params.get("campaign_file")) or "campaign.yaml").parent
        places = (Path(value).expanduser(), folder / value)
        sites = list_sites()
        if value not in sites and "$" not in value and not any(map(os.path.lexists, places)):
            near = difflib.get_close_matches(value, sites, n=1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            self.fail(
                f"there is no site {value!r}; {hint}expected one of {', '.join(sites)}, or the path of a site "
                "file; `apcampaign sites` tells what each is",
                param,
                ctx,
            )
        return str(value)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Name the sites that come along, and let the shell name the files."""
        from ...bps import list_sites

        found = [CompletionItem(name) for name in list_sites() if name.startswith(incomplete)]
        return found or [CompletionItem(incomplete, type="file")]
