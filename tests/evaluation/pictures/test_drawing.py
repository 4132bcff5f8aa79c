"""A picture is drawn once, with a font that has Hangul, where there is one."""

from __future__ import annotations

from pathlib import Path

from drawn import size_of

from guardianflow.evaluation.pictures import drawing
from guardianflow.evaluation.pictures.accuracy import average_precision_bars


def test_a_font_with_hangul_is_used_when_there_is_one(tmp_path, monkeypatch):
    """A font of that name, made here with one syllable in it, is drawn from."""
    from matplotlib import font_manager

    known = font_manager.fontManager
    without = [font for font in known.ttflist if font.name not in drawing.HANGUL_FONTS]
    monkeypatch.setattr(known, "ttflist", without)
    assert drawing.font_families() == ["DejaVu Sans"]
    assert drawing.font_for("가", 11).getname()[0] == "DejaVu Sans"
    known.addfont(font_with("가", tmp_path / "nanum.ttf"))
    assert drawing.font_families() == ["DejaVu Sans", "NanumGothic"]
    assert drawing.font_for("가", 11).getname()[0] == "NanumGothic"
    assert drawing.font_for("helmet 0.91", 11).getname()[0] == "DejaVu Sans"
    path = average_precision_bars({"가": 0.5}, {"가": 0.6}, tmp_path / "hangul.png")
    assert size_of(path)[0] > 900


def test_a_picture_is_drawn_once_and_laid_out_as_matplotlib_does_it(tmp_path):
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    class Counted(Line2D):
        drawn = 0

        def draw(self, renderer):
            self.drawn += 1
            super().draw(renderer)

    def fill(figure):
        axes = figure.subplots(1, 2)
        line = axes[0].add_line(Counted([0, 1], [0, 1]))
        axes[0].set(title="a title\nof two lines", ylabel="up")
        axes[1].imshow([[0, 1], [1, 0]])
        figure.suptitle("above both")
        figure.legend(handles=[line], labels=["a line"], loc="outside lower center")
        return line

    with drawing.figure_at(tmp_path / "ours.png", 6, 4) as figure:
        ours = fill(figure)
    assert ours.drawn == 1
    plain = Figure(figsize=(6, 4), layout="constrained")
    fill(plain)
    plain.savefig(tmp_path / "plain.png", dpi=drawing.DOTS_PER_INCH)
    assert (tmp_path / "ours.png").read_bytes() == (tmp_path / "plain.png").read_bytes()


def font_with(letter: str, path: Path) -> Path:
    from fontTools.fontBuilder import FontBuilder
    from fontTools.pens.ttGlyphPen import TTGlyphPen

    pen = TTGlyphPen(None)
    pen.moveTo((100, 0))
    for point in ((100, 800), (900, 800), (900, 0)):
        pen.lineTo(point)
    pen.closePath()
    square = pen.glyph()
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder([".notdef", "syllable"])
    builder.setupCharacterMap({ord(letter): "syllable"})
    builder.setupGlyf({".notdef": square, "syllable": square})
    builder.setupHorizontalMetrics({".notdef": (1000, 100), "syllable": (1000, 100)})
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": "NanumGothic", "styleName": "Regular"})
    builder.setupOS2()
    builder.setupPost()
    builder.save(path)
    return path
