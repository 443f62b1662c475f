"""Which language is this? Names of emoji in twelve languages, a few words each. Run it from the repository's root:

    python -m examples.language

Such short texts are read by their characters, learned from the rows: no language is asked for. Many names are alike in several languages, so one in four is missed. The names are Unicode's (CLDR), from a public package. A few minutes on one core.
"""

import json

import fathom
from bench.packages import folder_of
from fathom.baselines import constant, linear

LANGUAGES = ("da", "de", "en", "es", "et", "fi", "fr", "hu", "it", "nl", "pl", "pt")
ROWS = 500  # a language


def main() -> None:
    """Fit, and check what the text above says."""
    folder = folder_of("npm", "emojibase-data@16.0.3") / "package"
    table: dict[str, list[str]] = {"name": [], "language": []}
    for place, language in enumerate(LANGUAGES):
        names = sorted({entry["label"] for entry in json.loads((folder / language / "compact.json").read_text())})
        table["name"] += names[place :: len(names) // ROWS][:ROWS]
        table["language"] += [language] * len(names[place :: len(names) // ROWS][:ROWS])
    model = fathom.fit(
        table, "language", keep="network", effort="quick", columns={"name": "text"}, baselines=(constant, linear)
    )  # boosted trees take minutes where there are twelve classes
    assert model.result is not None
    scores = {found["name"]: found["scores"]["accuracy"]["value"] for found in model.result["models"]}
    for name, accuracy in scores.items():
        print(f"{name:20} {accuracy:6.1%} of the test names right")
    print(model.result["verdict"]["sentence"])

    phrases = ["la petite maison", "pieni talo", "das Gesicht"]
    answers = model.predict({"name": phrases}).to_pylist()
    for phrase, answer in zip(phrases, answers, strict=True):
        print(f"{answer['language']}  {phrase}")
    assert scores["network"] > 0.7, "a few words tell the language"


if __name__ == "__main__":
    main()
