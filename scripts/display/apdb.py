"""Human-readable description and verification of an APDB."""

__all__ = ["show_info", "show_verification"]

from typing import TYPE_CHECKING

from .console import make_console

if TYPE_CHECKING:
    from ...apdb import ApdbInfo, Verification


def show_info(info: "ApdbInfo") -> None:
    """Print a human-readable description."""
    from ...apdb import describe_rows
    from .table import Table

    console = make_console()
    console.print(f"APDB in {info.target.place}")
    table = Table("table", "rows")
    for name, rows in describe_rows(info.tables, info.dia_objects).items():
        table.add_row(name, rows)
    console.print(table)
    facts = {
        "instrument": info.instrument or "not set",
        "visits": f"{info.visits:,}, {info.visit_detectors:,} (visit, detector)s",
        "time range": "no sources"
        if info.time_range is None
        else "MJD {:.5f} to {:.5f}".format(*info.time_range),
        "made by": f"{info.metadata.get('apcampaign:created_by', 'unknown')} "
        f"at {info.metadata.get('apcampaign:created_at', 'an unknown time')}",
        "schema": f"{info.metadata.get('version:schema', 'unknown')} (installed: {info.versions['schema']})",
        "code": f"{info.metadata.get('version:ApdbSql', 'unknown')} (installed: {info.versions['ApdbSql']})",
        "compatible": "yes" if info.compatible else "NO: the installed software cannot use it",
        "owner": info.owner or "whoever may write the file",
        "grants": "; ".join(f"{role}: {', '.join(rights)}" for role, rights in info.grants.items()) or "none",
        "not the APDB's": ", ".join(info.foreign) or "nothing",
    }
    for name, fact in facts.items():
        console.print(f"{name:>15}  {fact}")


def show_verification(result: "Verification") -> None:
    """Print a human-readable verification."""
    from .table import Table

    console = make_console()
    for kind, count in result.counts.items():
        table = Table("visit", "detector", "rows", "what", title=f"{kind}: {count:,}", title_justify="left")
        for finding in result.findings:
            if finding.kind == kind:
                key = ["" if part is None else str(part) for part in (finding.visit, finding.detector)]
                table.add_row(*key, f"{finding.rows:,}", finding.message)
        console.print(table)
    console.print(
        f"{result.target.place}: {result.stored:,} (visit, detector)s, {result.sources:,} DiaSources, "
        f"{result.forced:,} DiaForcedSources, read in {result.seconds:.1f} s",
    )
    against = f"the {result.expected:,} of {result.source}" if result.source else "itself"
    total = sum(result.counts.values())
    found = "good" if result.good else f"{total:,} finding{'s' * (total > 1)}"
    if result.lost:
        console.print(
            f"{len(result.lost):,} association{'s' * (len(result.lost) > 1)} lost rows: `apcampaign doctor` tells "
            "what was built on them, and `apcampaign doctor --fix` makes all of it again"
        )
    console.print(f"checked against {against}: {found}")
