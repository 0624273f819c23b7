"""Captions are readable: the contrast that WCAG 2.2 asks of small text. Uploaders speak the reader's language."""

from __future__ import annotations

import tomllib

import pytest

from app.ui.streamlit_options import OPTIONS_FILE
from app.ui.style import CAPTION_OPACITY, STYLE, upload_words

Color = tuple[float, ...]


def rgb(color: str) -> Color:
    return tuple(int(color[start : start + 2], 16) for start in (1, 3, 5))


def luminance(color: Color) -> float:
    parts = [value / 255 for value in color]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(text: Color, background: Color) -> float:
    dark, light = sorted((luminance(text), luminance(background)))
    return (light + 0.05) / (dark + 0.05)


def test_black_on_white_has_the_known_contrast() -> None:
    assert contrast(rgb("#000000"), rgb("#ffffff")) == pytest.approx(21)
    assert contrast(rgb("#777777"), rgb("#ffffff")) == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("background", ["backgroundColor", "secondaryBackgroundColor"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_captions_can_be_read_in_both_themes(scheme: str, background: str) -> None:
    theme = tomllib.loads(OPTIONS_FILE.read_text())["theme"][scheme]
    behind = rgb(theme[background])
    for name in ("textColor", "linkColor"):
        pairs = zip(rgb(theme[name]), behind, strict=True)
        seen = tuple(CAPTION_OPACITY * front + (1 - CAPTION_OPACITY) * back for front, back in pairs)
        assert contrast(seen, behind) >= 4.5, (name, seen)
    assert f"opacity: {CAPTION_OPACITY}" in STYLE


def test_the_button_of_an_uploader_speaks_the_readers_language(monkeypatch: pytest.MonkeyPatch) -> None:
    assert upload_words() == ""
    monkeypatch.setattr("app.translation._language_of_reader", lambda: "de")
    assert "content: 'Durchsuchen'" in upload_words()
