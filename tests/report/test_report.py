"""The report of a result: what it shows, and that nothing in a table can break it."""

import base64
import copy
import hashlib
import itertools
import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fathom.errors import BundleError
from fathom.report import render
from fathom.report.plots.drawing import nice_ticks

HERE = Path(__file__).parent
SAMPLES = json.loads((HERE / "sample_result.json").read_text(encoding="utf-8"))
STYLE = Path(sys.modules["fathom.report"].__file__).with_name("style.css").read_text(encoding="utf-8")
VOID = {"meta", "link", "br", "img", "input", "hr"}
HOSTILE = (
    "<script>alert(1)</script>",
    "{{7*7}} {% raw %}",
    "\"><img src=x onerror='alert(1)'>",
    "nul\x00 bell\x07 \ud800 half",
    "\u202egnp.exe reversed",
    "</style></svg></title><b>",
    "w" * 400,
    "寝室の数 👩‍👩‍👧‍👦 مرحبا שלום ỹ́",
    "&lt;b&gt; & ' \"",
)


class Page(HTMLParser):
    """What a browser would make of the page: elements, their attributes, and the text outside style and script."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.elements, self.raw, self.words, self.open = [], {"style": "", "script": ""}, [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open[-3:]}"
        self.open.pop()

    def handle_data(self, data):
        if self.open and self.open[-1] in self.raw:
            self.raw[self.open[-1]] += data
        else:
            self.words.append(data)

    @property
    def text(self):
        return re.sub(r"\s+", " ", "".join(self.words))

    def values(self, name):
        return [attributes[name] for _, attributes in self.elements if name in attributes]

    def count(self, tag):
        return sum(element == tag for element, _ in self.elements)


def page_of(result):
    text = render(result)
    page = Page(text)
    assert page.open == [], "every element is closed"
    return text, page


def svgs(text):
    return [ElementTree.fromstring(found) for found in re.findall(r"<svg viewBox.*?</svg>", text, re.S)]


def sample(name):
    return copy.deepcopy(SAMPLES[name])


@pytest.fixture(params=list(SAMPLES))
def pages(request):
    return page_of(SAMPLES[request.param])


# ---- one file that asks for nothing


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


# ---- what it shows


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


# ---- what does not exist, and what should not


def paths(value, here=()):
    """Every place in a result, of lists the first item."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield (*here, name)
            yield from paths(item, (*here, name))
    elif isinstance(value, list) and value:
        yield (*here, 0)
        yield from paths(value[0], (*here, 0))


def small(value, name=""):
    """The same with lists of at most two items, so that it is drawn in no time."""
    if isinstance(value, dict):
        return {key: small(item, key) for key, item in value.items()}
    return [small(item) for item in value[: 4 if name == "epochs" else 2]] if isinstance(value, list) else value


@pytest.mark.parametrize("name", ["regression", "two_classes"])
def test_whatever_does_not_exist_is_left_out(name):
    whole = small(SAMPLES[name])
    others = itertools.cycle([[], {}, float("nan")])
    for path in list(paths(whole))[1:]:  # the first is the format
        for value in (None, next(others)):
            result = copy.deepcopy(whole)
            inside = result
            for step in path[:-1]:
                inside = inside[step]
            inside[path[-1]] = value
            text = render(result)
            assert text.endswith("</html>\n"), path
            shown = text.split("</style>")[1].split("<script>")[0]
            assert not re.search(r"[ >\"](None|nan|inf)[<\" ,]", shown), path


def test_an_empty_result_is_still_a_page():
    _, page = page_of({"format": 1})
    assert "How to go on" in page.text and "Verdict" not in page.text


def test_a_result_of_another_format_is_refused_with_advice():
    with pytest.raises(BundleError) as caught:
        render({"format": 2})
    assert str(caught.value) == (
        "This result is of format 2; this Fathom writes reports of format 1. "
        "Write the report with the Fathom that made the result, or fit again."
    )


def test_without_jinja2_the_message_names_the_extra():
    program = (
        "import sys; sys.modules['jinja2'] = None\n"
        "from fathom.errors import ExtraError\n"
        "from fathom.report import render\n"
        "try: render({})\n"
        "except ExtraError as error: print(error)"
    )
    told = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=HERE.parents[1], check=True
    )
    assert told.stdout.strip() == (
        "This needs the library 'jinja2', which is not installed. Install it with: pip install \"fathom-learn[train]\""
    )


# ---- hostile tables


