"""A model is renewed from new rows: sealed rows stay sealed, the gate can refuse for each of its reasons, and nothing is served unasked."""

import json
import shutil
from contextlib import closing
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

import fathom
from fathom.chapters.sealing import looks_of
from fathom.data.encoding import Column
from fathom.data.files.writing import write
from fathom.data.modalities import MODALITIES
from fathom.data.rows.splitting import TEST, row_hashes
from fathom.data.table import Table
from fathom.errors import BundleError, OptionError, TableError
from fathom.renewal.gating import judge_update
from fathom.renewal.origins import origin_on, read_as
from fathom.renewal.renewing import base_of, join_rows
from fathom.renewal.updating import consider, shelf_of, update
from fathom.service.contract import Answered
from fathom.service.records.recording import Recording, entries_of
from fathom.service.records.store import open_store
from fathom.service.shelf.versions import open_shelf
from fathom.settings import Settings
from tests.conftest import FLIGHTS, QUICK

PART = 700  # rows of the old table, and of the new one


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    """Old rows and new ones, as files."""
    table = fathom.read(FLIGHTS)
    order = np.random.default_rng(0).permutation(table.rows)
    folder = tmp_path_factory.mktemp("tables")
    for name, start in (("old.csv", 0), ("new.parquet", PART)):
        write(table.take(order[start : start + PART]), folder / name)
    return folder


@pytest.fixture(scope="module")
def fitted(tables, tmp_path_factory):
    """A run of a network, and what updating it came to."""
    run = tmp_path_factory.mktemp("runs") / "late"
    fathom.fit(tables / "old.csv", target="late", keep="network", out=run, **QUICK)
    return run, update(run, tables / "new.parquet", who="ada", why="a new month")


@pytest.fixture
def run(fitted, tmp_path):
    """A copy of the run with its shelf, to change."""
    return shutil.copytree(fitted[0], tmp_path / "late")


def flipped(table, share, seed=0):
    """Return rows of which a share has the other label."""
    late = np.asarray(table.column("late").to_pylist())
    wrong = np.random.default_rng(seed).permutation(len(late))[: round(share * len(late))]
    late[wrong] = np.where(late[wrong] == "yes", "no", "yes")
    return table.with_column("late", pa.array(late.tolist()))


def test_an_update_goes_on_from_the_old_weights_and_serves_nothing_yet(fitted):
    _, done = fitted
    assert done.how == "from the old weights"
    state = done.shelf.state()
    assert (
        state.live != done.version
        and state.in_use == {state.live}
        and done.shelf.versions() == [state.live, done.version]
    )
    old, new = (fathom.load(done.shelf.folder(version)) for version in (state.live, done.version))
    assert old.description.columns == new.description.columns  # as they were learned
    assert old.files["weights.safetensors"] != new.files["weights.safetensors"]
    said = [entry["what"] for entry in done.shelf.log()]
    assert said == ["add", "add", f"gate {'passed' if done.gate.passed else 'refused'}"]


def test_every_look_at_the_frozen_rows_is_counted_in_the_run(fitted, late_run, tmp_path):
    run, done = fitted
    frozen = origin_on(done.shelf.path).frozen
    assert looks_of(run)[-1]["what"] == f"an update was judged ({frozen.rows} of the test rows)"
    assert any(
        f"at the {frozen.rows} frozen rows was written down in {run / 'looks.json'}" in note for note in done.notes
    )
    # a shelf elsewhere knows its run; where that is gone, the look is written down on the shelf
    home = shutil.copytree(run, tmp_path / "late", ignore=shutil.ignore_patterns("shelf"))
    shelf, _ = shelf_of(home, tmp_path / "shelf")
    before = len(looks_of(home))
    consider(shelf.path, late_run / "bundle")
    assert looks_of(home)[before:][0]["what"].startswith("a bundle from elsewhere was judged for the shelf")
    shutil.rmtree(home)
    shutil.rmtree(shelf.path / "gates")
    for version in shelf.versions():
        if version != shelf.state().live:
            shutil.rmtree(shelf.folder(version))
    consider(shelf.path, late_run / "bundle")
    assert len(looks_of(shelf.path)) == 1


