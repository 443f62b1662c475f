"""Which drum was hit? 367 hits of 13 drum kits, two of them never heard in training. Run it from the repository's root:

    python -m examples.audio

The recordings come from a Debian package (hydrogen-drumkits, GPL and CC-BY); what a file is called says which drum it is. Needs the extra `audio`; a few minutes on one core.
"""

import fathom
from bench.perception_tables import fetch


def main() -> None:
    """Fit, and check what the text above says."""
    train, test = fetch("drums")
    model = fathom.fit(
        train, "drum", test=test, columns={"kit": "skip"}, metric="accuracy", keep="network", effort="quick"
    )
    assert model.result is not None
    scores = {found["name"]: found["scores"]["accuracy"]["value"] for found in model.result["models"]}
    for name, accuracy in scores.items():
        print(f"{name:20} {accuracy:6.1%} of the hits of the two kits right")
    print(model.result["verdict"]["sentence"])
    assert scores["network"] > 0.8, "a drum is known by its sound, whatever kit it is of"


if __name__ == "__main__":
    main()
