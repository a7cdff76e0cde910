"""Rules of the linter, one subject per module: each takes a whole submit file and yields findings.

- `submission`: keys without which BPS cannot submit, spaces in values that become arguments of ``pipetask``
  (collections, ``output``, ``outputRun``, ``butlerConfig``), and the file that ``pipelineYaml`` names;
- `keys`: the name of every key;
- `values`: the type and the unit of every value, class names, ``computeSite``, and ``payload`` over the
  tasks;
- `variables`: the text of every value, of commands too: ``{name}``, braces, ``${NAME}``;
- `options`: quotes in commands and their options, and what ``-c`` sets of the pipeline;
- `sites`: the site that Parsl needs;
- `query`: the text of ``dataQuery``, its quotes included;
- `tasks`: the sections ``pipetask``, ``cluster`` and ``ordering``, and the labels in them;
- `association`: the order and the retries of the task that writes to the APDB.
"""

from ..submit_file import Check
from .association import check_association
from .keys import check_keys
from .options import check_options
from .query import check_query
from .sites import check_site
from .submission import check_submission
from .tasks import check_tasks
from .values import check_values
from .variables import check_variables

__all__ = ["CHECKS"]

CHECKS: tuple[Check, ...] = (
    check_submission,
    check_keys,
    check_values,
    check_variables,
    check_options,
    check_site,
    check_query,
    check_tasks,
    check_association,
)
