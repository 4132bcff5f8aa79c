"""Pictures use a font that has Hangul, where there is one."""

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
    known.addfont(font_with("가", tmp_path / "nanum.ttf"))
    assert drawing.font_families() == ["DejaVu Sans", "NanumGothic"]
    path = average_precision_bars({"가": 0.5}, {"가": 0.6}, tmp_path / "hangul.png")
    assert size_of(path)[0] > 900


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
