"""A network of 150 layers, twice: plain it learns nothing, with residual and normalised blocks it learns. Run it:

    OMP_NUM_THREADS=1 python examples/deep.py

It shows what the doctor finds, the gradient of the first and the last layers, and how the deep network answers from its bundle. About a minute on one core.

Why plain layers fail: Pascanu, Mikolov and Bengio, ICML 2013 (https://arxiv.org/abs/1211.5063); why blocks do not: He, Zhang, Ren and Sun, ECCV 2016
(https://arxiv.org/abs/1603.05027).
"""

import tempfile
from pathlib import Path

import numpy as np

import fathom
from fathom.baselines import constant
from fathom.data.table import Table
from fathom.model import Model

FLIGHTS = Path(__file__).parent / "data" / "flights.csv"
ROWS = 3_000
LAYERS = 150


def learn(table: Table, skip: bool, out: Path) -> Model:
    """Fit 150 layers, plain or with blocks; the network is shipped either way."""
    return fathom.fit(
        table, "distance_miles", out=out, trunk="mlp", layers=LAYERS, skip=skip, keep="network", effort="quick", epochs=2,
        learning_rate=1e-3, columns=ONLY, baselines=(constant,), seed=0,
    )  # fmt: skip


# The distance follows from where a flight goes: a question that any network that learns can answer.
ONLY = {"origin": "category", "destination": "category", "airline": "category"}


def tell(name: str, model: Model) -> float:
    """Print what became of a network, and return its test error as a share of the constant's."""
    assert model.result is not None
    training = model.result["training"]
    errors = {found["kind"]: found["scores"]["rmse"]["value"] for found in model.result["models"]}
    layers = training["gradients"]["layers"]
    print(f"\n{name}: error {errors['network']:.0f} miles; a constant's is {errors['baseline']:.0f}")
    for layer in (layers[1], layers[-2]):
        print(f"  gradient of {layer['layer']:<24}{layer['first']:.2g}")
    for finding in training["doctor"]:
        print(f"  {finding['name']}: {finding['sentence']}\n    {finding['remedy']}")
    return float(errors["network"] / errors["baseline"])


def main() -> None:
    """Fit both and check what the text above says."""
    table = fathom.read(FLIGHTS)
    table = table.take(np.linspace(0, table.rows - 1, ROWS).astype(np.int64))
    with tempfile.TemporaryDirectory() as folder:
        plain = learn(table, skip=False, out=Path(folder) / "plain")
        blocks = learn(table, skip=True, out=Path(folder) / "blocks")
        shares = tell("150 plain layers", plain), tell("150 layers in residual, normalised blocks", blocks)
        served = fathom.load(Path(folder) / "blocks").predict(table)
    assert plain.result is not None
    assert blocks.result is not None
    assert "vanishing gradients" in {finding["name"] for finding in plain.result["training"]["doctor"]}
    assert blocks.result["training"]["doctor"] == []
    assert shares[0] > 0.99, "plain, it does no better than a constant"
    assert shares[1] < 0.7, "with blocks, it does far better"
    assert served.rows == ROWS


if __name__ == "__main__":
    main()
