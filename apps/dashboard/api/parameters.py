"""The query parameters that routes share. One that a route does not know is refused: with a slip in
`customer` the answer would be that of all customers.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Query, Request
from fastapi.routing import APIRoute

from guardianflow.contracts.errors import ConfigurationError
from guardianflow.metrics_store.filters import LONGEST_DAYS, RowFilter
from guardianflow.support.suggestions import did_you_mean

LONGEST_NAME = 300
Name = Annotated[str | None, Query(max_length=LONGEST_NAME)]
Days = Annotated[
    float | None,
    Query(
        gt=0, le=LONGEST_DAYS, allow_inf_nan=False, description="Runs that ended in the last days."
    ),
]
Limit = Annotated[int, Query(ge=1, le=1000)]
Offset = Annotated[int, Query(ge=0, le=10_000_000)]


def known_alone(request: Request) -> None:
    """Raises ConfigurationError for a parameter that the route does not have."""
    route = request.scope.get("route")
    if not isinstance(route, APIRoute):
        return
    known = _parameters(route)
    for name in request.query_params:
        if name not in known:
            listed = ", ".join(sorted(known)) or "none"
            raise ConfigurationError(
                f"the query parameters of {route.path} are {listed}, but got "
                f"'{name[:LONGEST_NAME]}'{did_you_mean(name[:LONGEST_NAME], known)}"
            )


def _parameters(route: APIRoute) -> set[str]:
    found, left = set(), [route.dependant]
    while left:
        each = left.pop()
        found |= {parameter.alias for parameter in each.query_params}
        left += each.dependencies
    return found


def asked_rows(
    customer: Name = None,
    site: Name = None,
    zone: Name = None,
    task: Name = None,
    experiment_type: Name = None,
    days: Days = None,
) -> RowFilter:
    """Which rows a question is about; an empty name asks for none, as Grafana's "All" does."""
    return RowFilter.last_days(
        days,
        customer=customer or None,
        site=site or None,
        zone=zone or None,
        task=task or None,
        experiment_type=experiment_type or None,
    )


Asked = Annotated[RowFilter, Depends(asked_rows)]
