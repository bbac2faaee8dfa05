"""The page's tokens (api/page/style/base.css): what is read has contrast in light and dark, and no other file has a
colour of its own. WCAG 2.2: 1.4.3 and 1.4.6 for text, 1.4.11 for what can be operated."""

import re

import program
import pytest

PAGE = program.ROOT / "api" / "page"
STYLES = sorted((PAGE / "style").glob("*.css"))
BASE = (PAGE / "style" / "base.css").read_text()
COLOUR = r"#[0-9a-fA-F]{3,8}\b|\b(?:rgb|rgba|hsl|hwb|lab|lch|oklab|oklch)\("
GROUNDS = ("ground", "card", "tint")
LEAST = {  # on each ground
    "ink": 7,  # numbers are read from afar
    "soft": 4.5,
    "accent": 4.5,
    "down": 4.5,
    "warn": 4.5,
    "focus": 3,
}


def colours():
    light, dark = (dict(re.findall(r"--([\w-]+): (#\w{6});", part)) for part in BASE.split("@media", 1))
    return {"light": light, "dark": {**light, **dark}}


def luminance(colour):
    """WCAG 2.2, relative luminance."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear))


def contrast(one, other):
    dark, light = sorted(map(luminance, (one, other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_what_is_read_has_contrast(theme):
    colour = colours()[theme]
    pairs = [(name, ground, least) for name, least in LEAST.items() for ground in GROUNDS]
    pairs += [("on-accent", "accent", 7), ("accent", "card", 7), ("accent", "ground", 7)]
    pairs += [("warn", "warn-ground", 4.5), ("ink", "warn-ground", 7), ("accent", "track", 3)]
    pairs += [("edge", "card", 3), ("edge", "ground", 3)]
    low = [(a, b) for a, b, least in pairs if contrast(colour[a], colour[b]) < least]
    assert not low


@pytest.mark.parametrize("file", [file for file in STYLES if file.name != "base.css"], ids=lambda file: file.name)
def test_colours_stand_in_the_tokens_only(file):
    assert not re.findall(COLOUR, file.read_text())


def test_every_token_that_is_used_without_another_value_is_defined():
    scripts = "".join(file.read_text() for file in (PAGE / "script").glob("*.js"))
    styles = "".join(file.read_text() for file in STYLES)
    defined = {*re.findall(r"(--[\w-]+):", styles), *re.findall(r"[\"'](--[\w-]+)[\"']", scripts)}
    assert set(re.findall(r"var\((--[\w-]+)\)", styles)) <= defined
