"""Real servers for the tests: each worker has one of each for its session, and stops it at its end."""

import itertools
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NoReturn

import pytest
from apcampaign.common.errors import SandboxError
from apcampaign.common.processes import collect_seldom
from apcampaign.sandbox.create import STORAGE_CLASSES, Sandbox
from apcampaign.sandbox.servers import CondorPool, PostgresServer
from apcampaign.sandbox.survey import SandboxSize
from operators import Operator, make_operator
from reference import Reference, begin_reference
from schemas import read_schemas_once
from shared import copy_sandbox, shared_sandbox, shared_server

pytest_plugins = ["interruption"]

# Minutes after which a server ends itself, should the tests be killed.
_SAFETY_NET = 120

# Most of the time of the tests is that of processes that import Butler, and a tenth of it was garbage collection.
collect_seldom()
read_schemas_once()
os.environ["PYTHONPATH"] = str(Path(__file__).parent / "support" / "processes")
# `make test` is Make, but the tests' operators type commands.
os.environ.pop("APCAMPAIGN_FROM_MAKE", None)
# What one process has compiled is for all others that import our packages.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
# Butler reads its storage classes once a process: whichever test comes first, they are the sandbox's.
os.environ["DAF_BUTLER_CONFIG_PATH"] = STORAGE_CLASSES
_numbers = itertools.count(1)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Let several workers begin with the files that take longest, so that none is left with one at the end."""
    if not hasattr(config, "workerinput"):
        return
    minutes: dict[Path, float] = {}
    for item in items:
        mark = item.get_closest_marker("slow")
        lasts = float(mark.kwargs.get("minutes", 0.1)) if mark else 0.0
        minutes[item.path] = max(lasts, minutes.get(item.path, 0.0))
    items.sort(key=lambda item: -minutes[item.path])


def _unavailable(reason: object) -> NoReturn:
    """Skip on a laptop, fail in CI: there nobody would notice the skip."""
    if os.environ.get("CI", "").lower() not in ("", "0", "false"):
        pytest.fail(f"CI needs this server: {reason}")
    pytest.skip(str(reason))


@pytest.fixture
def unavailable() -> Callable[[object], NoReturn]:
    """What a test calls, with the reason, when what it needs cannot be had: skips, and in CI fails."""
    return _unavailable


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    """A PostgreSQL server of this session."""
    server = PostgresServer(tmp_path_factory.mktemp("postgres") / "data", time_to_live=_SAFETY_NET)
    try:
        server.start()
    except SandboxError as reason:
        _unavailable(reason)
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def condor_pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CondorPool]:
    """A pool that turns around fast; its software stays in the user's cache for the next time."""
    pool = CondorPool(tmp_path_factory.mktemp("condor") / "state", cpus=4, time_to_live=_SAFETY_NET)
    try:
        pool.start()
    except SandboxError as reason:
        _unavailable(reason)
    try:
        yield pool
    finally:
        pool.stop()


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> str:
    """The URL of a new, empty database."""
    name = f"test_{os.getpid()}_{next(_numbers)}"
    postgres_server.create_database(name)
    return postgres_server.url(name)


@pytest.fixture
def hostile_path(tmp_path: Path) -> Path:
    """A folder whose name has what breaks unquoted words: spaces and a quote."""
    path = tmp_path / "it's a hostile  path"
    path.mkdir()
    return path


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a place for an APDB, once of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/apdb.db"
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest.fixture
def public_path() -> Iterator[Path]:
    """A folder that every user of this machine can enter, unlike pytest's."""
    path = Path(tempfile.mkdtemp(prefix="apcampaign-test-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What all workers share."""
    base = tmp_path_factory.getbasetemp()
    return (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "shared"


@pytest.fixture(scope="session")
def untouched_sandbox(shared_folder: Path) -> Sandbox:
    """Both tracts of 2.2i/defaults/test-med-1 in small, two visits and two detectors each; to be copied."""
    size = SandboxSize(tracts=(3828, 3829), visits=2, detectors=(93, 94))
    return shared_sandbox(shared_folder / "dc2", size)


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory, untouched_sandbox: Sandbox) -> Sandbox:
    """The sandbox of a worker's campaigns."""
    return copy_sandbox(untouched_sandbox, tmp_path_factory.mktemp("dc2") / "sandbox")


@pytest.fixture
def operator(tmp_path: Path, sandbox: Sandbox) -> Operator:
    """Somebody with a campaign on the sandbox, and a password that must not get anywhere."""
    return make_operator(tmp_path, sandbox)


@pytest.fixture
def pool_operator(tmp_path: Path, sandbox: Sandbox, condor_pool: CondorPool) -> Operator:
    """Somebody with an HTCondor pool as well."""
    return make_operator(tmp_path, sandbox, condor_pool)


@pytest.fixture(scope="session")
def reference(shared_folder: Path, untouched_sandbox: Sandbox) -> Iterator[Reference]:
    """A campaign without a fault, which goes on while tests run that only compare with it at their end."""
    folder = shared_folder / "reference"
    with ExitStack() as servers:
        pool = CondorPool(folder / "condor" / "state", cpus=4, time_to_live=_SAFETY_NET)
        postgres = PostgresServer(folder / "postgres" / "data", time_to_live=_SAFETY_NET)
        try:
            servers.enter_context(shared_server(pool, folder / "condor"))
            servers.enter_context(shared_server(postgres, folder / "postgres"))
        except SandboxError as reason:
            _unavailable(reason)
        yield begin_reference(folder, untouched_sandbox, pool, postgres)


@pytest.fixture(scope="session")
def undisturbed(reference: Reference) -> tuple[Operator, str]:
    """That campaign when it has ended, and the URL of its database."""
    return reference.wait()
