"""The report of a result that lacks something, and of tables that would break it."""

import copy
import itertools
import re
import subprocess
import sys

import pytest

from fathom.errors import BundleError
from fathom.report import render
from tests.report.reading import HERE, SAMPLES, hostile, page_of, sample, svgs


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
