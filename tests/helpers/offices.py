"""A workplace whose store is where the settings say: a laptop's files, or a team's servers."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

from workplace import Workplace, last_json


@dataclass
class Office(Workplace):
    """Args:
    uri: of the store; '' for a file in the workplace.
    """

    uri: str = ""

    @property
    def tracking_uri(self) -> str:
        return self.uri or super().tracking_uri

    def do(self, *words: str, timeout: float = 280) -> Any:
        """The answer of a command that must end well."""
        done = self.guardianflow(*words, "--json", timeout=timeout)
        assert done.returncode == 0, done.stdout + done.stderr
        return last_json(done.stdout)

    def ask(self, code: str) -> Any:
        """What a program of the user finds in the store, in a process of its own."""
        done = self.run(sys.executable, "-c", code)
        assert done.returncode == 0, done.stderr
        return last_json(done.stdout)

    def aliases(self, name: str) -> dict[str, str]:
        """Champion and rollback of a model, as mlflow tells them."""
        code = (
            "import json; from mlflow import MlflowClient\n"
            f"model = MlflowClient().get_registered_model({name.replace('/', '.')!r})\n"
            "print(json.dumps({k: str(v) for k, v in model.aliases.items()}))"
        )
        found: dict[str, str] = self.ask(code)
        return {alias: version for alias, version in found.items() if alias != "candidate"}