def hostile():
    """A result in which every text that a table can hold is hostile, with 300 columns and 15 classes."""
    result = sample("two_classes")
    bad = [HOSTILE[place % len(HOSTILE)] for place in range(300)]
    names = [f"{text} {place}" for place, text in enumerate(bad)]
    classes = names[:15]
    target = names[0]
    row = dict(zip(names[1:], reversed(bad), strict=False))
    model_names = {model["name"]: f"{model['name']} {HOSTILE[place]}" for place, model in enumerate(result["models"])}
    for model in result["models"]:
        model["name"] = model_names[model["name"]]
        model["summary"] = HOSTILE[2]
        model["targets"] = {target: model["scores"]}
        model["notes"] = dict(zip(names[:3], bad, strict=False))
    result["verdict"]["network"] = model_names["network"]
    result["verdict"]["baseline"] = model_names["boosted trees"]
    result["verdict"]["sentence"] = " ".join(HOSTILE)
    result["shipped"], result["shipped_reason"] = model_names["boosted trees"], HOSTILE[0]
    result["command"] = f"fathom fit {HOSTILE[0]} {HOSTILE[6]}"
    result["table"] |= {"files": list(HOSTILE), "decisions": list(HOSTILE)}
    result["targets"] = [{"name": target, "task": "classification", "classes": classes}]
    result["skipped_rows"] = [{"path": text, "line": 3, "reason": text} for text in HOSTILE]
    result["rows"]["skipped"] = 4000
    result["split"] = {
        "how": HOSTILE[1],
        "fingerprint": HOSTILE[6],
        "looks": [{"when": text, "what": text} for text in HOSTILE],
    }
    result["columns"] = [
        {**SAMPLES["two_classes"]["columns"][1], "name": name, "reason": text, "summary": text, "modality": text[:30]}
        | {"role": "target" if name == target else "left_out" if place % 7 == 6 else "input"}
        for place, (name, text) in enumerate(zip(names, bad, strict=True))
    ]
    result["metrics"]["log_loss"]["summary"] = HOSTILE[0]
    result["warnings"] = list(HOSTILE)
    counts = [[(40 if i == j else (i * j) % 3) for j in range(15)] for i in range(15)]
    calibration = result["plots"]["churned"]["calibration"]
    result["plots"] = {target: {"confusion": {"classes": classes, "counts": counts}, "calibration": calibration}}
    result["importance"] = [
        {"column": name, "value": 1 / (place + 1), "low": 0, "high": 1.5, "unit": HOSTILE[2]}
        for place, name in enumerate(names[1:])
    ]
    result["worst_rows"] = [
        {"where": text, "target": target, "truth": text, "predicted": text, "loss": 1e9, "row": row} for text in HOSTILE
    ]
    result["training"]["doctor"] = [{"name": text, "sentence": text, "remedy": text, "numbers": {}} for text in HOSTILE]
    layers = [{"layer": name, "first": 10.0**-place, "last": 0.0} for place, name in enumerate(names)]
    result["training"]["gradients"] = {"epochs": [1, 4], "layers": layers}
    result["settings"] = dict(zip(names, bad, strict=True))
    result["machine"] = {"processor": HOSTILE[6]}
    return result


def test_hostile_names_and_values_are_shown_and_never_obeyed():
    text, page = page_of(hostile())
    assert page.count("script") == page.count("style") == 1
    assert not page.count("img") and not page.count("b")
    assert not [name for _, attributes in page.elements for name in attributes if name.startswith("on")]
    assert "<script>alert(1)</script>" in page.text, "shown as text"
    assert page.text.count("{{7*7}} {% raw %}") > 30, "shown, not worked out"
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", text)
    assert "nul␀ bell␇ ⟨U+D800⟩ half" in page.text and "⟨U+202E⟩gnp.exe reversed" in page.text
    assert "寝室の数 👩‍👩‍👧‍👦 مرحبا" in page.text, "any script is shown as it is"
    text.encode("utf-8")
    assert len(text.encode()) < 900_000
    svgs(text)


def test_a_page_of_300_columns_stays_within_a_few_hundred_kilobytes():
    result = sample("regression")
    names = [f"sensor_{number:03}" for number in range(300)]
    result["columns"] = [{**result["columns"][1], "name": name} for name in names]
    result["importance"] = [{"column": name, "value": 1.0, "low": 0.5, "high": 1.5, "unit": "nats"} for name in names]
    result["worst_rows"] = [
        {**row, "row": dict.fromkeys(names, "x" * 400)} for row in result["worst_rows"] + result["worst_rows"]
    ]
    text, page = page_of(result)
    assert len(text.encode()) < 500_000
    assert "280 more columns" in page.text and "270 further columns are not shown here." in page.text
    assert "(400 characters)" in page.text


# ---- plots


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


# ---- colours


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


# ---- in a browser


@pytest.mark.slow
@pytest.mark.parametrize("name", [*SAMPLES, "hostile"])
def test_no_page_scrolls_sideways_or_complains_in_a_browser(name, tmp_path):
    pytest.importorskip("playwright")
    sys.path.insert(0, str(HERE.parents[1] / "docs"))
    try:
        import screenshots
    finally:
        sys.path.pop(0)
    if not any(map(screenshots.shutil.which, screenshots.BROWSERS)):
        pytest.skip("no Chromium on the PATH")
    page = tmp_path / "report.html"
    page.write_text(render(hostile() if name == "hostile" else SAMPLES[name]), encoding="utf-8")
    assert screenshots.photograph(page, None) == []
