"""A table larger than memory is fitted and answered as any other, from a sample, from arrays on the disk and block by block."""

import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest
import torch

import fathom
from fathom.answering import answer_blocks, is_large
from fathom.baselines import constant, linear
from fathom.chapters import storing
from fathom.chapters.preparing import prepare
from fathom.chapters.running import can_go_on
from fathom.chapters.storing import batch_reader, encode_rows
from fathom.chapters.surveying import open_larger, survey
from fathom.data.encoding import encode_inputs, encode_targets
from fathom.data.files import text_streams
from fathom.data.files.writing import write
from fathom.data.modalities import MODALITIES
from fathom.data.rows.splitting import TRAIN, VALIDATION
from fathom.data.table import Table
from fathom.errors import TableError
from fathom.progress import Silent
from fathom.settings import Settings
from fathom.training.batching import StoredRows, as_batch, shuffled
from tests.conftest import FLIGHTS

TINY = 0.0004  # GB: a quarter of it is less than 1,500 flights take
QUICK = {"effort": "quick", "epochs": 2, "baselines": (constant, linear), "memory": TINY}


@pytest.fixture
def flights_file(flights, tmp_path, monkeypatch):
    """1,500 flights in three files, of which a block is some 50 rows."""
    monkeypatch.setattr(text_streams, "PARSED", 8_192)
    for number, rows in enumerate(np.array_split(np.arange(flights.rows), 3)):
        write(flights.take(rows), tmp_path / f"flights-{number}.csv")
    return str(tmp_path / "*.csv")


def surveyed(source, folder, target="late", test=None, **settings):
    chosen = Settings.of({"memory": TINY, **settings})
    opened = open_larger(source, chosen, Silent())
    assert opened is not None
    return survey(opened, target, test, chosen, MODALITIES, Silent(), folder)


@pytest.mark.parametrize(
    ("target", "settings"),
    [
        ("late", {}),
        (["temperature_f", "origin"], {"bad_rows": "skip"}),
        ("late", {"group": "aircraft_maker"}),
        ("late", {"group": "departure"}),
        ("late", {"time": "departure"}),
        ("late", {"weight": "distance_miles", "class_weights": True}),
    ],
)
def test_rows_are_parted_and_encoded_and_columns_learn_as_in_memory(flights_file, tmp_path, target, settings):
    chosen = Settings.of(settings)
    whole = prepare(flights_file, target, None, chosen, MODALITIES, Silent())
    found = encode_rows(surveyed(flights_file, tmp_path / "e", target, **settings), tmp_path / "e", Silent())
    assert found.columns == whole.columns
    assert found.split.part.tolist() == whole.split.part.tolist()
    assert found.split.fingerprint == whole.split.fingerprint
    assert found.counts == whole.counts
    assert [found.table.place(row) for row in range(found.table.rows)] == [
        whole.table.place(row) for row in range(whole.table.rows)
    ]
    batch = batch_reader(found, chosen)(0, found.counts["train"])
    for shape, array in encode_inputs(whole.columns, whole.train).items():
        assert np.array_equal(batch.inputs[shape].numpy(), array)
    for name, array in encode_targets(whole.columns, whole.train).items():
        assert np.array_equal(batch.truth[name].numpy(), array)
    if "weight" in settings:
        from fathom.chapters.candidates import training_weights

        expected = training_weights(whole, chosen, encode_targets(whole.columns, whole.train))["late"]
        assert np.allclose(batch.weights["late"].numpy(), expected, rtol=1e-5)


def test_the_users_own_test_rows_judge_and_no_others(flights, flights_file, tmp_path):
    test = flights.take(np.arange(0, 1_500, 10))
    whole = prepare(flights_file, "late", test, Settings(), MODALITIES, Silent())
    found = encode_rows(surveyed(flights_file, tmp_path / "e", test=test), tmp_path / "e", Silent())
    assert found.split.part.tolist() == whole.split.part.tolist() and found.split.own_test
    assert found.counts == whole.counts
    assert found.warnings == (
        "150 of the 150 test rows stand, cell for cell, among the other rows too: their scores are better than they should be.",
    )


def test_beside_own_test_rows_time_parts_the_others_as_in_memory(flights, flights_file, tmp_path):
    test = flights.take(np.arange(0, 1_500, 10))
    settings = {"time": "departure"}
    whole = prepare(flights_file, "late", test, Settings.of(settings), MODALITIES, Silent())
    found = surveyed(flights_file, tmp_path / "e", test=test, **settings)
    assert found.split.part.tolist() == whole.split.part.tolist()
    assert found.split.how.startswith(whole.split.how) and "that are no test rows are validation" in whole.split.how
    departures = np.array(whole.table.column("departure").to_pylist(), "datetime64[m]")
    assert departures[whole.split.part == VALIDATION].min() > departures[whole.split.part == TRAIN].max()


