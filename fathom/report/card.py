"""A model card: what a model is for, how it was judged, for whom it fails and what it costs, as one page of Markdown.

The sections are those of Mitchell et al., "Model Cards for Model Reporting", FAT* 2019, section 4 (https://arxiv.org/abs/1810.03993), in plain words. Everything in it stands in the result; `lacks`
says what a card is wanting, so that one that was edited by hand can be checked, too.
"""

import re
from pathlib import PurePath
from typing import Any

from fathom.quantities import finite, number
from fathom.report.picking import mapping, named, records, texts, words
from fathom.report.wording import clean, clip

View = dict[str, Any]

NAME = "card.md"
SECTIONS = ("Model", "Use and limits", "Data", "Scores", "Groups", "Leakage", "Doubt", "Robustness", "Privacy", "Cost")
# The findings of a section, by the names of their checks.
ASKED = {
    "Groups": ("fairness", "slices"),
    "Leakage": ("leakage",),
    "Doubt": ("calibration", "abstaining", "unlike"),
    "Robustness": ("robustness", "adversarial"),
    "Privacy": ("memorising",),
    "Cost": ("cost", "scaling"),
}
CLOCKED = ("cost", "scaling")  # findings that hang on a clock: no two fits have the same
ASIDE = ("suspects",)  # findings that show rows
NOT_ASKED = "Not asked, or not applicable to this table."
MOST_CHARACTERS = 600


def card(result: View, lasting: bool = False) -> str:
    """Return the card of a result (``docs/result.md``).

    ``lasting`` leaves out all that hangs on a clock or on where files lie, so that equal fits have equal cards: that is the one in a bundle.

    >>> text = card({"targets": [{"name": "price", "task": "regression"}], "rows": {"train": 70, "test": 15}})
    >>> text.splitlines()[0], lacks(text)
    ('# Model card: price', [])
    """
    result = clean(result)
    targets = [_plain(item["name"]) for item in named(result, "targets")]
    parts = {
        "Model": _model(result, targets, lasting),
        "Use and limits": _limits(result, targets, lasting),
        "Data": _data(result, lasting),
        "Scores": _scores(result, lasting),
    }
    for section, names in ASKED.items():
        told = () if lasting else CLOCKED
        parts[section] = _told(result, [name for name in names if name not in CLOCKED or name in told], lasting)
    if not lasting:
        parts["Cost"] = [*_prices(result), *parts["Cost"]]
    lines = [f"# Model card: {', '.join(targets) or 'a model'}", ""]
    for section in SECTIONS:
        lines += [f"## {section}", "", *(parts[section] or [NOT_ASKED]), ""]
    return "\n".join(lines).rstrip("\n") + "\n"


def lacks(text: str) -> list[str]:
    """Return what is wrong with a card: sections that are missing, empty or out of order; an empty list is a whole one.

    >>> lacks("# Model card: price\\n\\n## Model\\n")[:2]
    ["The section 'Model' is empty.", "The section 'Use and limits' is missing."]
    """
    if not text.startswith("# Model card: "):
        return ["The first line is not '# Model card: ' and what is predicted."]
    found = {
        piece.partition("\n")[0].strip(): piece.partition("\n")[2].strip()
        for piece in re.split(r"^## ", text, flags=re.M)[1:]
    }
    wrong = []
    for section in SECTIONS:
        if section not in found:
            wrong.append(f"The section {section!r} is missing.")
        elif not found[section]:
            wrong.append(f"The section {section!r} is empty.")
    if [name for name in found if name in SECTIONS] != [name for name in SECTIONS if name in found]:
        wrong.append(f"The sections are not in the order {', '.join(SECTIONS)}.")
    return wrong


def _model(result: View, targets: list[str], lasting: bool) -> list[str]:
    shipped = next((one for one in named(result, "models") if one["name"] == result.get("shipped")), {})
    lines = [f"- Predicts: {', '.join(targets)}"]
    inputs = [column["name"] for column in named(result, "columns") if column.get("role") in ("input", "time")]
    if inputs:
        lines.append(f"- From: {_plain(clip(', '.join(inputs), MOST_CHARACTERS))}")
    if shipped:
        lines.append(f"- Kind: {_plain(words(shipped, 'name'))} ({_plain(words(shipped, 'summary'))})")
    if words(result, "fathom"):
        lines.append(f"- Made by: Fathom {_plain(words(result, 'fathom'))}")
    if not lasting and words(result, "created"):
        lines.append(f"- Made on: {_plain(words(result, 'created'))}")
    if finite(result.get("seed")) is not None:
        lines.append(f"- Seed: {result['seed']}")
    return lines


def _limits(result: View, targets: list[str], lasting: bool) -> list[str]:
    """Return what the model may be asked, and where it must not be trusted: what warns."""
    lines = [
        f"It answers rows that come about as those of its table did, with {', '.join(targets)} not known yet. It says what goes together, not what causes what, and knows nothing of rows unlike "
        "those that it was judged on. Whether a decision about people may hang on it is not for this card to say."
    ]
    warned = [
        finding
        for finding in records(result, "findings")
        if words(finding, "status") in ("bad", "warning") and words(finding, "name") not in (*ASIDE, *CLOCKED)
    ]
    for finding in warned:
        lines += [
            "",
            f"- **{_plain(words(finding, 'question'))}** {_sentence(finding)} {_plain(words(finding, 'remedy'))}".rstrip(),
        ]
    if not lasting:
        lines += [f"- {_plain(clip(text, MOST_CHARACTERS))}" for text in texts(result, "warnings")[:5] if not warned]
    return lines  # fmt: skip


