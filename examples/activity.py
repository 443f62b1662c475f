"""What is a person doing, by the watch on the wrist? 80 recordings of four activities. Run it from the repository's root:

    python -m examples.activity

The series (BasicMotions of the UEA archive: acceleration and turning, six channels, 100 steps) come with the package sktime. About a minute on one core.
"""

import fathom
from bench.perception_tables import fetch


def main() -> None:
    """Fit, and check what the text above says."""
    train, test = fetch("motions")
    model = fathom.fit(train, "label", test=test, metric="accuracy", keep="network", effort="quick")
    assert model.result is not None
    scores = {found["name"]: found["scores"]["accuracy"]["value"] for found in model.result["models"]}
    for name, accuracy in scores.items():
        print(f"{name:20} {accuracy:6.1%} of the 40 test recordings right")
    print(model.result["verdict"]["sentence"])
    assert scores["network"] >= 0.9, "standing, walking, running and badminton are told apart"


if __name__ == "__main__":
    main()
