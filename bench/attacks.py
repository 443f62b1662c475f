"""What does it cost to teach a network against pushes, what does it buy, and do our attacks find what those of the Adversarial Robustness Toolbox find?

A network is taught with ``--adversarial auto`` on numbers (``magic``) and on pictures (``fashion``, 4,000 of them), and again without. Its price is that of the check. Then both networks are attacked on test rows by FGSM, PGD, the black box and all
of them together, by ours and by those of ART 1.20 (FGSM and PGD of as many steps; Square for pictures and HopSkipJump for numbers as black boxes), which runs in an environment of its own:
``python3 -m venv OTHER && OTHER/bin/pip install torch safetensors adversarial-robustness-toolbox``.

The claim: FGSM and PGD leave shares of right answers that differ by at most 0.03, and ours all together leave no more than 0.03 above theirs.

::

    python -m bench.attacks --oracle OTHER/bin/python --json bench/results/attacks.json

Exits with 1 when the claim fails.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from bench.evidence import DEEP_EPOCHS, FOLDER, prepared_of, rows_of, run_of

ROOT = Path(__file__).resolve().parent.parent
SETS = {"magic": ("number", (0.1, 0.25)), "fashion": ("image", (2.0, 4.0, 8.0))}
ROWS = {"magic": 400, "fashion": 200}
APART = 0.03
ORACLE = """
import json, sys
import numpy as np, torch
from art.attacks.evasion import FastGradientMethod, HopSkipJump, ProjectedGradientDescent, SquareAttack
from art.estimators.classification import PyTorchClassifier

from safetensors.torch import load_file

from fathom.networks.committee import built
from fathom.networks.network import NetworkPlan

weights, arrays, wanted, told = sys.argv[1:]
asked = json.loads(wanted)
held = np.load(arrays)
rows, truth = held["rows"].astype(np.float32), held["truth"]
network = built(NetworkPlan.from_json(asked["plan"]))
network.load_state_dict(load_file(weights))

