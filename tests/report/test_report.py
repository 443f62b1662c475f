"""The report of a result: one file that asks for nothing, and what it shows."""

import base64
import hashlib
import itertools
import re
import sys
from pathlib import Path

from fathom.report import render
from tests.report.reading import SAMPLES, page_of, sample, svgs


def test_the_page_asks_the_network_for_nothing(pages):
    _, page = pages
    assert all(link.startswith(("#", "data:image/svg+xml,")) for link in page.values("href"))
    assert not page.values("src") and not page.values("action") and not page.values("srcset")
    assert "url(" not in page.raw["style"] and "@import" not in page.raw["style"]
    assert not {"iframe", "object", "embed", "form", "base", "img"} & {tag for tag, _ in page.elements}


def test_the_content_policy_allows_our_style_and_script_and_nothing_else(pages):
    _, page = pages
    policy = next(a["content"] for _, a in page.elements if a.get("http-equiv") == "Content-Security-Policy")
    hashes = {
        kind: base64.b64encode(hashlib.sha256(page.raw[kind].encode()).digest()).decode()
        for kind in ("style", "script")
    }
    assert policy == (
        f"default-src 'none'; style-src 'sha256-{hashes['style']}'; script-src 'sha256-{hashes['script']}'; "
        "img-src data:; media-src data:; base-uri 'none'; form-action 'none'"
    )
    assert page.count("style") == page.count("script") == 1
    assert not page.values("style"), "the policy would drop style attributes"
    assert not [name for _, attributes in page.elements for name in attributes if name.startswith("on")]


def test_the_page_is_small_and_reads_without_a_script(pages):
    text, page = pages
    assert len(text.encode()) < 300_000
    assert "hidden" not in {name for _, attributes in page.elements for name in attributes}
    assert len(page.raw["script"]) < 3_000


def test_only_our_own_style_script_and_plots_go_unescaped_into_the_template():
    folder = Path(sys.modules["fathom.report"].__file__).parent
    templates = {
        path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8") for path in folder.rglob("*.html")
    }
    unescaped = {name: re.findall(r"\{\{ ([^}|]+) \| safe \}\}", text) for name, text in templates.items()}
    assert {name: told for name, told in unescaped.items() if told} == {
        "gate.html": ["style"],
        "macros.html": ["drawn.wide", "drawn.narrow", "drawn.wide"],
        "page.html": ["style", "script"],
        "sections/dependence.html": ["drawn"],
        "sections/layers.html": ["row.drawn"],
        "sections/reasons.html": ["seen.svg"],
    }
    assert sum(text.count("safe") for text in templates.values()) == 10


def test_the_sections_come_in_the_order_of_the_questions():
    _, page = page_of(SAMPLES["regression"])
    ids = [attributes["id"] for tag, attributes in page.elements if tag == "section"]
    assert ids == [
        "verdict", "warnings", "models", "training", "predictions", "calibration", "importance", "worst", "columns",
        "reading", "split", "settings", "next", "glossary",
    ]  # fmt: skip


def test_every_entry_of_the_contents_leads_to_a_section_and_ids_are_unique(pages):
    _, page = pages
    ids = page.values("id")
    links = [link[1:] for link in page.values("href") if link.startswith("#")]
    assert len(ids) == len(set(ids))
    assert set(links) <= set(ids)
    assert {a["id"] for tag, a in page.elements if tag == "section"} <= set(links)


def test_the_title_says_what_was_predicted_from_what_and_when():
    _, page = page_of(SAMPLES["regression"])
    assert "Predicting price from homes.csv" in page.text
    assert "21 November 2025, 11:34 UTC" in page.text
    assert "8,086 rows · 12 input columns · judged on 1,213 test rows" in page.text.replace("\xa0", " ")


def test_the_verdict_is_a_sentence_a_plot_and_three_ratios_in_plain_words():
    text, page = page_of(SAMPLES["regression"])
    assert SAMPLES["regression"]["verdict"]["sentence"] in page.text
    labels = [svg.get("aria-label") for svg in svgs(text)]
    assert "difference in RMSE, test rows: 3,314, interval 1,515 to 5,398. Above zero network is better." in labels
    words = page.text.replace("\xa0", " ")
    assert "15 times as long" in words and "network 48 s, boosted trees 3.3 s" in words
    assert "3.3 times as long" in words and "network 21 µs, boosted trees 6.4 µs" in words
    assert "1.6 times as large" in words and "network 1.4 MB, boosted trees 885 kB" in words


