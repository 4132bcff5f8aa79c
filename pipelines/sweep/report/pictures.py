"""The pictures of a sweep: one page of Plotly without outside requests, and PNG files.

sweep.html                                    all that can be drawn; plotly.js lies inside, once
history.png, parallel_coordinates.png, importance.png, pareto.png
"""

from __future__ import annotations

import html
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from guardianflow.evaluation.pictures.drawing import GREY, RED
from guardianflow.evaluation.pictures.sweeps import (
    SweptPoint,
    parallel_coordinates,
    parameter_importance,
    pareto_front,
    sweep_history,
)

from .table import SweepTable

if TYPE_CHECKING:
    from optuna import Study

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>{title}</title></head>
<body style="font-family: sans-serif; margin: 2em"><main><h1>{title}</h1><p>{summary}</p>
{figures}
</main></body></html>
"""
FIGURE = '<figure style="margin: 1em 0" aria-label="{name}">{figure}</figure>'


def write_pictures(table: SweepTable, study: Study, folder: Path) -> list[str]:
    """Draw all that can be drawn of trials that ended well.

    Returns:
        What could not be drawn, and why; for people.
    """
    if table.best is None:
        return ["no picture was drawn: no trial has ended well"]
    importance, problem = _importance(study, table)
    _write_files(table, importance, folder)
    _write_page(table, study, bool(importance), folder / "sweep.html")
    return [problem] if problem else []


def _importance(study: Study, table: SweepTable) -> tuple[Mapping[str, float], str]:
    """Parameter → share of the spread of the first objective; {} and why where it can't be told."""
    import optuna

    varied = [
        name
        for name in table.ranked[0].params
        if len({str(each.params[name]) for each in table.ranked}) > 1
    ]
    if len(table.ranked) < 2 or not varied:
        return {}, "the importance of parameters takes two trials that differ and ended well"
    try:
        with _without_advice():
            found = optuna.importance.get_param_importances(
                study, target=lambda trial: float(trial.values[0])
            )
    except (RuntimeError, ValueError) as exc:
        return {}, f"the importance of parameters could not be told: {exc}"
    return (found, "") if any(found.values()) else ({}, "no parameter made a difference")


def _write_files(table: SweepTable, importance: Mapping[str, float], folder: Path) -> None:
    front = {each.index for each in (table.front or [table.ranked[0]])}
    points = [
        SweptPoint(each.index, each.params, each.values, each.index in front)
        for each in table.ranked
    ]
    first = table.objectives[0]
    shown: dict[str, Any] = {
        "objective": first.name,
        "maximize": first.direction == "maximize",
        "title": table.title,
    }
    sweep_history(points, folder / "history.png", **shown)
    parallel_coordinates(points, folder / "parallel_coordinates.png", **shown)
    if importance:
        parameter_importance(importance, folder / "importance.png", title=table.title)
    if len(table.objectives) > 1:
        names = [each.name for each in table.objectives]
        pareto_front(points, folder / "pareto.png", objectives=names, title=table.title)


def _write_page(table: SweepTable, study: Study, with_importance: bool, path: Path) -> None:
    with _without_advice():
        figures = _figures(table, study, with_importance)
    drawn = {"displaylogo": False, "responsive": True}
    texts = [
        FIGURE.format(
            name=html.escape(figure.layout.title.text),
            figure=figure.to_html(full_html=False, include_plotlyjs=place == 0, config=drawn),
        )
        for place, figure in enumerate(figures)
    ]
    assert table.best is not None
    params = ", ".join(f"{name} {value}" for name, value in table.best.params.items())
    best = f"Best: {table.objectives[0].name} {table.best.values[0]:.4g} with {params}."
    title, summary = html.escape(table.title), html.escape(f"{table.summary()}. {best}")
    path.write_text(
        PAGE.format(title=title, summary=summary, figures="\n".join(texts)), encoding="utf-8"
    )


def _figures(table: SweepTable, study: Study, with_importance: bool) -> list[Any]:
    """Optuna's figures, with our words."""
    from optuna import visualization as draw

    first, several = table.objectives[0], len(table.objectives) > 1
    name = first.name
    alone = _of_first(study) if several else study
    history = draw.plot_optimization_history(alone, target_name=name)
    history.update_layout(title=f"{name} of each trial that ended well")
    history.update_xaxes(title="trial", tickformat="d")
    parallel = draw.plot_parallel_coordinate(alone, target_name=name)
    parallel.update_layout(title="Parameters of each trial: the darker, the better")
    figures = [history, parallel]
    if with_importance:
        importance = draw.plot_param_importances(alone, target_name=name)
        importance.update_layout(
            title=f"Share of the spread of {name} that each parameter accounts for"
        )
        importance.update_xaxes(title="share").update_yaxes(title="")
        figures.append(importance)
    if not several:
        epochs = draw.plot_intermediate_values(study)
        epochs.update_layout(title=f"{name} after each epoch, of all trials", showlegend=True)
        epochs.update_xaxes(title="epoch").update_yaxes(title=name)
        figures.append(epochs)
    elif len(table.objectives) == 2:
        figures.append(_pareto(table, study))
    elif len(table.objectives) == 3:
        names = [each.name for each in table.objectives]
        front = draw.plot_pareto_front(study, target_names=names)
        front.update_layout(title="Trials that no other beats in all, and the others")
        figures.append(front)
    return figures


def _of_first(study: Study) -> Study:
    """The same trials with their first objective alone.

    Optuna takes less for better where it is told which of several to draw: the best trials would be
    the palest.
    """
    import optuna

    found = optuna.create_study(direction=study.directions[0])
    for each in study.get_trials(deepcopy=False):
        found.add_trial(
            optuna.trial.create_trial(
                state=each.state,
                value=each.values[0] if each.values else None,
                params=each.params,
                distributions=each.distributions,
            )
        )
    return found


def _pareto(table: SweepTable, study: Study) -> Any:
    """Axes as in pareto.png: the first objective upwards."""
    from optuna import visualization as draw

    first, second = (each.name for each in table.objectives)
    figure = draw.plot_pareto_front(
        study, target_names=[second, first], targets=lambda trial: trial.values[::-1]
    )
    figure.update_layout(title="Trials that no other beats in both, and the others")
    for trace in figure.data:
        is_best = "Best" in trace.hovertemplate
        colour, text = (RED, "Pareto front") if is_best else (GREY, "beaten by another")
        marker = {"color": colour, "showscale": False, "size": 9}
        trace.update(name=text, showlegend=True, marker=marker)
    return figure


def _without_advice() -> warnings.catch_warnings[None]:
    """Optuna's warnings are for who writes code: of experimental functions, of too few trials."""
    return warnings.catch_warnings(action="ignore")
