"""Which heartbeats come too early? 400 made-up stretches of an electrocardiogram. Run it from the repository's root:

    python -m examples.heartbeat

No patient's: each wave of a beat is a bump of Gauss, as in McSharry et al., "A dynamical model for generating synthetic electrocardiogram signals", IEEE Trans. Biomed. Eng. 50(3), 2003; an early
beat has no P wave and a broad, high QRS complex. Stretches differ in rate, strength, noise and in how the base line wanders. About a minute on one core.
"""

import numpy as np

import fathom

RATE, SECONDS = 50, 3.0
NORMAL = (
    (-0.2, 0.12, 0.025),
    (-0.025, -0.12, 0.01),
    (0.0, 1.0, 0.012),
    (0.03, -0.25, 0.012),
    (0.25, 0.3, 0.045),
)  # place, height, width of P, Q, R, S and T
EARLY = ((0.0, 1.3, 0.045), (0.1, -0.5, 0.05), (0.3, -0.35, 0.07))


def stretch(early: bool, generator: np.random.Generator) -> list[float]:
    """Return some seconds of beats, one of them too early or none."""
    time = np.arange(int(RATE * SECONDS)) / RATE
    between = generator.uniform(0.65, 1.0)
    beats = np.arange(-1, 6) * between + generator.uniform(0, between) + generator.normal(0, 0.02, 7)
    signal = generator.normal(0, 0.06, len(time)) + 0.15 * np.sin(2 * np.pi * (0.2 * time + generator.random()))
    seen = np.flatnonzero((beats > 0.6) & (beats < SECONDS - 0.4))
    odd = int(generator.choice(seen)) if early else -1
    for number, moment in enumerate(beats):
        moment = moment - 0.25 * between * (number == odd)
        for place, height, width in EARLY if number == odd else NORMAL:
            signal += height * np.exp(-0.5 * ((time - moment - place) / width) ** 2)
    return (signal * generator.uniform(0.7, 1.3)).round(3).tolist()


def main() -> None:
    """Fit, and check what the text above says."""
    generator = np.random.default_rng(0)
    early = generator.random(400) < 0.4
    table = {
        "lead": [stretch(bool(one), generator) for one in early],
        "beats": np.where(early, "one early", "regular").tolist(),
    }
    model = fathom.fit(table, "beats", metric="accuracy", keep="network", effort="quick")
    assert model.result is not None
    scores = {found["name"]: found["scores"]["accuracy"]["value"] for found in model.result["models"]}
    for name, accuracy in scores.items():
        print(f"{name:20} {accuracy:6.1%} of the test stretches right")
    print(model.result["verdict"]["sentence"])
    assert scores["network"] > 0.95, "an early beat is seen wherever it stands"


if __name__ == "__main__":
    main()
