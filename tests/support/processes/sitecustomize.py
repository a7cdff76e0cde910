"""For processes that tests start: as `apcampaign.common.processes.collect_seldom`, also in jobs' `pipetask`."""

import gc

gc.set_threshold(1_000_000)