def test_what_the_gate_said_stands_in_json_in_the_page_and_in_the_log(fitted):
    _, done = fitted
    said = done.shelf.gate(done.version)
    asked = [finding["name"] for finding in said["findings"]]
    assert asked == ["frozen rows", "latest rows", "slices", "calibration", "missing cells", "damaged cells", "parity"]
    assert all(
        finding["sentence"] and finding["answer"] in ("passed", "refused", "not judged") for finding in said["findings"]
    )
    page = done.page.read_text()
    assert said["who"] == "ada" and "a new month" in page and "default-src &#39;none&#39;" in page
    assert json.loads((done.shelf.path / "gates" / f"{done.version}.json").read_text())["passed"] == done.gate.passed


def test_the_frozen_rows_are_the_test_rows_of_the_fit_and_never_learned_from(fitted, tables):
    run, done = fitted
    origin = origin_on(done.shelf.path)
    assert np.array_equal(np.sort(row_hashes(origin.frozen)), np.load(run / "test_rows.npy"))
    base = base_of(origin, origin.table(), MODALITIES)
    old = fathom.load(done.shelf.folder(done.shelf.state().live))
    new = read_as(str(tables / "new.parquet"), origin.settings, origin.targets)
    # sealed rows come back: as they were, and with the other label
    degrees = [float(cell) if cell else None for cell in origin.frozen.column("temperature_f").to_pylist()]
    written = origin.frozen.with_column("temperature_f", pa.array(degrees))  # 46.0 is written 46
    again = [origin.frozen, flipped(origin.frozen, 1.0), flipped(written, 0.5), new]
    renewal = join_rows(origin, base, again, old.columns, MODALITIES)
    assert any("cell for cell" in note for note in renewal.notes) and any(
        "inputs of a sealed row" in note for note in renewal.notes
    )
    taught = renewal.table.take(np.flatnonzero(renewal.split.part != TEST))
    inputs = [name for name in taught.names if name != "late"]
    assert not np.isin(row_hashes(taught.select(inputs)), row_hashes(origin.frozen.select(inputs))).any()
    assert renewal.table.rows == base.table.rows + new.rows
    assert np.array_equal(renewal.split.part[: base.table.rows], base.split.part)


def test_new_rows_are_parted_by_their_hash_whatever_comes_with_them(fitted, tables):
    _, done = fitted
    origin = origin_on(done.shelf.path)
    base = base_of(origin, origin.table(), MODALITIES)
    columns = fathom.load(done.shelf.folder(done.version)).columns
    new = read_as(str(tables / "new.parquet"), origin.settings, origin.targets)
    halves = [new.take(np.arange(0, new.rows, 2)), new.take(np.arange(1, new.rows, 2))]

    def sealed(renewal):
        return set(row_hashes(renewal.table.take(renewal.split.rows(TEST))).tolist())

    whole = sealed(join_rows(origin, base, [new], columns, MODALITIES))
    apart = [sealed(join_rows(origin, base, [half], columns, MODALITIES)) for half in halves]
    assert apart[0] | apart[1] == whole and 0.05 < (len(whole) - len(origin.sealed)) / new.rows < 0.25


def test_the_same_rows_again_are_refused_with_a_lesson(run, tables):
    with pytest.raises(TableError, match="None of the new rows is new"):
        update(run, tables / "old.csv")
    assert len(open_shelf(run / "shelf").versions()) == 2


def test_promoted_rows_stay_with_the_model_for_the_next_update(run, fitted, tables, tmp_path):
    done = fitted[1]
    shelf = open_shelf(run / "shelf")
    (shelf.path / "gates" / f"{done.version}.json").write_text(
        json.dumps({**shelf.gate(done.version), "passed": True, "reasons": []})
    )
    shelf.promote(done.version, who="ada")
    further = fathom.read(FLIGHTS).take(np.arange(300))
    again = update(run, further, anew=True, settings={"epochs": 1})
    assert again.how == "anew"
    said = shelf.gate(again.version)
    assert len(said["rows"]) == 2 and said["counts"]["total"] > 2 * PART
    (shelf.path / "rows" / f"{said['rows'][0]}.arrow").write_bytes(b"else")
    with pytest.raises(BundleError, match="was changed"):
        update(run, fathom.read(FLIGHTS).take(np.arange(300, 500)))


