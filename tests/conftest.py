"""Shared by every test: a private home for caches and settings, and the demo data made once."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from once_per_run import OncePerRun

# Before any library is imported: nothing of a test may reach the user's own settings or network.
os.environ.setdefault("YOLO_AUTOINSTALL", "false")
os.environ.setdefault("YOLO_OFFLINE", "true")
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
# Tests run side by side on every core: each keeps to one thread.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# A PyTorch session takes all cores whatever that says; its threads then wait for each other most of
# the time, which must not cost the other test a core.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
# Tests beside each other make the machine busy: nobody waits for it to be quiet.
os.environ.setdefault("GUARDIANFLOW_QUIET_WAIT_S", "0")
for name in ("MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID", "MLFLOW_TRACKING_URI"):
    os.environ.pop(name, None)
# How long examples take says what else the machine does.
settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any machine")
# A shell's background job ignores Ctrl-C, and so would every process that a test starts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def repository() -> Path:
    """The project's root."""
    return Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared_data(repository: Path) -> Path:
    """Real images and a real detector beside the project; the test skips without them."""
    path = repository.parent / "shared" / "data"
    if not (path / "weights").is_dir():
        pytest.skip("needs shared/data beside the project")
    return path


@pytest.fixture(scope="session")
def once_per_run(tmp_path_factory: pytest.TempPathFactory) -> OncePerRun:
    """Makes what takes seconds to make once for all workers."""
    return OncePerRun(tmp_path_factory)


@pytest.fixture(scope="session")
def empty_store(once_per_run: OncePerRun) -> Path:
    """A migrated, empty store: making one takes seconds, copying it nothing."""
    from guardianflow.run_tracking.connection import import_sql_store, prepare_environment
    from guardianflow.run_tracking.mlflow_store import MlflowStore

    def fill(folder: Path) -> None:
        MlflowStore(f"sqlite:///{folder / 'mlflow.db'}").list_experiments()

    prepare_environment()
    import_sql_store()  # without mlflow's own warnings, also where another worker fills it
    return once_per_run.made("store", fill) / "mlflow.db"


@pytest.fixture
def secrets_forgotten() -> Iterator[None]:
    """What a test makes known as a secret is none for the tests after it."""
    from guardianflow.support.secrets.redaction import forget_learnt

    forget_learnt()
    yield
    forget_learnt()


STORY_S = 900.0
"""A long test that may take so long is a story of minutes."""
TAKES = 1 / 3
"""Of what it may take, a story takes about so much on two busy cores."""
TURN = 0.618
"""Of the way through the stories: no number of turns comes back to the same ones soon."""


def _is_long(item: pytest.Item) -> bool:
    return any(map(item.get_closest_marker, ("slow", "acceptance")))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """With several workers each begins with its share of the long tests, the longest first.

    They would stand at the end otherwise, and one worker would be left alone with the longest.
    """
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    if workers == 1:
        return
    long = in_turn(sorted(filter(_is_long, items), key=lambda each: -_limit_s(each)))
    short = [each for each in items if not _is_long(each)]
    share = -(-len(short) // workers)
    items[:] = [
        each
        for worker in range(workers)
        for each in (*long[worker::workers], *short[worker * share : (worker + 1) * share])
    ]


def in_turn(long: list[pytest.Item]) -> list[pytest.Item]:
    """With LONG_TESTS_TURN, a number: the longest, then those of seconds, then stories in turn.

    A run that must end at some time so leaves out a few stories and not all the rest. The next
    number begins with other ones, so that each has its turn.
    """
    turn = os.environ.get("LONG_TESTS_TURN")
    first, others = long[:1], long[1:]
    stories = [each for each in others if _limit_s(each) >= STORY_S]
    if turn is None or not stories:
        return long
    start = int(int(turn) * TURN * len(stories)) % len(stories)
    return [*first, *others[len(stories) :], *stories[start:], *stories[:start]]


def _limit_s(item: pytest.Item) -> float:
    limit = item.get_closest_marker("timeout")
    return float(limit.args[0]) if limit else 0.0


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Begins no long test that would go on after NO_LONG_TEST_AFTER, seconds since 1970.

    A machine's owner ends a run at some limit; being cut off there would tell nothing.
    """
    limit = float(os.environ.get("NO_LONG_TEST_AFTER") or "inf")
    if time.time() > limit - _limit_s(item) * TAKES and _is_long(item):
        item.add_marker(pytest.mark.skip(reason="not begun: the time of this run was up"))
