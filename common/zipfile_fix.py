"""Fix for a bug of some CPython releases that keeps ``run-qbb`` from reading quantum graphs.

In CPython before 3.12.9, and in 3.13.0 and 3.13.1, a member of a zip file that is opened while another one is
open seeks wrongly when the seek is relative (https://github.com/python/cpython/issues/127847). A quantum
graph is a zip file that is read this way: above about a hundred quanta nearly every
``pipetask run-qbb --qgraph-node-id`` ends with an ``EOFError``.

``python -m apcampaign.common.zipfile_fix`` puts a ``.pth`` file into the environment's ``site-packages``
so that every interpreter of this environment, including those of the batch jobs, starts with the fix. On other
releases it does nothing.
"""

__all__ = ["cure", "install", "is_affected", "is_cured"]

import sys
import sysconfig
from pathlib import Path

# Read after setuptools' own ``__editable__…`` file: .pth files are read in sorted order.
_PTH_NAME = "apcampaign-zipfile-fix.pth"
_PTH_LINE = "import apcampaign.common.zipfile_fix as _fix; _fix.cure()\n"


def is_affected(version: tuple[int, int, int] | None = None) -> bool:
    """Tell whether a CPython release (default: this one) has the bug."""
    version = version or sys.version_info[:3]
    return (3, 12, 0) <= version < (3, 12, 9) or (3, 13, 0) <= version < (3, 13, 2)


def is_cured() -> bool:
    """Tell whether this interpreter reads zip files correctly, without the bug or with the fix."""
    if not is_affected():
        return True
    import zipfile

    return getattr(zipfile._SharedFile.seek, "__module__", "") == __name__  # type: ignore[attr-defined]


def cure() -> None:
    """Patch ``zipfile`` of the running interpreter, if it needs the fix."""
    if is_cured():
        return
    import io
    import zipfile

    shared_file = zipfile._SharedFile  # type: ignore[attr-defined]
    original = shared_file.seek

    def seek(self, offset: int, whence: int = 0) -> int:  # type: ignore[no-untyped-def]
        # The bug adds the offset to the position of the file that all members share.
        if whence == io.SEEK_CUR:
            return int(original(self, self._pos + offset))
        return int(original(self, offset, whence))

    shared_file.seek = seek


def install(site_packages: Path | None = None) -> Path | None:
    """Make every interpreter of an environment start with the fix.

    Parameters
    ----------
    site_packages
        The environment's folder of pure-Python packages; the running environment's by default.

    Returns
    -------
    path
        The ``.pth`` file, or `None` if the interpreter does not have the bug.
    """
    if not is_affected():
        return None
    path = (site_packages or Path(sysconfig.get_path("purelib"))) / _PTH_NAME
    path.write_text(_PTH_LINE)
    return path


if __name__ == "__main__":
    install()