def test_a_simpler_model_is_fitted_anew(late_run, tmp_path):
    run = shutil.copytree(late_run, tmp_path / "late")
    rows = fathom.read(FLIGHTS)
    shelf, _ = shelf_of(run, table=_saved(rows.take(np.arange(0, 400)), tmp_path))
    done = update(shelf.path, rows.take(np.arange(400, 800)))
    assert "a simpler model has no weights" in done.how
    assert fathom.load(shelf.folder(done.version)).description.kind == "baseline"


def _saved(table, folder):
    write(table, folder / "table.parquet")
    return folder / "table.parquet"


def test_without_frozen_rows_the_gate_refuses(fitted, tables):
    done = fitted[1]
    old = fathom.load(done.shelf.folder(done.shelf.state().live))
    gate = judge_update(old, old, None, fathom.read(tables / "new.parquet"), Settings())
    assert not gate.passed and "no frozen rows" in gate.refusals[0]


def test_the_gate_passes_a_model_that_is_the_same(fitted):
    done = fitted[1]
    old = fathom.load(done.shelf.folder(done.shelf.state().live))
    frozen = origin_on(done.shelf.path).frozen
    gate = judge_update(old, old, frozen, frozen, Settings())
    assert gate.passed, gate.refusals


@pytest.mark.parametrize("planted", ["worse", "worse for some", "too sure", "fragile", "of another kind"])
def test_each_question_refuses_what_was_planted_for_it(fitted, two_targets, planted):
    done = fitted[1]
    old = fathom.load(done.shelf.folder(done.shelf.state().live))
    frozen = origin_on(done.shelf.path).frozen
    truth = np.asarray(frozen.column("late").to_pylist())
    codes = (truth == "yes").astype(int)
    home = frozen.column("origin").to_numpy(zero_copy_only=False) == "JFK"
    fair = np.full((frozen.rows, 2), 0.5)

    class Planted:
        """A model that answers the frozen rows as told, and damaged ones with their own answers."""

        def __init__(self, answers, damaged=None):
            self.answers, self.damaged = answers, answers if damaged is None else damaged
            self.description, self.columns, self.files = old.description, old.columns, old.files

        def checked(self, rows):
            return old.checked(rows)

        def answer(self, rows):
            whole = rows.rows == frozen.rows and rows.arrow.equals(old.checked(frozen).arrow)
            if rows.rows < frozen.rows:
                return {"late": np.full((rows.rows, 2), 0.5)}
            return {"late": self.answers if whole else self.damaged}

    def sure(of):
        return np.stack([np.where(codes == 1, 1 - of, of), np.where(codes == 1, of, 1 - of)], axis=1)

    before, after, question = {
        "worse": (Planted(sure(0.6)), Planted(sure(0.55)), "frozen rows"),
        "worse for some": (Planted(fair), Planted(np.where(home[:, None], sure(0.4), sure(0.6))), "slices"),
        "too sure": (
            Planted(fair),
            Planted(np.where((np.arange(len(codes)) % 8 == 0)[:, None], sure(0.02), sure(0.9999))),
            "calibration",
        ),
        "fragile": (Planted(fair), Planted(sure(0.6), damaged=sure(0.3)), "missing cells"),
        "of another kind": (Planted(fair), two_targets, "frozen rows"),
    }[planted]
    gate = judge_update(before, after, frozen, None, Settings())
    answers = {finding.name: finding.answer for _, finding in gate.findings}
    assert not gate.passed and answers[question] == "refused", answers


