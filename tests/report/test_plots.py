"""The plots of a report: well formed, labelled, in colours that everybody can tell apart."""

import itertools
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fathom.report import render
from fathom.report.plots.drawing import nice_ticks
from tests.report.reading import SAMPLES, STYLE, page_of, sample, svgs


def test_every_plot_is_well_formed_says_what_it_shows_and_keeps_its_words_inside(pages):
    text, _ = pages
    drawn = svgs(text)
    assert len(drawn) >= 8
    for svg in drawn:
        assert svg.get("role") == "img" and len(svg.get("aria-label")) > 20
        width, height = map(float, svg.get("viewBox").split()[2:])
        for words in svg.iter("text"):
            if words.get("x") is None or float(words.get("x")) == 0:
                continue  # stands in a turned group
            length = 5.5 * len(words.text or "")
            start = float(words.get("x")) - {"middle": length / 2, "end": length}.get(words.get("text-anchor"), 0)
            assert start >= -6 and start + length <= width + 6, (svg.get("aria-label"), words.text)
            assert 0 <= float(words.get("y")) <= height, words.text


def test_axes_have_labels_with_units():
    text = render(SAMPLES["regression"])
    for label in ("difference in RMSE, test rows", "epoch", "loss", "learning rate", "true price", "predicted price",
                  "residual: predicted minus true", "stated coverage of the interval",
                  "added error when shuffled (in the target’s unit)"):  # fmt: skip
        assert f">{label}</text>" in text, label


numbers = st.floats(-1e12, 1e12, allow_nan=False)


@example(0.0, 1.2084210185541662e-305)
@given(numbers, numbers)
def test_ticks_are_few_round_and_inside(one, other):
    low, high = sorted((one, other))
    if high - low <= 1e-6 * max(abs(low), abs(high), 1e-300):
        return
    ticks = nice_ticks(low, high)
    slack = 1e-6 * (high - low)
    assert 2 <= len(ticks) <= 9
    assert all(low - slack <= tick <= high + slack for tick in ticks)
    steps = [after - before for before, after in itertools.pairwise(ticks)]
    assert max(steps) - min(steps) <= 1e-6 * max(steps)
    assert f"{steps[0]:.3e}"[:5] in {"1.000", "2.000", "5.000"}


def test_a_plot_of_numbers_beyond_all_measure_is_still_drawn():
    result = sample("regression")
    result["plots"]["price"]["residuals"] = {
        "truth": [1e200, -1e308, 5.0, 7.0],
        "predicted": [0.0, 1.0, float("inf"), 7.0],
    }
    result["verdict"] |= {"difference": 1e-12, "low": -1e-12, "high": 2e-12}
    svgs(page_of(result)[0])


def test_one_epoch_one_model_and_one_row_are_enough():
    result = sample("regression")
    result["training"]["epochs"] = result["training"]["epochs"][:1]
    result["models"] = result["models"][:1]
    result["plots"]["price"]["residuals"] = {"truth": [3.0], "predicted": [3.0]}
    result["importance"] = [{"column": "a", "value": 0.0, "low": 0.0, "high": 0.0, "unit": ""}]
    assert len(svgs(page_of(result)[0])) >= 5


def palette(scheme):
    blocks = re.findall(r":root \{(.*?)\}", STYLE, re.S)
    light, dark = (dict(re.findall(r"--([\w-]+): ([^;]+);", block)) for block in blocks)
    return light if scheme == "light" else light | dark


def channels(colour):
    return [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]


def linear(rgb):
    return [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in rgb]


def luminance(rgb):
    """WCAG 2.2, relative luminance."""
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear(rgb), strict=True))


def contrast(one, other):
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def over(colour, ground, strength):
    return [strength * a + (1 - strength) * b for a, b in zip(colour, ground, strict=True)]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_the_contrast_that_wcag_aa_asks_for(scheme):
    colours = palette(scheme)
    paper, panel = channels(colours["paper"]), channels(colours["panel"])
    for name in ("ink", "quiet", "network", "baseline"):
        assert contrast(channels(colours[name]), paper) >= 4.5, name
        assert contrast(channels(colours[name]), panel) >= 4.5, name
    assert contrast(channels(colours["mark"]), paper) >= 3, "lines that mean something"
    for name in ("network", "baseline"):
        strongest = over(channels(colours[name]), paper, float(colours["heat"]))
        assert contrast(channels(colours["ink"]), strongest) >= 4.5, f"numbers on the strongest {name} cell"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_network_and_baseline_differ_for_the_colour_blind(scheme):
    """Viénot, Brettel and Mollon, Color Research and Application 24, 1999: what protanopes and deuteranopes see."""
    colours = palette(scheme)
    blind = {
        "protanope": ((0.11238, 0.88762, 0.0), (0.11238, 0.88762, 0.0), (0.00401, -0.00401, 1.0)),
        "deuteranope": ((0.29275, 0.70725, 0.0), (0.29275, 0.70725, 0.0), (-0.02234, 0.02234, 1.0)),
    }
    for matrix in blind.values():
        seen = [
            [
                sum(weight * part for weight, part in zip(line, linear(channels(colours[name])), strict=True))
                for line in matrix
            ]
            for name in ("network", "baseline")
        ]
        assert abs(seen[0][2] - seen[1][2]) > 0.2, "blue against none, which both can tell"
