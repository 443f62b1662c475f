"""Readers that were taught elsewhere: they keep what they were taught, answer through the bundle, and say what is missing."""

import itertools
import json
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest
import torch
from safetensors.torch import load, load_file, save_file

import fathom
from fathom.baselines import constant
from fathom.chapters import adopting, bodies, remembering
from fathom.chapters.adopting import FEWEST_READ
from fathom.data.cells.pictures import png
from fathom.data.cells.word_pieces import WordPieces, codes_of
from fathom.data.pretrained import find
from fathom.errors import OptionError
from fathom.networks.encoders import efficientnet_lite
from fathom.networks.encoders.bert import OWN_NAMES, Bert, Options
from fathom.networks.encoders.efficientnet_lite import EfficientNetLite
from fathom.networks.encoders.pretrained import PretrainedReader, read_once
from fathom.progress import Silent

WORDS = ["good", "bad", "room", "staff", "the", "was", "a", "quiet", "##ly", "sea"]
PIECES = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    *WORDS,
    *"abcdefghijklmnopqrstuvwxyz.",
    *(f"##{letter}" for letter in "abcdefghijklmnopqrstuvwxyz"),
]
CONFIG = {
    "model_type": "bert",
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "max_position_embeddings": 64,
    "vocab_size": len(PIECES),
}


def own_to_theirs(name: str) -> str:
    """Undo the renaming of a weight."""
    names = {ours: theirs for theirs, ours in OWN_NAMES[:8]}
    outside = {
        "words": "word_embeddings",
        "places": "position_embeddings",
        "kinds": "token_type_embeddings",
        "norm": "LayerNorm",
    }
    *block, layer, weight = name.split(".")
    if block:
        return f"encoder.layer.{block[1]}.{names[layer]}.{weight}"
    return f"embeddings.{outside[layer]}.{weight}"


@pytest.fixture(scope="module")
def bert_folder(tmp_path_factory):
    """A little BERT as a hub lays it out, in which `good` and `bad` lie far apart."""
    folder = tmp_path_factory.mktemp("weights") / "little-bert"
    folder.mkdir()
    torch.manual_seed(0)
    body = Bert(Options(body=16, inner=32, layers=2, heads=2, places=64), len(PIECES))
    with torch.no_grad():
        body.words.weight[4, ::2] += 3.0
        body.words.weight[5, ::2] -= 3.0
    tensors = {f"bert.{own_to_theirs(name)}": tensor.contiguous() for name, tensor in body.state_dict().items()}
    assert set(body.renamed(tensors)) == set(body.state_dict())
    tensors["cls.predictions.bias"] = torch.zeros(len(PIECES))  # for filling gaps, which is of no use here
    save_file(tensors, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(CONFIG))
    (folder / "vocab.txt").write_text("\n".join(PIECES) + "\n")
    return folder


@pytest.fixture(scope="module")
def remarks():
    random = np.random.default_rng(0)
    texts = [" ".join(random.choice(WORDS[2:8], 8)) for _ in range(300)]
    kind = random.choice(["good", "bad"], 300)
    texts = [f"The {word} {text}." for word, text in zip(kind, texts, strict=True)]
    texts[5] = None
    return {"remark": texts, "kind": kind.tolist()}


def fitted(remarks, folder, **settings):
    return fathom.fit(
        remarks,
        target="kind",
        columns={"remark": "text"},
        pretrained={"text": str(folder)},
        keep="network",
        effort="quick",
        baselines=(constant,),
        **settings,
    )


@pytest.fixture(scope="module")
def texts_read():
    """The codes of every text that a frozen reader has read, in turn."""
    return []