def test_rows_of_a_group_count_together_at_the_gate(fitted):
    """Twenty copies of a row say no more than the row: what is chance among sixty rows is still chance."""
    done = fitted[1]
    old = fathom.load(done.shelf.folder(done.shelf.state().live))
    frozen = origin_on(done.shelf.path).frozen
    few = np.arange(60).repeat(20)
    rows = Table(frozen.take(few).arrow.append_column("flight", pa.array(few)))
    random = np.random.default_rng(5)
    before, after = (
        {"late": np.stack((1 - late, late), axis=1)[few]}
        for late in np.clip(0.25 + random.normal(0, 0.15, (2, 60)), 0.02, 0.98)
    )

    class Planted:
        """A model that answers as told."""

        def __init__(self, told, columns):
            self.told, self.columns = told, columns
            self.description, self.files = replace(old.description, columns=columns), old.files

        def checked(self, rows):
            return rows

        def answer(self, rows):
            return self.told if rows.rows == len(few) else {"late": np.full((rows.rows, 2), 0.5)}

    answers = []
    grouped = (*old.columns, Column("flight", "group", None, 1.0, "you said so", None))
    for columns in (old.columns, grouped):
        gate = judge_update(Planted(before, columns), Planted(after, columns), rows, None, Settings())
        answers.append({finding.name: finding.answer for _, finding in gate.findings})
    assert [one["slices"] for one in answers] == ["refused", "passed"]


def test_a_version_that_the_gate_refused_answers_nobody(run, fitted):
    done = fitted[1]
    shelf = open_shelf(run / "shelf")
    said = {**shelf.gate(done.version), "passed": False, "reasons": ["It is worse."]}
    (shelf.path / "gates" / f"{done.version}.json").write_text(json.dumps(said))
    for step in (lambda: shelf.promote(done.version, who="ada"), lambda: shelf.canary(done.version, 0.1, who="ada")):
        with pytest.raises(OptionError, match="It is worse"):
            step()
    assert shelf.shadow(done.version, who="ada").shadow == done.version  # it may be looked at


def test_a_bundle_from_elsewhere_meets_the_same_gate(run, fitted, tables, tmp_path):
    good = open_shelf(run / "shelf")
    bundle = shutil.copytree(good.folder(fitted[1].version), tmp_path / "bundle")
    other, _ = shelf_of(fitted[0], shelf=tmp_path / "other")
    done = consider(other.path, bundle, who="ada")
    assert done.version == fitted[1].version and done.gate.findings[0][1].answer == fitted[1].gate.findings[0][1].answer
    with pytest.raises(OptionError, match="live"):
        consider(other.path, other.folder(other.state().live))


def test_frozen_rows_that_were_changed_are_noticed(run, tables):
    path = run / "shelf" / "frozen.arrow"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(BundleError, match=r"frozen\.arrow was changed"):
        update(run, tables / "new.parquet")


def test_wrong_rows_and_settings_are_lessons(run, tables, tmp_path):
    new = fathom.read(tables / "new.parquet")
    with pytest.raises(TableError, match="no column 'late'"):
        update(run, new.select([name for name in new.names if name != "late"]))
    with pytest.raises(TableError, match="no column 'airline'"):
        update(run, new.select([name for name in new.names if name != "airline"]))
    with pytest.raises(OptionError, match="'group' says what rows"):
        update(run, new, settings={"group": "airline"})
    with pytest.raises(OptionError, match="margin"):
        update(run, new, margin=1.5)
    (tmp_path / "empty").mkdir()
    with pytest.raises(BundleError, match="not a bundle"):
        update(tmp_path / "empty", new)
    assert len(open_shelf(run / "shelf").versions()) == 2


