"""Which piece of clothing is on a picture? Fashion-MNIST, 8,000 of its pictures to learn from. Run it from the repository's root:

    python -m examples.images

The pictures come from a public package (Xiao, Rasul and Vollgraf, 2017, https://arxiv.org/abs/1708.07747; licence MIT). A few minutes on two cores. All 60,000 pictures:
`python -m bench.perception --tables fashion`.
"""

import pyarrow.parquet as parquet

import fathom
from bench.perception_tables import fetch

ROWS, EPOCHS = 8_000, 12


def main() -> None:
    """Fit, and check what the text above says."""
    train, test = fetch("fashion")
    table = parquet.read_table(train).slice(0, ROWS)
    model = fathom.fit(table, "label", test=str(test), keep="network", effort="quick", epochs=EPOCHS)
    assert model.result is not None
    scores = {found["name"]: found["scores"]["accuracy"]["value"] for found in model.result["models"]}
    for name, accuracy in scores.items():
        print(f"{name:20} {accuracy:6.1%} of 10,000 test pictures right")
    print(model.result["verdict"]["sentence"])
    varied = model.result["training"]["seen"][0]["varied"]
    assert scores["network"] > 0.86, "it sees what is worn"
    assert varied["flip"] == 0, "shoes all face one way: mirrored, they would be something new"


if __name__ == "__main__":
    main()