@pytest.fixture(scope="module")
def model(remarks, bert_folder, texts_read):
    def reading(reader, values, *more):
        texts_read.extend(tuple(row.tolist()) for row in values)
        return read_once(reader, values, *more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("fathom.networks.encoders.pretrained.read_once", reading)
        return fitted(remarks, bert_folder, epochs=20)


def body_of(model):
    weights = load(model.files["weights.safetensors"])
    prefix = next(name for name in weights if "encoder.body.words" in name).removesuffix("words.weight")
    return {name.removeprefix(prefix): tensor for name, tensor in weights.items() if name.startswith(prefix)}


def test_a_frozen_reader_keeps_what_it_was_taught_and_teaches_the_layers_behind_it(model, bert_folder):
    body = Bert(Options(body=16, inner=32, layers=2, heads=2, places=64), len(PIECES))
    body.load_state_dict(body.renamed(load_file(bert_folder / "model.safetensors")))
    assert all(torch.equal(tensor, body.state_dict()[name]) for name, tensor in body_of(model).items())
    network = next(one for one in model.result["models"] if one["kind"] == "network")
    assert network["scores"]["accuracy"]["value"] > 0.85
    assert network["notes"]["remark is read by"] == "bert: it was taught elsewhere (little-bert), and stays as it is"
    assert "word pieces" in next(column["summary"] for column in model.result["columns"] if column["name"] == "remark")


def test_no_text_is_read_twice_however_many_questions_are_asked(model, texts_read, remarks):
    assert len(texts_read) == len(set(texts_read)) > len(remarks["kind"]) / 2
    assert {"importance", "reasons"} <= {name for name in model.result if model.result[name]}


def test_a_frozen_reader_reads_as_many_rows_as_there_is_time_for_and_says_how_many(remarks, bert_folder, monkeypatch):
    class Told(Silent):
        """Keeps what is said."""

        def __init__(self):
            self.said = []

        def say(self, sentence):
            self.said.append(sentence)

    told, ticks = Told(), itertools.count(0, 1_000)
    monkeypatch.setattr(
        adopting, "time", SimpleNamespace(perf_counter=lambda: next(ticks))
    )  # by which reading takes long
    hurried = fitted(remarks, bert_folder, minutes=0.01, progress=told)
    (said,) = [one for one in told.said if "training rows are learned from" in one]
    rows = hurried.result["rows"]["train"]
    assert said.startswith(
        f"{FEWEST_READ} of {rows} training rows are learned from"
    )  # the fewest, where there is no time
    words = [None, *(f"{word} words" for word in ("good", "bad"))]
    assert hurried.predict({"remark": words}).rows == 3


def test_what_is_remembered_answers_as_what_is_shipped(model, remarks):
    shares = next(iter(model.result["reasons"]))
    row = int(shares["where"].removeprefix("row ")) - 1
    answer = model.predict({"remark": [remarks["remark"][row]]}).to_pylist()[0]
    assert abs(answer[f"kind={shares['of']}"] - shares["value"]) < 1e-4


def test_the_bundle_answers_without_the_folder_and_without_torch(model, remarks, tmp_path):
    model.save(tmp_path / "bundle")
    again = fathom.load(tmp_path / "bundle")
    rows = {"remark": ["the good room", "THE BAD ROOM!", None, "", "unheard-of 🙂"]}
    answers = again.predict(rows).to_pylist()
    assert [answers[0]["kind"], answers[1]["kind"]] == ["good", "bad"]
    assert answers[2] == answers[3]
    assert all(np.isfinite(row["kind_probability"]) for row in answers)


def test_fine_tuning_lets_the_reader_learn_and_counts_its_epochs(remarks, bert_folder, model):
    tuned = fitted(remarks, bert_folder, epochs=1, fine_tune=True)
    training = tuned.result["training"]
    assert len(training["epochs"]) == 4
    assert training["best_epoch"] > 1
    before, after = body_of(model), body_of(tuned)
    assert any(not torch.equal(before[name], after[name]) for name in before)


def test_what_a_frozen_body_makes_of_rows_hangs_on_neither_their_order_nor_the_padding():
    torch.manual_seed(0)
    reader = PretrainedReader(Bert(Options(body=16, inner=32, heads=2), 40), 2, 8, 0.0)
    codes = torch.randint(1, 40, (30, 20)) * (torch.arange(20) < torch.randint(1, 20, (30, 1)))
    codes[3] = 0
    made = read_once(reader, codes, 7)
    order = torch.randperm(30)
    assert torch.allclose(made[order], read_once(reader, codes[order], 4), atol=1e-5)
    assert not made[3].any()
    assert torch.allclose(reader.eval()(made).tokens[:3], reader(codes).tokens[:3], atol=1e-5)


def test_the_weights_of_timm_have_a_place_each():
    body = EfficientNetLite(32)
    outside = {"stem.filter": "conv_stem", "stem.norm": "bn1", "head.filter": "conv_head", "head.norm": "bn2"}
    first = {"each.filter": "conv_dw", "each.norm": "bn1", "narrow.filter": "conv_pw", "narrow.norm": "bn2"}
    later = {"widen.filter": "conv_pw", "widen.norm": "bn1", "each.filter": "conv_dw", "each.norm": "bn2"}
    later |= {"narrow.filter": "conv_pwl", "narrow.norm": "bn3"}
    theirs, own = {}, {}
    for name, tensor in body.state_dict().items():
        *block, layer, kind, weight = name.split(".")
        names = outside if not block else first if block[1] == "0" else later
        theirs[".".join([*block, names[f"{layer}.{kind}"], weight]).replace("parts", "blocks")] = tensor
        own[name] = tensor
    theirs["classifier.weight"] = torch.zeros(1000, 1280)
    found = body.renamed(theirs)
    assert {name: id(tensor) for name, tensor in found.items()} == {name: id(tensor) for name, tensor in own.items()}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Quietly, the SEA.", ["quiet", "##ly", "[UNK]", "the", "sea", "."]),
        ("thé\u0301 sea", ["the", "sea"]),
        ("the中sea", ["the", "[UNK]", "sea"]),
        ("a\x00\u200dbad", ["a", "##b", "##a", "##d"]),
        ("x" * 101, ["[UNK]"]),
        ("🙂", ["[UNK]"]),
        ("", []),
    ],
)
def test_words_become_the_pieces_that_a_reader_was_taught(text, expected):
    pieces = WordPieces("\n".join(PIECES))
    codes = codes_of(pieces, pa.array([text], pa.large_string()), 20)[0]
    assert [PIECES[code] for code in codes if code] == ["[CLS]", *expected, "[SEP]"]


