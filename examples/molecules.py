"""Does this molecule pass from blood to brain? 7,807 molecules, written as SMILES. Run it from the repository's root:

    python -m examples.molecules

Nothing is known of chemistry but the marks: atoms, bonds, branches and rings. The molecules are B3DB (Meng et al., Scientific Data 8, 2021; CC0), from a public package. A few minutes on one core.
"""

import fathom
from bench.perception_tables import fetch

CAFFEINE = "Cn1cnc2c1c(=O)n(C)c(=O)n2C"


def main() -> None:
    """Fit, and check what the text above says."""
    molecules, _ = fetch("molecules")
    model = fathom.fit(molecules, "passes", keep="network", effort="quick")
    assert model.result is not None
    assert {column["name"]: column["modality"] for column in model.result["columns"]}["smiles"] == "molecule"
    scores = {found["name"]: found["scores"]["accuracy"]["value"] for found in model.result["models"]}
    for name, accuracy in scores.items():
        print(f"{name:20} {accuracy:6.1%} of the test molecules right")
    print(model.result["verdict"]["sentence"])

    answer = model.predict({"smiles": [CAFFEINE]}).to_pylist()[0]
    print(f"caffeine: {answer['passes']}")
    assert scores["network"] > 0.82, "the marks tell much"
    assert answer["passes"] == "BBB+", "coffee keeps awake"


if __name__ == "__main__":
    main()
