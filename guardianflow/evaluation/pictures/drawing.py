"""Tools of all pictures: fonts, colours, a figure that ends as a PNG file.

Matplotlib is imported when the first picture is drawn. Figures are drawn by the Agg canvas
directly, so no display, no global state and no setting of the caller is touched.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sized
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from zlib import Z_RLE

from ...contracts.errors import EvaluationError
from ...support.large_libraries import importing
from ...support.text import shortening
from ...support.text.shortening import on_one_line

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import FreeTypeFont

# First those that Korean machines usually have, then fonts that hold Hangul among much else.
HANGUL_FONTS = (
    "Noto Sans CJK KR",
    "Noto Sans KR",
    "NanumGothic",
    "NanumBarunGothic",
    "Malgun Gothic",
    "Apple SD Gothic Neo",
    "AppleGothic",
    "Noto Sans CJK JP",
    "Noto Sans CJK SC",
    "UnDotum",
    "Baekmuk Dotum",
)
# Okabe and Ito's palette: colour-blind readers can tell these apart.
BLUE, ORANGE, GREEN, RED, PINK, SKY = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#D55E00",
    "#CC79A7",
    "#56B4E9",
)
GREY = "#666666"
COLOURS = (BLUE, ORANGE, GREEN, RED, PINK, SKY, "#8C6D31", "#7A68A6")
LONGEST_NAME = 36
EDGE = 0.03
"""Of an axis, below 0 where it ends there: marks at 0 are whole."""
DOTS_PER_INCH = 130


@contextmanager
def figure_at(path: Path, width: float, height: float) -> Iterator[Figure]:
    """A figure to draw on, written to `path` at the end; not written when drawing fails.

    Args:
        path: a .png file; its directory is made.
        width, height: inches.
    """
    with importing():
        from matplotlib import rc_context
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
        from matplotlib.layout_engine import ConstrainedLayoutEngine

    path.parent.mkdir(parents=True, exist_ok=True)
    settings = rc_context(
        {
            "font.family": font_families(),
            "figure.autolayout": False,  # the layout is named below
            "figure.constrained_layout.use": False,
        }
    )
    with settings, warnings.catch_warnings():
        # No installed font has Hangul: empty boxes are then all that can be drawn, and a warning
        # for each letter helps nobody.
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        layout = ConstrainedLayoutEngine()
        figure = Figure(figsize=(width, height), dpi=DOTS_PER_INCH, layout=layout)
        FigureCanvasAgg(figure)
        yield figure
        # savefig would draw everything a first time to have only this done.
        layout.execute(figure)
        figure.set_layout_engine(None)
        figure.savefig(path, dpi=DOTS_PER_INCH, format="png")


def font_families() -> list[str]:
    """Matplotlib's own font, then the first installed one that has Hangul, if any."""
    from matplotlib import font_manager

    installed = {font.name for font in font_manager.fontManager.ttflist}
    return ["DejaVu Sans", *[name for name in HANGUL_FONTS if name in installed][:1]]


def font_for(said: str, size: int) -> FreeTypeFont:
    """For Pillow, of the same fonts: the second one where the first lacks a letter of the text.

    Args:
        size: pixels.
    """
    from matplotlib import font_manager

    first, *second = [font_manager.findfont(name) for name in font_families()]
    known = font_manager.get_font(first)
    whole = all(known.get_char_index(ord(letter)) for letter in said)
    return _opened(first if whole or not second else second[0], size)


@lru_cache
def _opened(path: str, size: int) -> FreeTypeFont:
    from PIL import ImageFont

    return ImageFont.truetype(path, size)


def write(
    draw: ImageDraw, place: tuple[float, float], said: str, size: int, colour: str, at: str = "la"
) -> None:
    """Write with what stands below `place`: from there on, or centred ('ma')."""
    draw.text(place, said, colour, font_for(said, size), at)


def ending(said: str, size: int, width: float) -> str:
    """On one line; of what is wider than `width` the end, where names differ."""
    text = on_one_line(said, "?")
    while len(text) > 2 and font_for(text, size).getlength(text) > width:
        text = f"…{text[2:]}"
    return text


def save_sheet(sheet: Image, path: Path) -> None:
    """Write photographs as a .jpg or .png; the directory is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".jpg":
        sheet.save(path, format="JPEG", quality=85)  # a fifth of a PNG
    else:
        # A little larger than by the default, in a third of the time.
        sheet.save(path, format="PNG", compress_type=Z_RLE)


def literal(said: str) -> str:
    """Text that matplotlib draws as it is: a '$' would begin a formula."""
    return said.replace("$", r"\$")


def shortened(name: str, longest: int = LONGEST_NAME) -> str:
    """A name, drawn as it is, that leaves room for the picture."""
    return literal(shortening.shortened(name, longest))


def light_grid(axes: Axes, axis: Literal["both", "x", "y"] = "both") -> None:
    """Thin lines behind the data, no frame above and to the right."""
    axes.set_axisbelow(True)
    axes.grid(axis=axis, color="#E0E0E0", linewidth=0.7)
    axes.spines[["top", "right"]].set_visible(False)


def keep_from_below_zero(axes: Axes, axis: Literal["x", "y"], values: Iterable[float]) -> None:
    """End an axis a little below 0 where no value is less: neither accuracy nor time can be.

    matplotlib makes room on both sides, most of all where every value is 0.
    """
    low, high = axes.get_xlim() if axis == "x" else axes.get_ylim()
    edge = -EDGE * high
    if low < edge and min(values) >= 0:
        (axes.set_xlim if axis == "x" else axes.set_ylim)(edge, high)


def figures_beside(axes: Axes, height: float, said: str) -> None:
    """Figures of a row, to the right of it."""
    axes.annotate(
        said,
        (1.01, height),
        xycoords=axes.get_yaxis_transform(),
        va="center",
        fontsize=8,
        color=GREY,
        annotation_clip=False,
    )


def legend_beside(axes: Axes, **style: Any) -> None:
    """A legend of what is drawn, to the right of it."""
    axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1), frameon=False, **style)


def legend_below(figure: Figure, lines: Mapping[str, Mapping[str, Any]]) -> None:
    """A legend of lines, by what each says: their colours and marks."""
    from matplotlib.lines import Line2D

    handles = [Line2D([], [], lw=2, label=said, **style) for said, style in lines.items()]
    figure.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False)


def require_some(values: Sized, what: str) -> None:
    """Raises EvaluationError when there is nothing to draw."""
    if not len(values):
        raise EvaluationError(f"{what} needs at least one value to draw")