class Alone(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.network = network

    def forward(self, values):
        return self.network.answer({asked["array"]: values.float()})[asked["target"]].clamp(min=1e-12).log()

module = Alone().eval()
pixels = (1.0, 255.0) if rows.ndim == 4 else None
model = PyTorchClassifier(module, torch.nn.NLLLoss(), rows.shape[1:], int(asked["classes"]), clip_values=pixels)
found = []
torch.manual_seed(0); np.random.seed(0)
for reach in asked["reaches"]:
    attacks = {
        "FGSM": FastGradientMethod(model, eps=reach),
        "PGD": ProjectedGradientDescent(model, eps=reach, eps_step=2.5 * reach / 20, max_iter=20, num_random_init=1, verbose=False),
    }
    if rows.ndim == 4:
        attacks["black box"] = SquareAttack(model, eps=reach, max_iter=60, nb_restarts=1, verbose=False)
    else:
        attacks["black box"] = HopSkipJump(model, norm=np.inf, max_iter=5, max_eval=200, init_eval=20, init_size=50, verbose=False)
    every = model.predict(rows).argmax(1) == truth
    line = {"reach": reach, "before": float(every.mean())}
    for name, attack in attacks.items():
        made = attack.generate(rows, truth)
        near = np.abs(made - rows).reshape(len(rows), -1).max(1) <= reach * (1 + 1e-4)  # HopSkipJump has no reach of its own
        right = (model.predict(made).argmax(1) == truth) | ~near
        right &= model.predict(rows).argmax(1) == truth
        line[name] = float(right.mean())
        every &= right
    line["all together"] = float(every.mean())
    found.append(line)
json.dump(found, open(told, "w"))
"""


def fitted(name: str, fresh: bool) -> Path:
    """Return the run of a set whose network was taught against pushes."""
    import shutil

    import fathom
    from fathom.baselines import constant

    folder = FOLDER.parent / "attacks" / name
    if fresh:
        shutil.rmtree(folder, ignore_errors=True)
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        table, target = rows_of(name)
        epochs = DEEP_EPOCHS if name == "fashion" else None
        fathom.fit(
            table,
            target,
            out=folder,
            effort="quick",
            keep="network",
            epochs=epochs,
            adversarial="auto",
            baselines=(constant,),
        )
    return folder


def ours(model: Any, name: str) -> tuple[list[dict[str, Any]], str, dict[str, Any]]:
    """Return what is left of right answers by each of our attacks at each reach; the name of the array that the network reads, and the rows of it."""
    from fathom.chapters.candidates import truth_in_units
    from fathom.data.encoding import class_labels, encode_inputs, input_parts, inputs_of
    from fathom.evidence import adversarial
    from fathom.evidence.contract import Case, Part, Weights, some
    from fathom.shapes import arrays_of

    kind, reaches = SETS[name]
    target = model.description.targets[0]
    table = prepared_of(*rows_of(name)).sealed
    inputs = model.checked(table)
    for column in inputs.names:  # decoded once
        table = table.with_column(column, inputs.column(column))

    def answer(rows: Any) -> Any:
        return model.answer(rows.select([one.name for one in inputs_of(model.columns)]))[target.name]

    part = some(Part(table, truth_in_units(target, table), answer(table)), ROWS[name])
    case = Case(
        model.columns,
        target,
        class_labels(target),
        part,
        answer,
        model=Weights(model.description, model.files["weights.safetensors"]),
    )
    lines = []
    for reach in reaches:
        found = adversarial.attacked(case, part, kind, reach)
        lines.append(
            {"reach": reach, "before": found[0]["before"], **{line["attack"]: line["holds"] for line in found}}
        )
    (array, _parts) = next(iter(arrays_of(input_parts(model.columns)).items()))
    rows = encode_inputs(model.columns, part.table)[array].astype(np.float32)
    return lines, array, {"rows": rows, "truth": part.truth.astype(np.int64)}


def main() -> int:
    """Fit, attack, compare, print; 1 when the claim fails."""
    import fathom

    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--oracle", help="the Python that has ART")
    options.add_argument("--sets", default=",".join(SETS))
    options.add_argument("--fresh", action="store_true", help="fit again")
    options.add_argument("--json", type=Path)
    chosen = options.parse_args()
    report: dict[str, Any] = {}
    failed = False
    for name in chosen.sets.split(","):
        taught = fitted(name, chosen.fresh)
        result = json.loads((taught / "result.json").read_text())
        finding = next(one for one in result["findings"] if one["name"] == "adversarial")
        print(f"{name}: {finding['sentence']}", flush=True)
        report[name] = {"sentence": finding["sentence"], "networks": {}}
        for which, folder in (("taught", taught), ("plain", run_of(name, chosen.fresh))):
            model = fathom.load(folder)
            lines, array, arrays = ours(model, name)
            theirs: list[dict[str, Any]] = [{} for _ in lines]
            if chosen.oracle:
                with tempfile.TemporaryDirectory() as held:
                    target = model.description.targets[0]
                    Path(held, "weights").write_bytes(model.files["weights.safetensors"])
                    np.savez(f"{held}/arrays.npz", **arrays)
                    asked = {
                        "plan": model.description.plan,
                        "array": array,
                        "target": target.name,
                        "reaches": SETS[name][1],
                        "classes": len(target.state.words),
                    }
                    command = [chosen.oracle, "-c", ORACLE, f"{held}/weights", f"{held}/arrays.npz", json.dumps(asked)]
                    subprocess.run(
                        [*command, f"{held}/told.json"], check=True, env={**os.environ, "PYTHONPATH": str(ROOT)}
                    )
                    theirs = json.loads(Path(held, "told.json").read_text())
            for line, other in zip(lines, theirs, strict=True):
                print(f"  {which}, reach {line['reach']:g}, right before {line['before']:.3f}")
                for attack in ("FGSM", "PGD", "black box", "all together"):
                    beside = f", ART {other[attack]:.3f}" if other else ""
                    print(f"    {attack}: ours {line[attack]:.3f}{beside}", flush=True)
                if other:
                    failed |= any(abs(line[attack] - other[attack]) > APART for attack in ("FGSM", "PGD"))
                    failed |= line["all together"] > other["all together"] + APART
            report[name]["networks"][which] = {"ours": lines, "ART": theirs}
    if chosen.json:
        chosen.json.parent.mkdir(parents=True, exist_ok=True)
        chosen.json.write_text(json.dumps(report, indent=1))
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