def _data(result: View, lasting: bool) -> list[str]:
    rows, split = mapping(result, "rows"), mapping(result, "split")
    files = [PurePath(path.replace("\\", "/")).name for path in texts(result, "table", "files")]
    lines = [f"- Table: {_plain(', '.join(files[:5]) or words(result, 'table', 'name') or 'not told')}"]
    if words(split, "fingerprint"):
        lines.append(f"- Hash of its rows and their parts: {_plain(words(split, 'fingerprint'))}")
    counts = [f"{number(rows.get(part))} {part}" for part in ("train", "validation", "test") if part in rows]
    if counts:
        lines.append(f"- Rows: {', '.join(counts)}")
    if words(split, "how"):
        lines.append(f"- Parted {_plain(words(split, 'how'))}")
    looks = records(split, "looks")
    if looks and not lasting:
        lines.append(f"- The test rows were opened {len(looks)} time{'' if len(looks) == 1 else 's'}")
    return lines


def _scores(result: View, lasting: bool) -> list[str]:
    lines: list[str] = []
    for target in named(result, "targets"):
        every = [(one, mapping(one, "targets", target["name"])) for one in named(result, "models")]
        every = [(one, scores) for one, scores in every if scores]
        if not every:
            continue
        names = list(every[0][1])
        lines += [f"Of {_plain(target['name'])} on the test rows, with 95 % intervals:", ""]
        lines += [f"| model | {' | '.join(name.replace('_', ' ') for name in names)} |", f"|---|{'---|' * len(names)}"]
        for one, scores in every:
            cells = [_interval(mapping(scores, name)) for name in names]
            mark = "**" if one["name"] == result.get("shipped") else ""
            lines.append(f"| {mark}{_plain(one['name'])}{mark} | {' | '.join(cells)} |")
        lines.append("")
    verdict = mapping(result, "verdict")
    if words(verdict, "answer"):
        lines.append(f"Is a deep network worth it? {_plain(words(verdict, 'answer')).capitalize()}.")
        if not lasting and words(verdict, "sentence"):
            lines.append(_plain(words(verdict, "sentence")))
    return lines


def _told(result: View, names: list[str], lasting: bool) -> list[str]:
    """Return what the checks of these names found, with the groups of protected columns as a table; what hangs on a clock where it need not last."""
    several = len(named(result, "targets")) > 1
    lines: list[str] = []
    for name in names:
        for finding in records(result, "findings"):
            if words(finding, "name") != name or words(finding, "answer") == "not applicable":
                continue
            of = f" ({_plain(words(finding, 'target'))})" if several else ""
            lines.append(
                f"- **{_plain(words(finding, 'question'))}**{of} {_plain(words(finding, 'answer')).capitalize()}. {_sentence(finding)}"
            )
            if not lasting and words(finding, "clocked"):
                lines[-1] += f" {_plain(clip(words(finding, 'clocked'), MOST_CHARACTERS))}"
            if name == "fairness":
                lines += ["", *_groups(records(finding, "rows")), ""]
    return lines  # fmt: skip


def _groups(rows: list[View]) -> list[str]:
    names = [*dict.fromkeys(name for row in rows for name in row)]
    if not names:
        return []
    lines = [f"| {' | '.join(_plain(name.replace('_', ' ')) for name in names)} |", f"|{'---|' * len(names)}"]
    for row in rows[:60]:
        cells = [
            number(row[name], 3) if finite(row.get(name)) is not None else _plain(row.get(name) or "") for name in names
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines  # fmt: skip


def _prices(result: View) -> list[str]:
    return [
        f"- {_plain(one['name'])}: {number(one.get('fit_seconds'), 3)} s to train, {number(1e3 * (finite(one.get('predict_seconds_per_row')) or 0.0), 3)} ms a row, {number(one.get('bytes'))} bytes"
        for one in named(result, "models")
    ]


def _sentence(finding: View) -> str:
    return _plain(clip(words(finding, "sentence"), MOST_CHARACTERS))


def _interval(score: View) -> str:
    value, low, high = (number(score.get(name)) for name in ("value", "low", "high"))
    return f"{value} ({low} to {high})" if finite(score.get("low")) is not None else value


def _plain(value: Any) -> str:
    """Return words in which nothing is Markdown or HTML.

    >>> _plain("<b>a|b</b> [x](y) `c`")
    '&lt;b>a\\\\|b&lt;/b> \\\\[x\\\\](y) \\\\`c\\\\`'
    """
    return re.sub(r"([|`*_\[\]\\#])", r"\\\1", str(value).replace("&", "&amp;").replace("<", "&lt;"))


__all__ = ["NAME", "SECTIONS", "card", "lacks"]
