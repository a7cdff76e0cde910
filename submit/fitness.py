"""The preflight as a part of submission: a campaign with errors is not submitted."""

__all__ = ["refuse_if_unfit"]

from collections.abc import Callable, Iterable

from ..bps import Campaign, Site, Step
from ..bps.lint import Severity
from ..common.errors import SubmissionError
from .paths import CampaignPaths

#: Rules whose subject the submission looks at by itself, with what it was told to allow.
_OWN = ("apdb", "apdb-unchecked", "no-templates")


def refuse_if_unfit(
    campaign: Campaign,
    site: Site,
    paths: CampaignPaths,
    steps: Iterable[Step],
    *,
    templates: str | None = None,
    say: Callable[[str], None] = print,
) -> None:
    """Refuse to submit what the preflight finds errors in.

    Parameters
    ----------
    campaign, site, paths, steps
        What shall be submitted.
    templates
        A collection with templates, instead of the campaign's own.
    say
        Takes the warnings.

    Raises
    ------
    SubmissionError
        If there are errors; it lists them all.
    """
    from .preflight import check_campaign  # which knows the submission

    result = check_campaign(campaign, site, paths, steps=steps, templates=templates)
    findings = [finding for finding in result.findings if finding.rule not in _OWN]
    for finding in findings:
        if finding.severity is Severity.WARNING:
            say(f"warning: {finding.what}: {finding.why} [{finding.rule}]")
    if errors := [finding for finding in findings if finding.severity is Severity.ERROR]:
        listed = "\n".join(f"  {f.what}; {f.mend} [{f.rule}]" for f in errors)
        raise SubmissionError(
            f"the preflight finds {len(errors)} error{'s' * (len(errors) > 1)}, so nothing is submitted "
            f"(`apcampaign check` tells more, --no-check submits nevertheless):\n{listed}"
        )
    say(f"preflight: no errors in {result.seconds:.0f} s")
