"""A bundle is made smaller and quicker by a budget, and the price list says what each way costs."""

import io
import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from rich.console import Console

import fathom
from fathom.baselines import neighbours
from fathom.bundle import manifest
from fathom.bundle.graph.quantising import quantised
from fathom.bundle.guard import graphs
from fathom.bundle.loading import reload_network
from fathom.chapters.candidates import in_units
from fathom.chapters.exporting import network_answers
from fathom.chapters.preparing import prepare
from fathom.chapters.rivals import fit_baselines
from fathom.compression.compressing import price_list
from fathom.compression.distilling import narrower, telling
from fathom.compression.ground import Ground, unseen_by
from fathom.compression.pricing import Budget, Price, apart_alone, calibration_error, check_budget, chosen, nearest
from fathom.compression.ways import ways_of
from fathom.data.encoding import encode_inputs
from fathom.data.files.reading import read
from fathom.data.modalities import MODALITIES
from fathom.errors import OptionError
from fathom.model import Model
from fathom.networks.network import Network, NetworkPlan
from fathom.networks.pruning import can_prune, left_whole, pruned
from fathom.progress import Silent
from fathom.renewal.origins import origin_of_run
from fathom.scoring import METRICS
from fathom.settings import Settings
from fathom.shapes import Part
from fathom.terminal import show_prices
from fathom.training.batching import Batch
from fathom.training.diagnosing import silent_units
from fathom.training.objectives import distil, predict
from tests.conftest import QUICK


