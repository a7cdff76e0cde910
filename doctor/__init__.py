"""Doctor: which of the states a campaign is in that it does not get out of by itself, and the fix of each.

The flow: `plan_doctor` reads how everything stands at once (`CampaignHealth`), `diagnose` names the states
from that without asking anybody, and the `DoctorPlan` of both can be shown. `execute_doctor` does the `Act`
of each, in their order: records, copies, paths and logs are made again, jobs of nobody leave the queue,
outputs are registered, output collections are made again from their runs, associations are rolled back and
forgotten, and the campaign goes on as by `resume`. A state without an act names what its user can do.

To add a state: what shows it in `health`, its `Condition` (and `Act`) in `model`, its finding in `diagnosis`, what
is done in `plan`.
"""

from .diagnosis import diagnose
from .health import CampaignHealth, read_health
from .model import Act, Condition, Finding
from .plan import DoctorPlan, execute_doctor, plan_doctor

__all__ = [
    "Act",
    "CampaignHealth",
    "Condition",
    "DoctorPlan",
    "Finding",
    "diagnose",
    "execute_doctor",
    "plan_doctor",
    "read_health",
]