def test_a_long_text_keeps_its_end_mark():
    codes = codes_of(WordPieces("\n".join(PIECES)), pa.array(["sea " * 50, "sea"], pa.large_string()), 6)
    assert [PIECES[code] for code in codes[0]] == ["[CLS]", "sea", "sea", "sea", "sea", "[SEP]"]
    assert [PIECES[code] for code in codes[1]] == ["[CLS]", "sea", "[SEP]", "[PAD]", "[PAD]", "[PAD]"]


@pytest.fixture
def lite_folder(tmp_path, monkeypatch):
    """A little EfficientNet-Lite0, of three blocks, as a hub lays it out: with weights of chance and statistics that are no fresh network's."""
    monkeypatch.setattr(efficientnet_lite, "STAGES", ((1, 3, 1, 8, 1), (6, 3, 2, 12, 2)))
    monkeypatch.setattr(efficientnet_lite, "HEAD", 32)
    torch.manual_seed(0)
    body = EfficientNetLite(64)
    body.train()
    with torch.no_grad():
        body(torch.randint(1, 256, (64, 3, 32, 32), dtype=torch.uint8))
    blocks = {ours: theirs for theirs, ours in efficientnet_lite.LATER_BLOCKS.items()}
    first = {ours: theirs for theirs, ours in efficientnet_lite.FIRST_BLOCK.items()}
    outside = {ours: theirs for theirs, ours in efficientnet_lite.OUTSIDE.items()}
    tensors = {}
    for name, tensor in body.state_dict().items():
        *block, layer, kind, weight = name.split(".")
        names = outside if not block else first if block[1] == "0" else blocks
        tensors[".".join([*block, names[f"{layer}.{kind}"], weight]).replace("parts", "blocks")] = tensor.contiguous()
    folder = tmp_path / "lite"
    folder.mkdir()
    save_file(tensors, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({"architecture": "tf_efficientnet_lite0", "side": 64}))
    return folder


def test_pictures_are_read_by_a_graph_and_the_reader_keeps_its_statistics(lite_folder, monkeypatch):
    monkeypatch.setattr(bodies, "FEWEST_EXPORTED", 100)
    read = []
    by_graph = bodies._by_graph
    monkeypatch.setattr(bodies, "_by_graph", lambda *those: (read.append(len(those[1])), by_graph(*those))[1])
    random = np.random.default_rng(0)
    red = random.integers(0, 2, 240)
    pixels = random.integers(0, 160, (240, 16, 16, 3)).astype(np.uint8)
    pixels[:, :, :, 0] += (90 * red).astype(np.uint8)[:, None, None]
    table = pa.table({"picture": [png(one) for one in pixels], "colour": np.array(["other", "red"])[red]})
    choices = {"pretrained": {"image": str(lite_folder)}, "keep": "network", "effort": "quick", "epochs": 12}
    model = fathom.fit(table, target="colour", baselines=(constant,), **choices)  # which proves that the graph agrees
    assert model.result["models"][0]["scores"]["accuracy"]["value"] > 0.8
    assert sum(read) > 120
    assert [len(line) for line in model.result["training"]["seen"][0]["rows"]] == [6]  # they are not varied
    theirs = EfficientNetLite(64).renamed(load_file(lite_folder / "model.safetensors"))
    weights = load(model.files["weights.safetensors"])
    kept = {name.partition(".body.")[2]: tensor for name, tensor in weights.items()}
    assert all(torch.equal(kept[name], tensor) for name, tensor in theirs.items())


