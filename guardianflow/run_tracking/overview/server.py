"""Reads lists from an MLflow server by its REST API, with the login that mlflow itself takes.

What it does not know (credentials in a file, plugins, AWS signatures, client certificates) shows
as a refusal, and is left to mlflow.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from .lines import (
    ExperimentLine,
    ModelLine,
    NotReadableError,
    RunLine,
    VersionLine,
    aliases_of,
    belongs,
    finite,
    in_order,
    is_asked,
)

if TYPE_CHECKING:
    from requests import Session

TIMEOUT_S = (5.0, 60.0)
NAMES_A_PAGE, RUNS_A_PAGE, VERSIONS_A_PAGE = 1000, 1000, 10_000
NEWEST_FIRST = ["attributes.start_time DESC"]
Item = dict[str, Any]
"""A thing as the server writes it in JSON."""


class ServerOverview:
    """Overview of an MLflow server.

    Args:
        uri: its address.

    Every method raises NotReadableError where the server refuses or does not answer.
    """

    def __init__(self, uri: str) -> None:
        self._api = f"{uri}/api/2.0/mlflow"
        self._opened: Session | None = None

    def runs(self, customer: str, limit: int, metrics: Sequence[str]) -> list[RunLine]:
        names = self._experiment_names(customer)
        asked = _runs_asked(list(names), min(limit, RUNS_A_PAGE))
        found = self._pages("POST", "runs/search", "runs", asked) if names and limit > 0 else ()
        return [_run_line(run, names, metrics) for run in islice(found, max(limit, 0))]

    def experiments(self, customer: str, limit: int) -> list[ExperimentLine]:
        """Asked again and again for the newest runs of those that have not shown one yet."""
        names = self._experiment_names(customer)
        left, last = dict(names), dict.fromkeys(names, 0)
        while left and limit > len(names) - len(left):
            page = self._answer("POST", "runs/search", _runs_asked(list(left), min(limit, 50)))
            runs = page.get("runs", [])
            if not runs:
                break
            for info in (run["info"] for run in runs):
                if left.pop(info["experiment_id"], None) is not None:
                    last[info["experiment_id"]] = int(info.get("start_time", 0))
        return in_order(
            ExperimentLine(name, None, last[number] or None) for number, name in names.items()
        )

    def versions(self, customer: str, limit: int) -> list[VersionLine]:
        aliases = {each["name"]: _aliases(each) for each in self._models()}
        asked = {"max_results": NAMES_A_PAGE, "order_by": "creation_timestamp DESC"}
        lines = (
            _version_line(each, aliases[each["name"]])
            for each in self._pages("GET", "model-versions/search", "model_versions", asked)
            if each["name"] in aliases and is_asked(each["name"], "", customer)
        )
        return list(islice(lines, max(limit, 0)))

    def models(self, pattern: str, customer: str) -> list[ModelLine]:
        created: dict[str, list[int]] = {}
        asked = {"max_results": VERSIONS_A_PAGE}
        for each in self._pages("GET", "model-versions/search", "model_versions", asked):
            created.setdefault(each["name"], []).append(int(each["creation_timestamp"]))
        lines = [
            ModelLine(
                name=each["name"],
                aliases=_aliases(each),
                tags={tag["key"]: tag.get("value", "") for tag in each.get("tags", [])},
                versions=len(created[each["name"]]),
                created_ms=max(created[each["name"]]),
            )
            for each in self._models()
            if each["name"] in created and is_asked(each["name"], pattern, customer)
        ]
        return sorted(lines, key=lambda line: (-line.created_ms, line.name))

    # --- asking -------------------------------------------------------------------------------

    def _experiment_names(self, customer: str) -> dict[str, str]:
        """Id → name of every experiment of the customer's."""
        asked: Item = {"max_results": NAMES_A_PAGE}
        every = self._pages("POST", "experiments/search", "experiments", asked)
        return {e["experiment_id"]: e["name"] for e in every if belongs(e["name"], customer)}

    def _models(self) -> Iterator[Item]:
        # mlflow's own client leaves prompts out in these words.
        asked = {"max_results": NAMES_A_PAGE, "filter": "tag.`mlflow.prompt.is_prompt` != 'true'"}
        return self._pages("GET", "registered-models/search", "registered_models", asked)

    def _pages(self, method: str, path: str, key: str, asked: Item) -> Iterator[Item]:
        while True:
            page = self._answer(method, path, asked)
            yield from page.get(key, [])
            if not page.get("next_page_token"):
                return
            asked = {**asked, "page_token": page["next_page_token"]}

    def _answer(self, method: str, path: str, asked: Item) -> Item:
        from requests.exceptions import RequestException

        given: Item = {"params" if method == "GET" else "json": asked}
        try:
            reply = self._session().request(
                method, f"{self._api}/{path}", timeout=TIMEOUT_S, allow_redirects=False, **given
            )
            found = reply.json() if reply.status_code == 200 else None
        except (RequestException, OSError, ValueError) as exc:
            raise NotReadableError(str(exc)) from exc
        if not isinstance(found, dict):
            raise NotReadableError(f"{path} answers {reply.status_code}")
        return found

    def _session(self) -> Session:
        if self._opened is None:
            from requests import Session

            self._opened = Session()
            said = os.environ.get
            if user := said("MLFLOW_TRACKING_USERNAME"):
                self._opened.auth = (user, said("MLFLOW_TRACKING_PASSWORD", ""))
            elif token := said("MLFLOW_TRACKING_TOKEN"):
                self._opened.headers["Authorization"] = f"Bearer {token}"
            self._opened.verify = said("MLFLOW_TRACKING_SERVER_CERT_PATH") or True
        return self._opened


def _runs_asked(experiment_ids: list[str], most: int) -> Item:
    return {"experiment_ids": experiment_ids, "max_results": most, "order_by": NEWEST_FIRST}


def _run_line(run: Item, names: dict[str, str], metrics: Sequence[str]) -> RunLine:
    info, data = run["info"], run.get("data", {})
    values = [(each["key"], float(each["value"])) for each in data.get("metrics", [])]
    return RunLine(
        run_id=info["run_id"],
        experiment=names[info["experiment_id"]],
        name=info.get("run_name", ""),
        status=info["status"],
        started_ms=int(info.get("start_time", 0)),
        metrics=finite(values, metrics),
    )


def _version_line(version: Item, aliases: dict[str, str]) -> VersionLine:
    number, run_id = str(version["version"]), version.get("run_id") or None
    marks, created = aliases_of(number, aliases), int(version["creation_timestamp"])
    return VersionLine(version["name"], number, marks, run_id, created)


def _aliases(model: Item) -> dict[str, str]:
    return {each["alias"]: str(each["version"]) for each in model.get("aliases", [])}