def test_a_cheaper_network_is_told_as_a_share():
    result = sample("two_classes")
    result["verdict"]["ratios"] = {"fit_seconds": 0.25, "predict_seconds_per_row": 1.02, "bytes": 0.0004}
    words = page_of(result)[1].text.replace("\xa0", " ")
    assert "25 % of the time" in words and "about the same" in words and "< 0.1 % of the size" in words


def test_the_answer_is_not_said_twice():
    _, page = page_of(SAMPLES["two_classes"])
    assert page.text.count("Cannot tell yet") == 1
    assert "The network's log loss on 1,056 test rows" in page.text


def test_the_metric_that_decides_comes_first_and_best_and_shipped_are_marked():
    result = sample("two_classes")
    result["verdict"]["metric"] = "accuracy"
    text, _ = page_of(result)
    table = text[text.index('<table class="scores">') : text.index("</table>", text.index('<table class="scores">'))]
    headings = re.findall(r'<th scope="col" class="number"><bdi>(.*?)</bdi>', table)
    assert headings[:2] == ["Accuracy", "Log loss"]
    assert table.count("(best)") == len(headings), "one best model for each metric"
    shipped = re.findall(r"<bdi>([^<]*)</bdi> <span class=\"tag shipped\">in the bundle", table)
    assert shipped == [result["shipped"]]
    best = max(result["models"], key=lambda model: model["scores"]["accuracy"]["value"])
    first = re.search(r'<th scope="row"><bdi>(.*?)</bdi>', table).group(1)
    assert first == best["name"], "best model first"


def test_lower_is_better_for_errors():
    result = sample("regression")
    result["metrics"]["rmse"]["better"] = "higher"
    turned = render(result)
    text = render(SAMPLES["regression"])
    first = r'<table class="scores">.*?<th scope="row"><bdi>(.*?)</bdi>'
    assert re.search(first, text, re.S).group(1) == "network"
    assert re.search(first, turned, re.S).group(1) == "constant"


def test_scores_of_one_column_have_equally_many_decimals():
    text = render(SAMPLES["letters"])
    table = text[text.index('<table class="scores">') : text.index("</table>", text.index('<table class="scores">'))]
    values = re.findall(r'<td class="number(?: best)?">([\d.,]+)<', table)
    assert {len(value.split(".")[1]) for value in values} == {4}


def test_two_classes_show_every_cell_and_26_show_the_most_frequent_mistakes():
    few, many = render(SAMPLES["two_classes"]), render(SAMPLES["letters"])
    (row, other) = SAMPLES["two_classes"]["plots"]["churned"]["confusion"]["counts"]
    for rows in (*row, *other):
        assert f">{rows}</text>" in few
    assert "Most frequent mistakes" not in few and "Most frequent mistakes" in many
    counts = SAMPLES["letters"]["plots"]["letter"]["confusion"]["counts"]
    rows, truth, predicted = max(
        (rows, -i, -j) for i, line in enumerate(counts) for j, rows in enumerate(line) if i != j
    )
    letters = SAMPLES["letters"]["plots"]["letter"]["confusion"]["classes"]
    first = re.search(r"Most frequent mistakes.*?<tbody>\s*<tr>(.*?)</tr>", many, re.S).group(1)
    assert re.findall(r">([^<>]+)<", first)[:3] == [letters[-truth], letters[-predicted], str(rows)]


def test_hundreds_of_classes_make_a_map_of_the_sixty_most_frequent():
    result = sample("letters")
    classes = [f"class {number}" for number in range(300)]
    counts = [[(10 if i == j else int((i + j) % 97 == 0)) for j in range(300)] for i in range(300)]
    result["plots"]["letter"]["confusion"] = {"classes": classes, "counts": counts}
    text, page = page_of(result)
    assert "Map of the confusion of 60 classes" in text
    assert "The 60 classes with the most rows, of 300." in page.text
    assert len(text.encode()) < 300_000


def test_evenly_filled_calibration_bins_say_their_rows_in_words_and_others_in_bars():
    even, page = page_of(SAMPLES["regression"])
    assert "Each dot stands for about 1,213 rows." in page.text.replace("\xa0", " ")
    assert 'class="bar quiet"' not in even and 'class="bar quiet"' in render(SAMPLES["two_classes"])


def test_worst_rows_say_where_they_stand_and_what_they_hold():
    _, page = page_of(SAMPLES["regression"])
    worst = SAMPLES["regression"]["worst_rows"][0]
    assert worst["where"] in page.text
    assert f"{worst['truth']:,.0f}" in page.text and f"{worst['predicted']:,.0f}" in page.text
    assert f"year_built{worst['row']['year_built']}" in page.text, "a year has no thousands separator"