def test_a_fit_in_blocks_says_so_and_how_it_judged(flights, flights_file):
    told = []

    class Telling(Silent):
        def say(self, sentence):
            told.append(sentence)

    model = fathom.fit(flights_file, "late", progress=Telling(), **QUICK)
    assert told[0].startswith("The table would take about ")
    assert model.result["rows"]["total"] == 1_500
    assert model.result["rows"]["train"] + model.result["rows"]["validation"] + model.result["rows"]["test"] == 1_500
    assert "a sample of 1,500 of the 1,500 rows" in model.result["split"]["how"]
    assert model.predict(flights).rows == 1_500


def test_an_interrupted_encoding_goes_on_where_it_stopped(flights_file, tmp_path, monkeypatch):
    whole = encode_rows(surveyed(flights_file, tmp_path / "whole"), tmp_path / "whole", Silent())
    seen: list[int] = []
    check = storing.check_block

    def stop_after_900(table, *others):
        seen.append(table.rows)
        if sum(seen) > 900:
            raise KeyboardInterrupt
        check(table, *others)

    monkeypatch.setattr(storing, "check_block", stop_after_900)
    with pytest.raises(KeyboardInterrupt):
        fathom.fit(flights_file, "late", out=tmp_path / "run", **QUICK)
    assert can_go_on(tmp_path / "run")
    before = sum(seen[:-1])
    seen.clear()
    monkeypatch.setattr(storing, "check_block", lambda table, *others: seen.append(table.rows) or check(table, *others))
    folder = tmp_path / ".run.unfinished" / "encoded"
    rest = encode_rows(surveyed(flights_file, folder), folder, Silent())
    assert 700 < before <= 900 and sum(seen) == 1_500 - before
    assert rest.counts == whole.counts
    for name, array in whole.larger.stored.read(0, whole.larger.stored.rows).items():
        assert np.array_equal(rest.larger.stored.read(0, rest.larger.stored.rows)[name], array)
    model = fathom.fit(flights_file, "late", out=tmp_path / "run", resume=True, **QUICK)
    assert model.result["rows"]["total"] == 1_500
    names = {path.name for path in (tmp_path / "run").iterdir()}
    assert {"bundle", "report.html", "result.json", "test_rows.npy"} <= names and "encoded" not in names


@pytest.mark.parametrize(
    ("name", "cell", "lesson"),
    [
        (
            "temperature_f",
            "mild",
            "column 'temperature_f' holds 'mild' among numbers. Correct the cell, or read the column as words with "
            "--columns temperature_f=category, or leave it out with --columns temperature_f=skip.",
        ),
        (
            "late",
            "",
            "the target 'late' is missing, as on 1 of ",
        ),
        (
            "late",
            "perhaps",
            "the class 'perhaps' of the target 'late' has this single row, and a class needs rows both to learn from and to be judged on. "
            "Add rows of it, join it with another class, or remove the row.",
        ),
    ],
)
def test_a_cell_that_cannot_be_used_is_named_by_file_and_line(flights_file, tmp_path, name, cell, lesson):
    file = tmp_path / "flights-2.csv"
    table = fathom.read(file)
    cells = table.column(name).to_pylist()
    cells[440] = cell
    write(table.with_column(name, pa.array(cells)), file)
    with pytest.raises(TableError) as found:
        encode_rows(surveyed(flights_file, tmp_path / "e"), tmp_path / "e", Silent())
    assert str(found.value).startswith(f"{file}, line 442: {lesson}")


# ------------------------------------------------------------------------------------------------------------------- batches from the disk


def stored_rows(total: int, rows: int, **sizes) -> StoredRows:
    numbers = np.arange(total, dtype=np.int32)

    def read(start, stop):
        part = numbers[start:stop]
        return as_batch({"code": part[:, None]}, {"y": part}, {"y": part.astype(float)})

    return StoredRows(read, total, rows, read(0, 3), **sizes)


@pytest.mark.parametrize(
    ("total", "window", "block"), [(1_000, 200, 16), (1_003, 64, 64), (50, 1_000, 2_048), (999, 1, 7)]
)
def test_an_epoch_from_the_disk_gives_every_row_once_in_even_batches(total, window, block):
    rows = stored_rows(total, total, window=window, block=block)
    generator = torch.Generator().manual_seed(1)
    epochs = [[batch.truth["y"] for batch in shuffled(rows, 32, generator)] for _ in range(2)]
    for epoch in epochs:
        assert torch.cat(epoch).sort().values.tolist() == list(range(total))
        sizes = {len(batch) for batch in epoch}
        assert max(sizes) - min(sizes) <= 1 and len(epoch) == max(1, round(total / 32))
    assert torch.cat(epochs[0]).tolist() != torch.cat(epochs[1]).tolist()


