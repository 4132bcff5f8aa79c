"""HOTA, MOTA and IDF1 of each sequence, as a picture."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ...contracts.sequences import MotResult
from .drawing import BLUE, GREEN, GREY, ORANGE, figure_at, light_grid, literal

SHOWN = {"HOTA": BLUE, "MOTA": ORANGE, "IDF1": GREEN}
MOST_ROWS = 40
LOWEST = -1.0  # MOTA has no lower bound
BAR = 0.25


def tracking_bars(result: MotResult, path: Path, *, title: str = "Tracking by sequence") -> Path:
    """Bars per sequence, all together on top; identity switches behind the names.

    Of many sequences those with the lowest HOTA are shown.

    Args:
        path: .png to write.
    """
    worst = sorted(result.sequences, key=lambda name: result.sequences[name].get("HOTA", 1.0))
    shown = sorted(worst[:MOST_ROWS])
    if len(shown) < len(worst):
        title += f", the {len(shown)} of {len(worst)} with the lowest HOTA"
    rows = {name: result.sequences[name] for name in reversed(shown)}
    if len(worst) > 1:
        rows["all together"] = result.combined
    places = range(len(rows))
    lowest = min(0.0, *(scores.get("MOTA", 0.0) for scores in rows.values()))
    left = 0.0 if lowest == 0 else max(LOWEST, lowest - 0.15)
    with figure_at(path, 8, 1.4 + 0.75 * len(rows)) as figure:
        axes = figure.add_subplot()
        for offset, (field, colour) in zip((BAR, 0, -BAR), SHOWN.items(), strict=True):
            for place, scores in zip(places, rows.values(), strict=True):
                value = scores.get(field)
                if value is None:
                    continue
                axes.barh(
                    place + offset, max(value, left), height=BAR * 0.9, color=colour,
                    label=field if place == places[-1] else None,
                )  # fmt: skip
                axes.text(
                    max(value, 0) + 0.01, place + offset, f"{value:.3f}",
                    va="center", fontsize=7.5, color=GREY,
                )  # fmt: skip
        for place, scores in zip(places, rows.values(), strict=True):
            if "HOTA" not in scores:
                text = f"no object that counts, {scores['CLR_FP']} false boxes"
                axes.text(0.01, place, text, va="center", fontsize=7.5, color=GREY)
        labels = [f"{literal(name)}\n{_switches(scores)}" for name, scores in rows.items()]
        axes.set_yticks(places, labels, fontsize=8.5)
        axes.set(title=title, xlim=(left, 1.12), ylim=(-0.6, len(rows) - 0.4))
        if left < 0:
            axes.axvline(0, color=GREY, linewidth=0.8)
        light_grid(axes, "x")
        axes.tick_params(axis="y", length=0)
        figure.legend(loc="outside lower right", ncols=3, frameon=False)
    return path


def _switches(scores: Mapping[str, float]) -> str:
    count = int(scores["IDSW"])
    return f"{count} identity switch{'' if count == 1 else 'es'}"