def test_what_the_doctor_found_stands_beside_the_curves_with_its_remedy_and_the_gradient_of_every_layer():
    text, page = page_of(SAMPLES["regression"])
    for finding in SAMPLES["regression"]["training"]["doctor"]:
        assert finding["sentence"] in page.text and finding["remedy"] in page.text
    labels = [svg.get("aria-label").replace("\xa0", " ") for svg in svgs(text)]
    assert (
        labels.count(
            "Gradient norm of 5 layers, first to last: epoch 1 from 0.31 to 0.71, epoch 38 from 0.082 to 0.23."
        )
        == 2
    )
    assert "from layer 1, encoders.scalar, to layer 5, heads.0" in page.text
    assert "2encoders.code.table0.044" in page.text.replace(" ", "")
    healthy = sample("regression")
    healthy["training"]["doctor"] = []
    assert "What went wrong" in page.text and "What went wrong" not in page_of(healthy)[1].text


def test_a_plain_network_of_150_layers_shows_its_gradient_vanish_on_a_logarithmic_scale():
    result = sample("regression")
    layers = [
        {"layer": f"trunk.layers.{place}", "first": 0.0 if place < 9 else 10.0 ** (place / 4 - 38), "last": 1e-3}
        for place in range(152)
    ]
    result["training"]["gradients"] = {"epochs": [1], "layers": layers}
    text, page = page_of(result)
    assert "That of 9 layers was 0, drawn at the lower edge." in page.text.replace("\xa0", " ")
    drawn = next(svg for svg in svgs(text) if "Gradient norm of 152" in svg.get("aria-label").replace("\xa0", " "))
    (path,) = [mark.get("d") for mark in drawn.iter("path") if mark.get("class") == "line quiet"]
    heights = [float(place.split()[1]) for place in path[1:].split("L")]
    assert len(heights) == 152 and heights[0] == max(heights) and heights[-1] == min(heights)
    assert heights[:9] == heights[:1] * 9
    straight = [b - a for a, b in itertools.pairwise(heights[10:])]
    assert max(straight) - min(straight) < 0.25, "equal factors are equal steps"


def test_skipped_rows_and_every_look_at_the_test_rows_are_listed():
    _, page = page_of(SAMPLES["regression"])
    for row in SAMPLES["regression"]["skipped_rows"]:
        assert row["reason"] in page.text
    _, page = page_of(SAMPLES["two_classes"])
    assert "3 looks at the test rows" in page.text.replace("\xa0", " ")
    assert "20 November 2025, 16:20 UTC: fit: the scores of 4 models" in page.text


def test_left_out_columns_stand_apart_with_their_reason():
    text = render(SAMPLES["regression"])
    used, left_out = text.split("<h3>Left out</h3>")
    assert "leakage: with living_area it gives the price exactly" in left_out
    assert "<bdi>price_per_m2</bdi>" not in used.split('<section id="columns">')[1]


def test_commands_quote_names_with_blanks():
    result = sample("regression")
    result["targets"][0]["name"] = "sale price"
    result["table"]["files"] = ["my homes.csv"]
    assert "fathom trace 'my homes.csv' --target 'sale price' --row 7" in page_of(result)[1].text


def test_the_glossary_explains_what_the_page_shows_and_no_more():
    _, page = page_of(SAMPLES["two_classes"])
    glossary = page.text.split(" Glossary ")[-1]
    assert "Confusion matrix" in glossary and "Log loss" in glossary
    assert "Residual" not in glossary and "RMSE" not in glossary


def test_sections_repeat_for_several_targets():
    result = sample("regression")
    result["targets"].append({"name": "days on market", "task": "regression", "classes": None})
    result["plots"]["days on market"] = result["plots"]["price"]
    for model in result["models"]:
        model["targets"]["days on market"] = {"mae": {"value": 3.21, "low": 3.0, "high": 3.5}}
    result["worst_rows"].append({**result["worst_rows"][0], "target": "days on market", "where": "homes.csv, line 5"})
    _, page = page_of(result)
    ids = [attributes["id"] for tag, attributes in page.elements if tag == "section"]
    for name in ("models", "predictions", "calibration", "worst"):
        assert [found for found in ids if found.startswith(name)] == [f"{name}-1", f"{name}-2"]
    assert "Predicting price and days on market from homes.csv" in page.text
    assert "Models: days on market" in page.text and "3.210" in page.text