def test_the_command_renews_promotes_and_undoes(run, fitted, tables, command):
    shelf = open_shelf(run / "shelf")
    old, new = shelf.state().live, fitted[1].version
    (shelf.path / "gates" / f"{new}.json").write_text(json.dumps({**shelf.gate(new), "passed": True, "reasons": []}))
    assert command("update", run).out.count("gate:") == 2
    assert command("update", run, "--promote", "newest", "--who", "ada").code == 0 and shelf.state().live == new
    assert command("update", run, "--undo").code == 0 and shelf.state().live == old
    assert command("update", run, "--require-approval", "--canary", "newest=0.25").code == 0
    assert shelf.state().canary is None
    assert "--who" in command("update", run, "--approve").err
    assert command("update", run, "--approve", "--who", "bob").code == 0 and shelf.state().canary.share == 0.25
    assert "bob  approve" in command("update", run, "--log").out
    for wrong, lesson in (
        (("--promote", "newest", "--undo"), "one step each"),
        (("--canary", "newest"), "VERSION=SHARE"),
        (("--anew",), "--with FILE"),
        (("--promote", "abc"), "no version 'abc'"),
    ):
        outcome = command("update", run, *wrong)
        assert outcome.code == 2 and lesson in outcome.err and "Traceback" not in outcome.err


@pytest.fixture
def store(run, tables):
    """What a server has recorded of the new rows, most of which have turned out to be late or not."""
    rows, path = fathom.read(tables / "new.parquet"), run / "requests.sqlite"
    model = fathom.load(run)
    bare = rows.select([name for name in rows.names if name != "late"])
    with closing(open_store(path, write=True)) as kept:
        answered = Answered("r1", "late", "v", bare, model.predict(bare), 1.0, 0.1)
        kept.write(entries_of(answered, Recording())[0])
        kept.learn(("r1", row, "late", value) for row, value in enumerate(rows.column("late").to_pylist()[:500]))
    return path


def test_the_command_says_what_the_gate_said_and_exits_by_it(run, store, command):
    shelf = open_shelf(run / "shelf")
    outcome = command("update", run, "--with", store, "--anew", "--promote", "newest")
    assert shelf.gate(shelf.versions()[-1])["counts"]["total"] == PART + 500
    version = shelf.versions()[-1]
    passed = shelf.gate(version)["passed"]
    assert outcome.code == (0 if passed else 1) and (shelf.state().live == version) == passed
    assert "frozen rows" in outcome.out and "Why:" in outcome.out


def test_a_table_larger_than_memory_is_frozen_in_blocks_and_renewed_elsewhere(tables, tmp_path, command, monkeypatch):
    """The shelf is made without reading the table whole; an update is refused before it reads it, and says the way that there is, which works."""
    run, more = tmp_path / "large", tmp_path / "more"
    made = ("--target", "late", "--effort", "quick", "--epochs", 1, "--keep", "baseline", "-q")
    assert command("fit", tables / "old.csv", *made, "--memory", 0.0004, "--out", run).code == 0
    monkeypatch.setattr("fathom.renewal.updating.read_as", lambda *given: pytest.fail("the table is read whole"))
    refused = command("update", run, "--with", tables / "new.parquet")
    assert refused.code == 2
    assert "The table of the fit would take about" in refused.err and "are for it" in refused.err
    assert f"fathom update {run / 'shelf'} --candidate RUN" in " ".join(refused.err.split())
    origin = origin_on(run / "shelf")
    assert sorted(row_hashes(origin.frozen).tolist()) == sorted(origin.sealed.tolist())
    assert len(open_shelf(run / "shelf").versions()) == 1

    assert (
        command("fit", tables / "old.csv", tables / "new.parquet", *made, "--memory", 0.0004, "--out", more).code == 0
    )
    judged = command("update", run / "shelf", "--candidate", more)
    assert judged.code in (0, 1) and f"{len(origin.sealed)}" in judged.out
    assert len(open_shelf(run / "shelf").versions()) == 2


def test_new_rows_larger_than_memory_are_refused_unread(fitted, tables, tmp_path, monkeypatch):
    shelf = open_shelf(fitted[0] / "shelf")
    before = shelf.versions()
    monkeypatch.setattr(
        "fathom.renewal.renewing.larger_than", lambda source, limit: 7_000_000_000 if "new" in str(source) else None
    )
    monkeypatch.setattr("fathom.renewal.updating.read_as", lambda *given: pytest.fail("the table is read whole"))
    with pytest.raises(OptionError, match=r"The table of new rows would take about 7\.0 GB of memory.*memory = GB"):
        update(shelf.path, tables / "new.parquet")
    assert shelf.versions() == before
