"""The model card: whole, the same for equal fits, and nothing in a table can break it."""

import json
from pathlib import Path

import pytest

from fathom.report.card import SECTIONS, card, lacks

SAMPLES = json.loads((Path(__file__).parent / "sample_result.json").read_text(encoding="utf-8"))
RESULTS = SAMPLES if isinstance(SAMPLES, list) else list(SAMPLES.values()) if "format" not in SAMPLES else [SAMPLES]


@pytest.mark.parametrize("result", RESULTS)
@pytest.mark.parametrize("lasting", [False, True])
def test_a_card_is_whole(result, lasting):
    assert lacks(card(result, lasting)) == []


def test_a_card_of_a_fit_says_what_was_found(late_run):
    result = json.loads((late_run / "result.json").read_bytes())
    text = (late_run / "card.md").read_text()
    assert lacks(text) == []
    for wanted in (
        result["split"]["fingerprint"],
        result["shipped"],
        "rows as they are",
        "core-hours",
        "log loss",
    ):
        assert wanted in text
    assert lacks((late_run / "bundle" / "card.md").read_text()) == []
    assert "to train" not in (late_run / "bundle" / "card.md").read_text()
    found = json.loads((late_run / "findings.json").read_bytes())["findings"]
    assert [one["name"] for one in found] == [one["name"] for one in result["findings"]]


def test_a_card_that_lasts_names_no_clock_and_no_place(late_run):
    result = json.loads((late_run / "result.json").read_bytes())
    text = card(result, lasting=True)
    other = {
        **result,
        "created": "2001-01-01",
        "seconds": {},
        "table": {**result["table"], "files": ["/else/flights.csv"]},
    }
    other["models"] = [{**one, "fit_seconds": 1e9, "predict_seconds_per_row": 1.0} for one in result["models"]]
    other["findings"] = [
        one if one["name"] not in ("cost", "scaling") else {**one, "sentence": "else"} for one in result["findings"]
    ]
    here = {**result, "table": {**result["table"], "files": ["/here/flights.csv"]}}
    assert card(here, lasting=True) == card(other, lasting=True)
    assert lacks(text) == []


def test_what_is_missing_empty_or_out_of_order_is_named():
    whole = card({"targets": [{"name": "price"}]})
    assert "'Privacy' is missing" in " ".join(lacks(whole.replace("## Privacy", "## Secrets")))
    assert "'Cost' is empty" in " ".join(lacks(whole[: whole.index("## Cost") + 8]))
    first, rest = whole.split("## Data", 1)
    swapped = first.replace("## Model", "## Data\n\nx\n\n## Model", 1) + "## Other" + rest
    assert "order" in " ".join(lacks(swapped))
    assert lacks("nothing")


def test_nothing_in_a_table_becomes_markup():
    text = card({"targets": [{"name": "<script>|`x`\n# y"}], "columns": [{"name": "[a](b)", "role": "input"}]})
    assert "<script>" not in text and "[a](b)" not in text
    assert [line for line in text.splitlines() if line.startswith("# ")] == [text.splitlines()[0]]
    assert len([line for line in text.splitlines() if line.startswith("## ")]) == len(SECTIONS)


def test_the_command_writes_it_again(command, late_run):
    done = command("report", late_run, "--card", "-o", "own.md")
    assert done.code == 0 and lacks(Path("own.md").read_text()) == []
