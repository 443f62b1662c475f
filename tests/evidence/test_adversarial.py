"""A model that hangs on the last digit is easily fooled, one that hangs on large differences is not: for pictures, numbers and texts."""

from dataclasses import replace

import numpy as np
import torch

import fathom
from fathom.data.encoding import encode_inputs
from fathom.evidence import adversarial
from fathom.evidence.attacking import Attack
from fathom.evidence.contract import Part
from tests.evidence.planted_cases import FOOLED_ROWS as ROWS
from tests.evidence.planted_cases import numbers, pictures, texts


def test_nothing_goes_beyond_its_reach():
    from fathom.evidence.perturbing import CHANGES

    for case, kind, reach in (
        (numbers(1.0), "number", 0.1),
        (pictures(True), "image", 4.0),
        (texts(True), "text", 0.1),
    ):
        table, columns = case.sealed.table, [case.columns[0]]
        change, random = CHANGES[kind](columns, table, reach), np.random.default_rng(0)
        now = table
        for _ in range(12):
            now = change(now, np.arange(ROWS) % 2 == 0, random)
        one, other = table.column("told"), now.column("told")
        if kind == "text":
            apart = [
                sum(a != b for a, b in zip(x.split(), y.split(), strict=True))
                for x, y in zip(one.to_pylist(), other.to_pylist(), strict=True)
            ]
            bound = 4
        else:
            first, last = (columns[0].kind.encode(columns[0].state, v).astype(float) for v in (one, other))
            apart = np.abs(first - last).reshape(ROWS, -1).max(axis=1)
            bound = 4.0 if kind == "image" else 0.1 + 1e-6
        assert max(apart[::2]) <= bound and max(apart[::2]) > 0
        assert max(apart[1::2]) == 0


def test_a_step_along_the_gradient_is_that_of_the_paper_and_many_steps_find_no_less(late_network, flights):
    description, weights = late_network.description, late_network.files["weights.safetensors"]
    attack = Attack(description, weights, "late", "scalar", (0, 1))
    rows = flights.take(np.arange(40))
    arrays = encode_inputs(description.columns, rows)
    target = description.targets[0]
    truth = target.kind.encode(target.state, rows.column("late"))[:, 0]
    pushed = attack.fgsm(arrays, truth, 0.1)
    inputs = {name: torch.from_numpy(array).clone() for name, array in arrays.items()}
    inputs["scalar"].requires_grad_(True)
    answer = attack.network.answer(inputs)["late"]
    loss = torch.nn.functional.nll_loss(answer.log(), torch.from_numpy(truth).long(), reduction="sum")
    slope = torch.autograd.grad(loss, inputs["scalar"])[0].numpy()
    moved = pushed["scalar"] - arrays["scalar"]
    grew = np.abs(moved[:, :2]).max(axis=1) > 0  # rows on which the step helps
    assert np.allclose(moved[grew, :2], 0.1 * np.sign(slope[grew, :2]), atol=1e-6) and grew.mean() > 0.8
    assert np.abs(moved[:, 2:]).max() == 0

    def losses(changed):
        return -np.log(attack.answer(changed)[np.arange(40), truth])

    many = attack.pgd(arrays, truth, 0.1)
    assert np.abs(many["scalar"] - arrays["scalar"]).max() <= 0.1 + 1e-6
    assert losses(many).mean() >= losses(pushed).mean() - 1e-3 > losses(arrays).mean()


def test_a_network_is_attacked_along_its_gradient_too(late_network, flights):
    found = fathom.examining.check(late_network, flights.take(np.arange(300)), only=["adversarial"])[0]
    attacks = {line["attack"] for line in found.rows}
    assert attacks == {"chance", "black box", "FGSM", "PGD", "all together"}
    for reach in {line["reach"] for line in found.rows}:
        holds = {line["attack"]: line["holds"] for line in found.rows if line["reach"] == reach}
        assert holds["all together"] <= min(holds.values()) and holds["PGD"] <= holds["chance"] + 0.05


def test_no_order_of_the_rows_moves_a_figure_and_few_rows_are_no_case():
    case = numbers(0.3)
    order = np.random.default_rng(1).permutation(ROWS)
    mixed = Part(case.sealed.table.take(order), case.sealed.truth[order], case.sealed.answer[order])
    assert adversarial.run(replace(case, sealed=mixed)).rows == adversarial.run(case).rows
    few = Part(case.sealed.table.take(np.arange(5)), case.sealed.truth[:5], case.sealed.answer[:5])
    assert adversarial.run(replace(case, sealed=few)).answer == "not applicable"
