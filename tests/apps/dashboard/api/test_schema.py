"""Whatever is asked, by the OpenAPI schema or against it: no 500, and answers as promised."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
import uvicorn
from dashboards import sources_of
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode, checks

from apps.dashboard.app import create_app

ASKED = settings(
    max_examples=50,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    derandomize=True,
    database=None,
)
KEPT = (
    checks.not_a_server_error,
    checks.response_schema_conformance,
    checks.status_code_conformance,
    checks.content_type_conformance,
)


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The schema of a dashboard that really listens."""
    sources = sources_of(tmp_path_factory.mktemp("dashboard"))
    sources.questions.names()  # libraries are loaded before anybody waits
    app = create_app(sources)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield schemathesis.openapi.from_url(f"http://127.0.0.1:{port}/openapi.json")
    server.should_exit = True
    thread.join(20)


@pytest.mark.slow
@pytest.mark.parametrize("mode", list(GenerationMode))
def test_no_question_breaks_it(api: Any, mode: GenerationMode) -> None:
    asked = 0
    for found in api.get_all_operations():
        operation = found.ok()

        @ASKED
        @given(case=operation.as_strategy(generation_mode=mode))
        def ask(case: schemathesis.Case) -> None:
            nonlocal asked
            case.call_and_validate(checks=list(KEPT), timeout=120)
            asked += 1

        try:
            ask()
        except Unsatisfiable:  # nothing of it can be wrong: it has no parameters
            assert mode == GenerationMode.NEGATIVE
    assert asked > 300