def test_what_was_read_before_a_fit_was_stopped_is_not_read_again(tmp_path, monkeypatch):
    monkeypatch.setattr(remembering, "PUT_DOWN_ROWS", 10)
    rows = np.random.default_rng(0).integers(0, 256, (35, 3, 4, 4)).astype(np.uint8)
    read = []

    def reading(some):
        if sum(read) >= 30:
            raise KeyboardInterrupt
        read.append(len(some))
        return some.reshape(len(some), -1)[:, :5].astype(np.float32)

    def taken_up():
        readings = remembering.Readings()
        readings.keep_in(tmp_path / "readings")
        return readings

    with pytest.raises(KeyboardInterrupt):
        taken_up().of("body", rows, reading)
    files = sorted((tmp_path / "readings").iterdir())
    assert len(files) == 3
    files[1].write_bytes(files[1].read_bytes()[:100])
    read.clear()
    made = taken_up().of("body", rows, reading)
    assert sum(read) == 15
    np.testing.assert_array_equal(made, rows.reshape(35, -1)[:, :5])


def spoiled(folder, tmp_path, **changes):
    """Copy the folder with some files changed or, where None, left out."""
    copy = tmp_path / "copy"
    copy.mkdir()
    for path in folder.iterdir():
        content = changes.get(path.name.replace(".", "_"), path.read_bytes())
        if content is not None:
            (copy / path.name).write_bytes(content)
    return copy


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"config_json": None}, "has no config.json"),
        ({"config_json": b"{"}, "is not JSON"),
        ({"config_json": b"[1]"}, "holds a list"),
        ({"config_json": json.dumps({**CONFIG, "model_type": "gpt2"}).encode()}, "describes 'gpt2'"),
        ({"config_json": json.dumps({**CONFIG, "hidden_size": -1}).encode()}, "hidden_size -1"),
        ({"config_json": json.dumps({**CONFIG, "hidden_size": 15}).encode()}, "do not share out"),
        ({"config_json": json.dumps({**CONFIG, "hidden_act": "relu"}).encode()}, "hidden_act 'relu'"),
        ({"vocab_txt": None}, "neither vocab.txt nor tokenizer.json"),
        ({"vocab_txt": b"a\nb\n"}, "not one of word pieces"),
        ({"vocab_txt": b"\xff\xfe"}, "is not UTF-8"),
        ({"model_safetensors": None}, "has no model.safetensors"),
    ],
)
def test_a_folder_that_cannot_be_read_is_told_from_one_that_can(changes, said, bert_folder, tmp_path):
    with pytest.raises(OptionError, match=said):
        find(str(spoiled(bert_folder, tmp_path, **changes)))


def test_weights_in_a_pickle_are_not_opened(bert_folder, tmp_path):
    folder = spoiled(bert_folder, tmp_path, model_safetensors=None)
    (folder / "pytorch_model.bin").write_bytes(b"\x80\x04.")
    with pytest.raises(OptionError, match="Weights in a pickle can run code"):
        find(str(folder))


def test_a_name_is_looked_for_among_what_was_fetched_before(bert_folder, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(OptionError, match="hf download some/little-bert --local-dir"):
        find("some/little-bert")
    place = tmp_path / "models--some--little-bert" / "snapshots" / "abc"
    place.parent.mkdir(parents=True)
    place.symlink_to(bert_folder, target_is_directory=True)
    assert find("some/little-bert").encoder == "bert"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"pretrained": {"photo": "FOLDER"}}, "no such column or kind"),
        ({"pretrained": {"size": "FOLDER"}}, "'size' was taken for number"),
        ({"pretrained": {"text": "FOLDER"}, "encoder": {"text": "lstm"}}, "both say what reads 'text'"),
        ({"fine_tune": True}, "names nothing"),
        ({"encoder": {"remark": "bert"}}, "nothing without weights"),
    ],
)
def test_wrong_settings_are_lessons(settings, said, remarks, bert_folder):
    if "pretrained" in settings:
        settings = {**settings, "pretrained": {name: str(bert_folder) for name in settings["pretrained"]}}
    table = {**remarks, "size": [place % 17 / 4 for place in range(300)]}
    with pytest.raises(OptionError, match=said):
        fathom.fit(table, target="kind", **{"columns": {"remark": "text"}, "effort": "quick", **settings})


def test_weights_of_another_network_are_refused(remarks, bert_folder, tmp_path):
    changed = json.dumps({**CONFIG, "intermediate_size": 64}).encode()
    with pytest.raises(OptionError, match="does not hold the weights"):
        fitted(remarks, spoiled(bert_folder, tmp_path, config_json=changed), epochs=1)
