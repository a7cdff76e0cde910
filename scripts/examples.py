"""Examples of the use of each command, which its ``--help`` ends with."""

__all__ = ["EXAMPLES"]

from collections.abc import Mapping

#: By the words of the command; the first is what most users need.
EXAMPLES: Mapping[str, tuple[str, ...]] = {
    "": (
        "apcampaign init",
        "apcampaign check",
        "apcampaign submit",
        "apcampaign status --watch",
    ),
    "demo": ("apcampaign demo", "apcampaign demo --folder /tmp/demo --site parsl-local"),
    "sandbox": ("apcampaign sandbox create dc2", "apcampaign sandbox start dc2"),
    "sandbox create": (
        "apcampaign sandbox create dc2",
        "apcampaign sandbox create decam --instrument DECam --visits 6",
    ),
    "sandbox start": ("apcampaign sandbox start demo", "apcampaign sandbox start dc2 --time-to-live 480"),
    "sandbox stop": ("apcampaign sandbox stop demo",),
    "sandbox status": ("apcampaign sandbox status demo", "apcampaign sandbox status --json"),
    "sandbox score": (
        "apcampaign sandbox score --campaign demo/campaign.yaml --runs demo/runs",
        "apcampaign sandbox score dc2 runs/dc2/apdb_config.yaml",
    ),
    "sandbox condor": ("apcampaign sandbox condor start", 'eval "$(apcampaign sandbox condor env)"'),
    "sandbox condor install": ("apcampaign sandbox condor install",),
    "sandbox condor start": ("apcampaign sandbox condor start",),
    "sandbox condor stop": ("apcampaign sandbox condor stop",),
    "sandbox condor status": ("apcampaign sandbox condor status",),
    "sandbox condor env": ('eval "$(apcampaign sandbox condor env)"',),
    "sandbox condor run": ("apcampaign sandbox condor run condor_q",),
    "sandbox condor clean": ("apcampaign sandbox condor clean",),
    "sites": ("apcampaign sites", "apcampaign sites slurm"),
    "generate": ("apcampaign generate", "apcampaign generate --output configs --site s3df"),
    "lint": (
        "apcampaign lint configs/ApPipe-DC2-bps.yaml",
        "apcampaign lint --butler --strict bps_*.yaml",
        "apcampaign lint --format sarif bps.yaml > findings.sarif",
    ),
    "apdb": ("apcampaign apdb init --db postgresql://user@host/database", "apcampaign apdb verify"),
    "apdb init": (
        "apcampaign apdb init --db postgresql://user@host/database",
        "apcampaign apdb init --db sqlite:////tmp/apdb.db --config apdb_config.yaml --instrument LSSTCam",
    ),
    "apdb info": (
        "apcampaign apdb info",
        "apcampaign apdb info postgresql://user@host/database --namespace dc2",
    ),
    "apdb verify": ("apcampaign apdb verify", "apcampaign apdb verify apdb_config.yaml --no-butler"),
    "apdb rollback": (
        "apcampaign apdb rollback --unrecorded --dry-run",
        "apcampaign apdb rollback --visit 2026090500123 --detector 94",
    ),
    "apdb export": (
        "apcampaign apdb export night-1-apdb",
        "apcampaign apdb export field --circle 56.65 -36.45 0.5 --time 61300 61330 --dry-run",
    ),
    "apdb import": ("apcampaign apdb import night-1-apdb postgresql://user@host/database --namespace copy",),
    "apdb lightcurve": (
        "apcampaign apdb lightcurve --at 56.65021 -36.44874 --radius 2",
        "apcampaign apdb lightcurve --object 1231231231231 --csv > curve.csv",
    ),
    "inspect": ("apcampaign inspect", "apcampaign inspect --tracts 3828..3830"),
    "check": ("apcampaign check", "apcampaign check --step templates --json", "apcampaign check --stack"),
    "plan": ("apcampaign plan", "apcampaign plan --slots 1000", "apcampaign plan --mermaid > plan.mmd"),
    "adopt": (
        "apcampaign adopt configs/submit/templates/20260905T031200Z",
        "apcampaign adopt --dry-run configs/submit/*/*",
    ),
    "submit": ("apcampaign submit", "apcampaign submit --dry-run", "apcampaign submit templates"),
    "submit both": (
        "apcampaign submit both",
        "apcampaign submit both --foreground",
        "apcampaign submit --night 20260905",
        "apcampaign submit --night 20260905..",
    ),
    "submit templates": ('apcampaign submit templates --tracts "3828 3829" --bands gri',),
    "submit diffim": (
        "apcampaign submit diffim --wait",
        "apcampaign submit diffim --templates u/jdoe/dc2/templates",
        "apcampaign submit diffim --day-obs 20260905 --campaign LSSTCam-nightly.yaml",
    ),
    "resume": (
        "apcampaign resume --dry-run",
        "apcampaign resume --set templates.pipetask.makeDirectWarp.requestMemory=8192",
        "apcampaign resume --step diffim --skip-failed",
    ),
    "doctor": ("apcampaign doctor", "apcampaign doctor --fix --dry-run", "apcampaign doctor --fix"),
    "cancel": ("apcampaign cancel --dry-run", "apcampaign cancel"),
    "status": ("apcampaign status", "apcampaign status --watch", "apcampaign status --json"),
    "failures": ("apcampaign failures", "apcampaign failures --quanta --json"),
    "runs": ("apcampaign runs", "apcampaign runs --json"),
    "summary": ("apcampaign summary", "apcampaign summary --json > summary.json"),
    "completeness": (
        "apcampaign completeness --campaign campaign-fakes.yaml",
        "apcampaign completeness --json > completeness.json",
    ),
    "report": ("apcampaign report", "apcampaign report --watch --output /sdf/public/report.html"),
    "compare": (
        "apcampaign compare dc2-a.yaml dc2-b.yaml --output comparison.html",
        "apcampaign compare campaign.yaml --run 20261012T010203Z --run 20261013T010203Z",
    ),
    "retire": (
        "apcampaign retire",
        "apcampaign retire --intermediates --dry-run",
        "apcampaign retire --everything --archive dc2.tar.zst",
    ),
    "archive": ("apcampaign archive dc2.tar.zst",),
    "init": (
        "apcampaign init",
        "apcampaign init --instrument LSSTCam --butler embargo --tracts 5063 --site s3df",
    ),
    "start-over": (
        "apcampaign start-over --dry-run",
        "apcampaign start-over --keep-templates",
        "apcampaign start-over again.yaml --name dc2-b --campaign dc2.yaml",
    ),
    "schema": ("apcampaign schema > campaign.schema.json",),
    "completion": ('eval "$(apcampaign completion bash)"',),
}
