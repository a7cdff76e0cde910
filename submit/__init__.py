"""Makes it happen: from a plan to finished runs.

The flow: `prepare_run` writes a run's BPS config into the run's folder (`RunPaths`), lets BPS build graph and
workflow, puts the order of visits into it (`add_order`) and leaves a record in the ledger (`RunRecord`);
`submit_run` hands it to the workload manager. `check_templates` is the gate between the two steps.
`submit_chain` puts it all into one HTCondor DAG; `run_chain` does the same in the foreground, for workload
managers without DAGs. `monitor` tells how far it is and what is wrong. `summarise` asks Butler and the APDB
what came of it, and `close_campaign` writes the report (room `report`), remembers what it took for later
forecasts (room `forecast`) and tells those who want to know.

Truth lives in Butler, APDB and HTCondor; the ledger remembers only which run is which.
"""

from .paths import CampaignPaths, RunPaths

__all__ = ["CampaignPaths", "RunPaths"]
