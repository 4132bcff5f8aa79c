"""The servers of a team, started once for each module that asks for them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from team_servers import Team, postgres_programs, team_server


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Iterator[Team]:
    postgres_programs()
    with team_server(tmp_path_factory.mktemp("team"), repository) as found:
        yield found