def test_an_epoch_of_fewer_rows_is_drawn_anew_from_all():
    rows = stored_rows(10_000, 500, window=128, block=16)
    generator = torch.Generator().manual_seed(1)
    epochs = [torch.cat([batch.truth["y"] for batch in shuffled(rows, 50, generator)]) for _ in range(3)]
    assert all(len(set(epoch.tolist())) == 500 and epoch.max() > 8_000 for epoch in epochs)
    assert len(set(torch.cat(epochs).tolist())) > 1_200


def test_an_epoch_goes_on_after_any_number_of_batches_bit_for_bit():
    rows = stored_rows(1_003, 900, window=100, block=16)
    state = torch.Generator().manual_seed(5).get_state()

    def batches(skip):
        generator = torch.Generator()
        generator.set_state(state)
        return [batch.truth["y"].tolist() for batch in shuffled(rows, 32, generator, skip)], generator.get_state()

    whole, after = batches(0)
    for skip in (1, 5, 13, len(whole) - 1, len(whole)):
        rest, then = batches(skip)
        assert rest == whole[skip:]
        assert torch.equal(then, after)


def test_neighbours_are_parted_by_shuffling():
    rows = stored_rows(20_000, 20_000, window=4_000, block=64)
    first = next(shuffled(rows, 256, torch.Generator().manual_seed(0))).truth["y"].double()
    assert first.std() > 4_000  # of 5,774 for a uniform draw; 74 for neighbours
    assert (first.diff().abs() == 1).sum() < 20


# ------------------------------------------------------------------------------------------------------------------- answers in blocks


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_rows_answered_in_blocks_are_answered_as_in_memory(late_run, flights, flights_file, tmp_path, ending):
    model = fathom.load(late_run)
    if ending == ".parquet":
        typed = Table(flights.arrow, name="typed")
        write(typed, tmp_path / "rows.parquet")
    source = flights_file if ending == ".csv" else tmp_path / "rows.parquet"
    rows = answer_blocks(model, source, tmp_path / f"answers{ending}")
    expected = model.predict(flights)
    answers = fathom.read(tmp_path / f"answers{ending}")
    assert rows == answers.rows == 1_500
    assert answers.column("late").to_pylist() == expected.column("late").to_pylist()
    found = np.array([float(value) for value in answers.column("late=yes").to_pylist()])
    assert np.allclose(found, expected.column("late=yes").to_numpy(), atol=1e-6)


def test_the_command_answers_large_files_in_blocks_and_says_so(late_run, flights_file, command, tmp_path):
    assert is_large(flights_file, TINY) and not is_large(flights_file, 1.0)
    once = command("predict", late_run, flights_file, "-o", tmp_path / "a.parquet")
    assert once.code == 0
    blocks = command("predict", late_run, flights_file, "-o", tmp_path / "b.parquet", "--memory", TINY)
    assert blocks.code == 0
    assert "1,500 rows were answered in blocks (--memory); rows answered so are not scored." in blocks.err
    assert fathom.read(tmp_path / "a.parquet").arrow.equals(fathom.read(tmp_path / "b.parquet").arrow)


def test_memory_stays_bounded_whatever_the_size_of_the_file(tmp_path):
    """Ten times the rows take no more memory: some blocks and a sample are held, not the table."""
    code = f"""
import resource, sys
from pathlib import Path
from fathom.data.files import text_streams
from fathom.data.modalities import MODALITIES
from fathom.progress import Silent
from fathom.settings import Settings
from fathom.chapters.storing import encode_rows
from fathom.chapters.surveying import open_larger, survey
text_streams.PARSED = 1 << 17
header, *lines = Path({str(FLIGHTS)!r}).read_text().splitlines(keepends=True)
def peak(name, times):
    folder = Path({str(tmp_path)!r})
    file = folder / (name + ".csv")
    with file.open("w") as to:
        to.write(header)
        for _ in range(times):
            to.writelines(lines[:5_000])
    settings = Settings(memory=0.0001)
    prepared = survey(open_larger(file, settings, Silent()), "late", None, settings, MODALITIES, Silent(), folder / name)
    rows = encode_rows(prepared, folder / name, Silent()).counts["total"]
    return rows, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
few, small = peak("few", 1)
many, large = peak("many", 10)
print(few, many, large - small)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=200, check=False)
    assert not done.returncode, done.stderr
    few, many, grown = map(float, done.stdout.split())
    assert (few, many) == (5_000, 50_000)
    assert grown < 8, f"{grown:.1f} MB more for {many:,.0f} rows than for {few:,.0f}"
