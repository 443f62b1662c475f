"""Which bearings will fail? 240 made-up machines whose sensors write a line every moment. Run it from the repository's root:

    python -m examples.maintenance

No factory's: a worn race knocks at its own pace while the shaft turns at another (McFadden and Smith, "Model for the vibration produced by a single point defect in a rolling element bearing",
Journal of Sound and Vibration 96(1), 1984). The table is long, a row a machine and moment; `series="machine,moment"` makes a row a machine of it. About a minute on one core.
"""

import numpy as np
import pyarrow as pa

import fathom

MOMENTS = 96


def readings(machines: int, seed: int) -> pa.Table:
    """Return the lines of all sensors, in the order in which they came in."""
    generator = np.random.default_rng(seed)
    moment = np.arange(MOMENTS)
    worn = generator.random(machines) < 0.4
    turns, knocks = generator.uniform(0.05, 0.08, (machines, 1)), generator.uniform(0.13, 0.2, (machines, 1))
    phase = generator.random((machines, 2))
    shaft = np.sin(2 * np.pi * (turns * moment + phase[:, :1]))
    knock = np.exp(-8 * ((knocks * moment + phase[:, 1:]) % 1.0))
    vibration = (
        generator.uniform(0.5, 1.5, (machines, 1)) * shaft
        + generator.normal(0, 0.4, (machines, MOMENTS))
        + 0.9 * worn[:, None] * knock
    )
    heat = (
        40
        + generator.normal(0, 5, (machines, 1))
        + 0.01 * moment
        + generator.normal(0, 0.5, (machines, MOMENTS))
        + worn[:, None]
    )
    order = np.argsort(np.tile(moment, machines) + generator.random(machines * MOMENTS), kind="stable")
    names = np.array([f"machine {number}" for number in range(machines)])
    columns = {
        "machine": np.repeat(names, MOMENTS),
        "moment": np.tile(moment, machines),
        "vibration": vibration.reshape(-1).round(3),
        "heat": heat.reshape(-1).round(2),
        "age": np.repeat(generator.integers(1, 20, machines), MOMENTS),
        "failed": np.repeat(np.where(worn, "within a month", "no"), MOMENTS),
    }
    return pa.table({name: values[order] for name, values in columns.items()})


def main() -> None:
    """Fit, and check what the text above says."""
    model = fathom.fit(
        readings(240, 0),
        "failed",
        series="machine,moment",
        columns={"machine": "skip"},
        metric="roc_auc",
        keep="network",
        effort="quick",
    )
    assert model.result is not None
    scores = {found["name"]: found["scores"]["roc_auc"]["value"] for found in model.result["models"]}
    for name, area in scores.items():
        print(f"{name:20} {area:.3f} area under the curve")
    print(model.result["verdict"]["sentence"])
    answers = model.predict(readings(5, 1))
    for answer in answers.to_pylist():
        print(f"{answer['machine']:12} fails within a month: {answer['failed=within a month']:.0%}")
    assert answers.rows == 5, "one answer a machine, not one a moment"
    assert scores["network"] > 0.8, "a knock is heard through the noise"


if __name__ == "__main__":
    main()
