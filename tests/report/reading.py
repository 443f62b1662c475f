"""A report as a browser would read it, and the results that reports are made of."""

import copy
import json
import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

from fathom.report import render

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
