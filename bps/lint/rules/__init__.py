"""The rules, one subject a module; each looks at a whole file and yields what is wrong with it."""

from ..view import Check
from .association import check_association
from .keys import check_keys
from .query import check_query
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
    check_query,
    check_tasks,
    check_association,
)
