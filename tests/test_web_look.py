"""How pages look, as far as a test can tell: contrast in both themes, and the weight of a first visit."""

import re

import pytest
from flask import Flask

from jobs.settings import CHECKOUT
from tests.web_fixtures import Browser, first_visit, logged_in, register

TEXT = [  # (ink, paper): AA asks for 4.5
    *((ink, paper) for ink in ("ink", "ink-2", "accent", "late") for paper in ("paper", "sheet")),
    *((tone, soft) for tone in ("new", "work", "done", "closed", "late") for soft in (f"{tone}-soft", "sheet")),
    *(("ink", soft) for soft in ("new-soft", "done-soft", "late-soft", "sunk", "accent-soft")),
    *((ink, soft) for ink in ("ink-2", "ink") for soft in ("late-soft", "work-soft")),
    ("on-accent", "accent"),
    ("on-accent", "accent-strong"),
    ("on-bar", "bar"),
    ("on-bar-2", "bar"),
]
EDGES = [("field-rule", "sheet"), ("field-rule", "paper"), ("focus-ink", "focus")]  # AA asks for 3
HEAVIEST = 150_000  # bytes of a first visit


def tokens(theme: str) -> dict[str, str]:
    sheet = (CHECKOUT / "webui" / "static" / "css" / "app.css").read_text()
    block = re.search(rf'\[data-bs-theme="{theme}"\] \{{(.*?)\}}', sheet, re.DOTALL)[1]
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", block))


def luminance(colour: str) -> float:
    """Relative luminance by WCAG 2.2."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_colours_have_the_contrast_that_aa_asks_for(theme: str) -> None:
    colours = tokens(theme)
    for pairs, least in ((TEXT, 4.5), (EDGES, 3.0)):
        for ink, paper in pairs:
            assert contrast(colours[ink], colours[paper]) >= least, (theme, ink, paper)


def test_a_first_visit_is_light(web: Flask) -> None:
    """Every page with its style sheets, scripts and icon, as they travel, without a browser's cache."""
    for n in range(50):
        register(web, f"Не горить ліхтар біля під’їзду, вже {n} днів темно")
    person = logged_in(web, "tsapkova")
    for address in (
        "/",
        "/journal",
        "/reports/1",
        "/summary",
        "/quarterly",
        "/status",
        "/me",
        "/login",
        "/povidomyty",
        "/stan",
    ):
        browser = Browser(web) if address in ("/login", "/povidomyty", "/stan") else person
        found = first_visit(browser, address)
        assert sum(found.values()) <= HEAVIEST, found


def test_the_framework_comes_with_its_licence() -> None:
    folder = CHECKOUT / "webui" / "static" / "vendor" / "bootstrap"
    assert "MIT" in (folder / "LICENSE").read_text()
    assert b"Bootstrap  v5.3" in (folder / "bootstrap.min.css").read_bytes()[:100]