@pytest.fixture(scope="module")
def run(flights, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "late"
    file = folder.parent / "flights.csv"
    from fathom.data.files.writing import write

    write(flights, file)
    fathom.fit(str(file), target="late", keep="network", out=folder, trunk="mlp", **QUICK)
    return folder


@pytest.fixture(scope="module")
def found(run):
    return compressed(run)


@pytest.fixture(scope="module")
def small(few_run):
    """The mean of five networks, each without one fold, with intervals in bands, in eight bits."""
    return compressed(few_run, ways=("int8",), budget=Budget(max_mb=0.2))


@pytest.fixture(scope="module")
def folded(few_run):
    """Its rows as they were parted."""
    return prepare(read(few_run.parent / "few.parquet"), "y", None, Settings(), MODALITIES, Silent(), folded=True)


def compressed(run, **options):
    from fathom.compression.compressing import compress

    return compress(run, **{"epochs": 1, **options})


def test_the_price_list_has_every_way_and_the_bundle_is_an_ordinary_one(found, run, tmp_path, flights, command):
    names = [price.name for price in found.prices]
    assert names == [
        "as it is", "int8, weights", "int8, dynamic", "int8, static", "pruned", "pruned, int8", "distilled, half", "distilled, half, int8", "distilled, quarter", "distilled, quarter, int8",
        "distilled, linear", "distilled, boosted trees",
    ]  # fmt: skip
    first, eight = found.prices[0], found.prices[1]
    assert eight.bytes < 0.35 * first.bytes and eight.graph_bytes < 0.5 * first.graph_bytes
    assert abs(eight.loss) < 0.01 and eight.loss_low <= eight.loss <= eight.loss_high
    assert {price.judged_on for price in found.prices} == {"249 validation rows"}
    assert all(
        price.row_ms > price.graph_ms > 0 and price.bulk_rows > 0 and price.worst_slice for price in found.prices
    )
    file = found.save(tmp_path / "small.fathom")
    assert fathom.load(file).predict(flights.take(range(5))).rows == 5
    told = price_list(manifest.read(file))
    assert told["from"] == manifest.version(manifest.read(run)) and told["kept"] == found.kept.name
    assert told["judged"]["before"]["score"] > 0 and {one["name"] for one in told["judged"]["findings"]} == {
        "slices",
        "abstaining",
    }
    assert "compressed" in json.loads((run / "looks.json").read_text())["own"][-1]["what"]
    shown = command("inspect", file)
    assert shown.code == 0 and "compression.json" in shown.out


def test_the_command_keeps_what_the_budget_asks_for_or_says_what_is_nearest(run, command, tmp_path):
    done = command(
        "compress",
        run,
        "--ways",
        "int8",
        "--max-loss",
        0.5,
        "-o",
        tmp_path / "small",
        "--json",
        tmp_path / "prices.json",
        "-q",
    )
    assert done.code == 0, done.err
    assert "Price list" in done.out and "Kept: " in done.out
    assert len(json.loads((tmp_path / "prices.json").read_text())) == 4
    assert fathom.load(tmp_path / "small").description.kind == "network"
    none = command("compress", run, "--ways", "int8", "--max-mb", 0.001, "-o", tmp_path / "none", "-q")
    assert none.code == 2 and "Nothing meets max_mb 0.001: the quickest is" in none.err
    assert not (tmp_path / "none").exists()
    assert command("compress", run, "--ways", "magic").code == 2


def test_what_has_learned_from_a_row_does_not_say_how_well_it_is_answered(small, few, folded):
    left_out = folded.fits()[0].validation
    alone = reload_network(few.description, few.files[manifest.WEIGHTS]).networks[0]
    answer = in_units(few.description.targets[0], network_answers(alone, few.columns, left_out)["y"])
    expected = np.sqrt(np.mean((answer - left_out.column("y").to_numpy()) ** 2))
    assert [price.score for price in small.prices] == pytest.approx([expected] * 4, rel=0.01)
    assert small.prices[0].score == pytest.approx(expected, rel=1e-5)
    assert {price.judged_on for price in small.prices} == {
        f"{left_out.rows} rows, one of 5 folds, answered by the one of its 5 fits that has not learned from them"
    }


def test_intervals_in_eight_bits_are_learned_from_rows_that_were_left_out(small, few):
    before, after = few.description, Model.of(small.files).description
    assert small.kept.name.startswith("int8")
    assert len(before.bands["y"]["half_widths"]) > 1
    assert after.half_widths["y"] == pytest.approx(before.half_widths["y"], rel=0.03)
    assert after.bands["y"]["half_widths"] == pytest.approx(before.bands["y"]["half_widths"], rel=0.05)


def test_fits_that_cannot_be_told_apart_leave_intervals_as_they_were(few, few_run, folded):
    files = {name: content for name, content in few.files.items() if name not in (manifest.WEIGHTS, manifest.NAME)}
    bare = Model.of({**files, manifest.NAME: manifest.make(files)})
    _, _, make = next(ways_of(bare, Ground.of(bare, folded), origin_of_run(few_run), ("int8",), 1, MODALITIES))
    made = make()
    after = Model.of(made.files).description
    assert (after.half_widths, after.bands) == (few.description.half_widths, few.description.bands)
    assert "from which it has learned: the score is too good" in made.judged_on and made.unseen is None


def test_simpler_models_are_told_apart_too(folded):
    (chance,) = fit_baselines(folded, Settings(), [neighbours], MODALITIES, None, Silent())
    model = Model.of(chance.files())
    ground = Ground.of(model, folded)
    found = unseen_by(model.description, ground.graphs, MODALITIES)(folded.validation, folded.folds)
    np.testing.assert_allclose(found["y"], chance.answers["y"], atol=1e-5)
    assert np.abs(found["y"] - model.answer(folded.validation)["y"]).max() > 0.1


def test_eight_bits_answer_nearly_alike_and_keep_the_rules(late_network, flights):
    import onnxruntime

    columns, graph = late_network.columns, late_network.files["network.onnx"]
    arrays = encode_inputs(columns, flights)
    for how in ("dynamic", "static"):
        small = quantised(graph, how, [{name: values[:32] for name, values in arrays.items()}])
        assert len(small) < 0.5 * len(graph)
        assert (
            "MatMulInteger" in graphs.check(small, how).operators
            or "QuantizeLinear" in graphs.check(small, how).operators
        )
        answers = [onnxruntime.InferenceSession(each).run(None, arrays)[0] for each in (graph, small)]
        assert np.abs(answers[0] - answers[1]).max() < 0.05
        assert quantised(graph, how, [{name: values[:32] for name, values in arrays.items()}]) == small


PARTS = tuple(Part(f"x{i}", "value", "scalar", knots=(-1.0, 0.0, 1.0)) for i in range(3))
TARGET = Part("y", "value", "code", codes=3)


@pytest.mark.parametrize("trunk", ["mlp", "tabm"])
def test_pruning_takes_out_the_units_that_do_nothing_and_no_other(trunk):
    torch.manual_seed(0)
    members = {"members": 3} if trunk == "tabm" else {}
    network = Network(NetworkPlan(PARTS, (TARGET,), trunk, 8, {"layers": 2, "width": 32, **members})).eval()
    idle = torch.arange(0, 32, 2)
    with torch.no_grad():
        for name, weight in network.named_parameters():
            if name.startswith("heads.") and name.endswith("weight"):
                weight[:, idle] = 0
            if name.startswith("trunk.layers.") and not name.endswith("scale_in"):
                axis = 0 if trunk == "mlp" and name.endswith("weight") else weight.ndim - 1
                weight.index_fill_(axis, idle, 0.0)
    rows = {"scalar": torch.randn(20, 3)}
    small = pruned(network, 0.5).eval()
    assert small.parameter_count < network.parameter_count and can_prune(network.plan)
    torch.testing.assert_close(small.answer(rows)["y"], network.answer(rows)["y"], rtol=0, atol=1e-5)


def test_a_chain_that_adds_is_not_pruned():
    assert not can_prune(NetworkPlan(PARTS, (TARGET,), "mlp", 8, {"layers": 2, "width": 32, "skip": True}))
    plan = NetworkPlan(PARTS, (TARGET,), "transformer", 8, {"layers": 2, "width": 32})
    assert not can_prune(plan) and "add to what came before" in left_whole(plan)["the trunk 'transformer'"]


PHOTO = Part("photo", "value", "grid", size=(1, 16, 16), centre=(120.0,), spread=(50.0,))
STEPS = Part("pulse", "value", "vectors", size=(12, 3))
WORDS = Part("remark", "value", "codes", codes=600, size=(12,))


@pytest.mark.parametrize(
    ("part", "encoder", "maker", "reader"),
    [
        (PHOTO, "resnet", "first", "second.0"),
        (PHOTO, "vit", "perceptron.0", "perceptron.2"),
        (STEPS, "transformer", "perceptron.0", "perceptron.2"),
    ],
)
def test_pruning_thins_what_stands_between_two_layers_of_an_encoder(part, encoder, maker, reader):
    torch.manual_seed(0)
    array = f"{part.shape}_0"
    options = {"resnet": {"width": 8, "stages": 2}, "vit": {"width": 16, "layers": 1}}.get(encoder, {"width": 16})
    plan = NetworkPlan((part,), (TARGET,), "transformer", 8, {"layers": 1}, {array: encoder}, {array: options})
    network = Network(plan).eval()
    with torch.no_grad():
        for name, weight in network.named_parameters():
            if name.endswith(f"{reader}.weight"):
                weight[:, ::2] = 0  # every other unit is read by nobody
    rows = {array: torch.randint(1, 200, (9, *part.size)).to(torch.uint8 if part is PHOTO else torch.float32)}
    small = pruned(network, 0.5).eval()
    assert small.parameter_count < network.parameter_count and can_prune(plan)
    torch.testing.assert_close(small.answer(rows)["y"], network.answer(rows)["y"], rtol=0, atol=1e-5)
    assert list(left_whole(plan)) == ["the trunk 'transformer'"]
    assert silent_units(small, lambda: small(rows))  # what is left can be looked after as any network


def test_lookups_that_are_pooled_stay_in_eight_bits_and_answer_nearly_alike():
    import onnxruntime

    from fathom.bundle.graph.exporting import network_onnx

    torch.manual_seed(0)
    plan = NetworkPlan((WORDS,), (TARGET,), "mlp", 8, {"width": 16}, {"codes_0": "bag"}, {})
    graph = network_onnx(Network(plan).eval())
    rows = {"codes_0": np.random.default_rng(0).integers(0, 600, (50, 12)).astype(np.int32)}
    rows["codes_0"][:20, 4:] = 0  # short rows, and one of no step at all
    rows["codes_0"][0] = 0
    small = quantised(graph, "weights")
    told = graphs.check(small, "network.onnx")
    assert told.operators["MatMulInteger"] == 1 and len(small) < 0.35 * len(graph)
    assert max(len(tensor.raw) for tensor in told.constants.values()) == 600 * 128  # a byte a number, and stays so
    whole, eight = (onnxruntime.InferenceSession(each).run(None, rows)[0] for each in (graph, small))
    assert np.abs(whole - eight).max() < 0.01
    alone = np.concatenate(
        [onnxruntime.InferenceSession(small).run(None, {"codes_0": rows["codes_0"][[row]]})[0] for row in range(5)]
    )
    assert np.abs(alone - eight[:5]).max() < 1e-6  # with weights alone, no row hangs on its neighbours


def test_trees_look_at_the_features_that_tell():
    generator = np.random.default_rng(0)
    matrix = generator.normal(size=(200, 20))
    answer = np.stack([matrix[:, 7], -matrix[:, 7] + 0.5 * matrix[:, 3]], 1)
    told = telling(matrix, answer, 2)
    assert np.flatnonzero(told.any(axis=0)).tolist() == [3, 7] and (told[:, 7] == matrix[:, 7]).all()
    assert telling(matrix, answer, None) is matrix


def test_a_student_learns_what_its_teacher_says_and_not_the_truth_alone():
    torch.manual_seed(0)
    network = Network(NetworkPlan(PARTS, (TARGET,), "mlp", 8, {"layers": 1, "width": 16, "dropout": 0.0}))
    rows = Batch({"scalar": torch.randn(64, 3)}, {"y": torch.zeros(64, dtype=torch.long)})
    soft = torch.tensor([0.2, 0.5, 0.3]).expand(64, 3)
    taught = Batch(rows.inputs, {**rows.truth, distil.taught("y"): soft})
    assert distil.loss(network, rows, torch.Generator())[0] == predict.loss(network, rows, torch.Generator())[0]
    optimizer = torch.optim.Adam(network.parameters(), 0.05)
    for _ in range(200):
        optimizer.zero_grad()
        distil.loss(network, taught, torch.Generator())[0].backward()
        optimizer.step()
    expected = distil.SHARE * soft[0] + (1 - distil.SHARE) * torch.tensor([1.0, 0.0, 0.0])
    torch.testing.assert_close(network.eval().answer(rows.inputs)["y"].mean(0), expected, rtol=0, atol=0.02)


def test_a_narrower_plan_is_narrower_and_can_be_built(late_network):
    plan = NetworkPlan.from_json(late_network.description.plan)
    sizes = [Network(narrower(plan, name)).parameter_count for name in ("half", "quarter")]
    whole = reload_network(late_network.description, late_network.files[manifest.WEIGHTS]).parameter_count
    assert whole > sizes[0] > sizes[1]


def price(name, *, ms=1.0, size=1e6, loss=0.0, low=-1.0):
    return Price(int(size), 1, 0.5, 0.4, 0.6, 0.0, "all rows", 0.5, 0.0, 0.9, loss, low, 1.0, name, "", ms, ms, 1.0)


@pytest.mark.parametrize(
    ("budget", "expected"),
    [
        (Budget(), "quick"),  # not proven worse
        (Budget(max_loss=0.5), "tiny"),
        (Budget(max_loss=0.05), "quick"),
        (Budget(max_mb=0.5), "small"),  # the best score within it
        (Budget(max_ms=0.3), "tiny"),
        (Budget(max_mb=0.5, max_loss=0.02), "small"),
        (Budget(max_mb=0.01), None),
    ],
)
def test_a_budget_chooses(budget, expected):
    prices = [
        price("as it is"),
        price("small", ms=0.8, size=4e5, loss=0.01),
        price("quick", ms=0.4, size=8e5, loss=0.04),
        price("tiny", ms=0.1, size=1e5, loss=0.3, low=0.2),
    ]
    kept = chosen(prices, budget, METRICS["log_loss"])
    assert (kept.name if kept else None) == expected
    assert "the quickest is 'tiny'" in nearest(prices, budget)


def test_limits_that_nothing_can_meet_are_errors():
    with pytest.raises(OptionError, match=r"^--max-mb is 0, and must be more than 0\.$"):
        check_budget(Budget(max_mb=0))


def test_a_calibration_error_is_zero_where_it_should_be_and_not_where_it_should_not():
    truth = np.tile([0, 0, 0, 1], 100)
    assert calibration_error(truth, np.tile([[0.75, 0.25]], (400, 1))) < 0.1
    assert calibration_error(truth, np.tile([[0.99, 0.01]], (400, 1))) > 0.2


def test_what_answers_a_row_by_its_neighbours_is_never_kept():
    prices = [price("as it is"), replace(price("quick", ms=0.1), apart=0.16), price("slow", ms=0.5)]
    kept = chosen(prices, Budget(max_loss=0.5), METRICS["log_loss"])
    assert kept is not None and kept.name == "slow"


def test_ranges_from_the_batch_are_seen():
    class Neighbours:
        def answer(self, rows):
            return {"y": np.full(rows.rows, 1.0 / rows.rows)}

    class Alone:
        def answer(self, rows):
            return {"y": np.zeros(rows.rows)}

    table = fathom.read({"x": [str(x) for x in range(200)]})
    assert apart_alone(Neighbours(), table) > 0.9 and apart_alone(Alone(), table) == 0.0


def test_convolutions_in_eight_bits_answer_nearly_alike_whatever_stands_beside_a_row():
    import onnxruntime

    from fathom.bundle.graph.exporting import network_onnx

    photo = Part("photo", "value", "grid", size=(1, 16, 16), centre=(120.0,), spread=(50.0,))
    torch.manual_seed(0)
    plan = NetworkPlan((photo,), (TARGET,), "mlp", 8, {"width": 16}, {}, {"grid_0": {"width": 8, "stages": 2}})
    graph = network_onnx(Network(plan).eval())
    rows = {"grid_0": np.random.default_rng(0).integers(1, 256, (64, 1, 16, 16)).astype(np.uint8)}
    small = quantised(graph, "static", [{"grid_0": rows["grid_0"][:32]}])
    assert graphs.check(small, "network.onnx").operators["QuantizeLinear"] > 5
    sessions = [onnxruntime.InferenceSession(each, providers=["CPUExecutionProvider"]) for each in (graph, small)]
    whole, eight = (session.run(None, rows)[0] for session in sessions)
    alone = np.concatenate([sessions[1].run(None, {"grid_0": rows["grid_0"][[row]]})[0] for row in range(64)])
    assert np.abs(whole - eight).max() < 0.05
    assert np.abs(alone - eight).max() < 1e-3


@pytest.mark.parametrize("width", [60, 80, 120, 250])
def test_the_price_list_is_whole_however_wide_the_terminal(width):
    """Nothing is cut off; what has no room stands below, under the same names."""
    words = "aircraft_maker is '[bold]AIRBUS' or a word that is as rare"
    prices = [
        replace(price("as it is"), score=0.1234, low=-0.2, high=0.4567, worst_slice=words),
        replace(price("distilled, quarter, int8", ms=0.0123), apart=0.00734, loss=-0.0321),
    ]
    told = io.StringIO()
    show_prices(SimpleNamespace(prices=prices, kept=None), Console(file=told, width=width))
    lines = told.getvalue().splitlines()
    assert "…" not in told.getvalue()
    assert max(len(line.rstrip()) for line in lines if "alone: by" not in line) <= width
    parts = sum(line.startswith("Price list") for line in lines)
    assert (parts == 1) == (width == 250)
    for name in ("  as it is", "  distilled, quarter, int8"):
        assert sum(line.startswith(name) for line in lines) == parts
    assert " ".join(told.getvalue().split()).count("same") == 1 and "0e+00" not in told.getvalue()
    for cell in ("0.0073 off", "−0.0321", "0.123 (−0.200 to 0.457)", "rows a second", "12\xa0µs", "[bold]AIRBUS"):
        assert any(cell in line for line in lines), cell
