"""Bad input gets one clear message and exit code 2, and nothing is left half-written."""

import csv
import os
import random
import re
import resource
import socket
from pathlib import Path

import pytest

from tests.conftest import FLIGHTS

HEADER = ("age", "job", "price")


def rows(count: int = 60) -> list[list[object]]:
    return [[20 + i % 40, ("nurse", "cook", "smith")[i % 3], 100 + 7 * i % 53] for i in range(count)]


def changed(row: int, column: int, value: object, base: list[list[object]] | None = None) -> list[list[object]]:
    table = base or rows()
    table[row][column] = value
    return table


def written(path: Path, table: list[list[object]], header: tuple[str, ...] = HEADER) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(table)


def quotes() -> bytes:
    lines = [",".join(HEADER), *(",".join(map(str, row)) for row in rows())]
    lines[7] = '26,"nurse,50'
    return "\n".join(lines).encode()


TABLES = {
    "header.csv": [],
    "one.csv": rows(1),
    "constant.csv": [[age, job, 5] for age, job, _ in rows()],
    "one_class.csv": [[age, job, "yes"] for age, job, _ in rows()],
    "gaps.csv": changed(5, 2, ""),
    "single.csv": changed(9, 2, "no", [[age, job, "yes"] for age, job, _ in rows()]),
    "ragged.csv": [[*row, *(["x"] if i == 4 else [])] for i, row in enumerate(rows())],
    "mixed.csv": changed(6, 0, "old"),
    "infinite.csv": changed(3, 0, "inf"),
    "long.csv": [[10**19 + i, job, price] for i, (_, job, price) in enumerate(rows())],
    "long_target.csv": [[age, job, 10**19 + 7919 * i] for i, (age, job, _) in enumerate(rows())],
    "good.csv": rows(),
}
BYTES = {
    "empty.csv": b"",
    "quotes.csv": quotes(),
    "binary.csv": random.Random(0).randbytes(5_000),
    "picture.csv": b"\x89PNG\r\n\x1a\n" + bytes(2_000),
}
CASES = {
    "no such file": ("goood.csv -t price", r"There is no file goood\.csv\. Did you mean 'good\.csv'\?"),
    "empty file": ("empty.csv -t price", r"empty\.csv is empty: it holds no bytes\. Was it written to the end\?"),
    "header only": (
        "header.csv -t price",
        r"header\.csv holds only a header \('age', 'job', 'price'\) and no rows\. .*",
    ),
    "target missing": (
        "good.csv -t prise",
        r"There is no column 'prise' in good\. Did you mean 'price'\? The columns are: 'age', 'job', 'price'\.",
    ),
    "target constant": (
        "constant.csv -t price",
        r"The target 'price' is '5' on all 60 rows: there is nothing to predict\. Choose a column whose values differ\.",
    ),
    "target with missing values": (
        "gaps.csv -t price",
        r"gaps\.csv, line 7: the target 'price' is missing, as on 1 of 60 rows\. A row without it cannot be learned from: "
        r"fill it in, or leave such rows out with --bad-rows skip\.",
    ),
    "one row": (
        "one.csv -t price",
        r"one has 1 row to learn from, and 20 is the fewest that can be parted into train, validation and test\. Add rows\.",
    ),
    "one class": (
        "one_class.csv -t price",
        r"The target 'price' is 'yes' on all 60 rows: there is nothing to predict\. Choose a column whose values differ\.",
    ),
    "a class of one row": (
        "single.csv -t price",
        r"single\.csv, line 11: the class 'no' of the target 'price' has this single row, and a class needs rows both to "
        r"learn from and to be judged on\. Add rows of it, join it with another class, or remove the row\.",
    ),
    "ragged rows": (
        "ragged.csv -t price",
        r"ragged\.csv, line 6: 4 cells were found where 3 were expected: '24,cook,128,x'\. Correct the file, or leave such "
        r'rows out with --bad-rows skip \(in Python: bad_rows="skip"\)\.',
    ),
    "broken quotes": (
        "quotes.csv -t price",
        r"quotes\.csv, line 8: the quote that opens here never closes: .* Close it where its cell ends; quotes inside a "
        r'cell are written doubled \(""\)\.',
    ),
    "binary file": ("binary.csv -t price", r"binary\.csv is no text: .* Export the table as CSV, or give a Parquet or Arrow file\."),
    "picture": (
        "picture.csv -t price",
        r"picture\.csv is no table: its first bytes are those of a PNG image\. Give a CSV, TSV, JSON lines, Parquet or Arrow "
        r"file; a spreadsheet or a database can export one\.",
    ),
    "mixed types": (
        "mixed.csv -t price",
        r"mixed\.csv, line 8: column 'age' holds 'old' among numbers\. Correct the cell, or read the column as words with "
        r"--columns age=category, or leave it out with --columns age=skip\.",
    ),
    "duplicate column names": (
        "twice.csv -t price",
        r"twice\.csv, line 1: columns have the same name: 'age' in positions 1 and 2\. Give each column a name of its own\.",
    ),
    "infinite values": (
        "infinite.csv -t price",
        r"infinite\.csv, line 5: column 'age' holds 'inf' among numbers\. Correct the cell, or read the column as words with "
        r"--columns age=category, or leave it out with --columns age=skip\.",
    ),
    "20-digit integers": (
        "long.csv -t price --columns age=number",
        r"Column 'age': Whole numbers of 20 digits would lose digits as a number: '\d{20}' becomes \d{20}\. "
        r"Read the column as words with --columns age=category, or as names with age=id\.",
    ),
    "20-digit target": (
        "long_target.csv -t price",
        r"Column 'price' looks like an id column \(all 60 cells differ and are long whole numbers, such as "
        r"10000000000000000000\), which cannot be predicted\. Choose another target, or say what it is with "
        r"--columns price=number or price=category\.",
    ),
    "no column left": (
        "alone.csv -t price",
        r"No column is left to predict from\. The table holds nothing but the target\. Add a column that may tell something\.",
    ),
    "unknown kind": (
        "good.csv -t price --columns age=nummer",
        r"There is no kind of column called 'nummer'\. Did you mean 'number'\? The kinds are: number, yes_no, category, date, id, .*\.",
    ),
    "no value for a column": (
        "good.csv -t price --columns age",
        r"--columns has 'age', where NAME=VALUE is expected, for example --columns age=number,zip=category\.",
    ),
    "unknown metric": (
        "good.csv -t price --metric rmsee",
        r"There is no metric 'rmsee'\. Did you mean 'rmse'\? Choose one of: rmse, mae, median_error, mse, r2\.",
    ),
    "metric of the other task": (
        "good.csv -t price --metric accuracy",
        r"The metric 'accuracy' judges classes, but the target is numbers\. Choose one of: rmse, mae, median_error, mse, r2\.",
    ),
    "unknown effort": ("good.csv -t price --effort quik", r"--effort is 'quik'\. Did you mean 'quick'\? It can be: quick, standard, thorough\."),
    "unknown trunk": ("good.csv -t price --trunk tab", r"--trunk is 'tab'\. Did you mean 'tabm'\? It can be: tabm, mlp, transformer\."),
    "unknown encoder": ("good.csv -t price --encoder number=foo", r"There is no encoder 'foo' for scalar columns\. There are: piecewise, periodic\."),
    "unknown group": ("good.csv -t price --group jobs", r"There is no column 'jobs' in good\. Did you mean 'job'\? .*"),
    "time that is none": (
        "good.csv -t price --time job",
        r"The time column 'job' holds neither dates nor numbers, for example 'nurse'\. Name another with --time\.",
    ),
    "no minutes": ("good.csv -t price --minutes 0", r"--minutes is 0\.0, and must be more than 0\."),
    "folder in use": (
        "good.csv -t price --out full",
        r"full is there already, and a run never writes over another\. Name a new folder with --out, or remove it\.",
    ),
    "test rows of other columns": (
        "good.csv -t price --test alone.csv",
        r"The test rows \(alone\) have no column 'age', which good has\. Give both the same columns\.",
    ),
}  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    for name, table in TABLES.items():
        written(tmp_path / name, table)
    for name, content in BYTES.items():
        (tmp_path / name).write_bytes(content)
    written(tmp_path / "twice.csv", rows(), ("age", "age", "price"))
    written(tmp_path / "alone.csv", [[price] for _, _, price in rows()], ("price",))
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("keep me")
    return tmp_path


@pytest.mark.parametrize(("arguments", "message"), [*CASES.values()], ids=[*CASES])
def test_bad_input_gets_one_clear_message(arguments, message, folder, command):
    before = set(folder.rglob("*"))
    outcome = command("fit", *arguments.split())
    assert outcome.code == 2
    assert outcome.out == ""
    last = [line for line in outcome.err.splitlines() if not line.startswith(("Reading:", "Recognising columns:"))]
    assert re.fullmatch(rf"fathom: {message}", "\n".join(last), re.DOTALL), outcome.err
    assert set(folder.rglob("*")) - before <= {folder / "runs"}
    assert not (folder / "runs").exists() or not [*(folder / "runs").iterdir()]


def test_an_unknown_option_is_an_error_with_a_suggestion(folder, command):
    outcome = command("fit", "good.csv", "--targt", "price")
    assert outcome.code == 2
    assert "No such option: --targt" in outcome.err and "--target" in outcome.err


def test_an_unknown_command_is_an_error_with_a_suggestion(command):
    outcome = command("fitt", "x.csv")
    assert (outcome.code, outcome.err) == (
        2,
        "fathom: there is no command 'fitt'. Did you mean 'fit'? There are: "
        "fit, predict, report, check, explain, trace, inspect, compress, pack, serve, watch, update, label.\n",
    )


def test_a_folder_that_another_fit_is_writing_is_left_to_it(folder, command):
    from fathom.chapters.running import RunFolder

    with RunFolder.reserve(folder / "busy") as run:
        outcome = command("fit", "good.csv", "-t", "price", "--out", "busy")
        assert outcome.code == 2
        assert outcome.err == (
            f"fathom: busy is being written by another fit (process {os.getpid()} on {socket.gethostname()}). "
            "Wait for it, or name another folder with --out.\n"
        )
        run.write({"result.json": b"{}"})
    assert (folder / "busy" / "result.json").read_bytes() == b"{}"


def test_what_a_fit_that_is_gone_left_behind_is_taken_over(folder, command):
    staging = folder / ".busy.unfinished"
    staging.mkdir()
    (staging / "lock").touch()
    (staging / "owner.json").write_text('{"process": 1, "machine": "gone"}')
    outcome = command("fit", "one.csv", "-t", "price", "--out", "busy")
    assert "one has 1 row" in outcome.err
    assert not staging.exists()


def test_a_disk_that_takes_no_more_leaves_nothing_behind(flights, tmp_path):
    from fathom.chapters.running import RunFolder
    from fathom.errors import OutputError

    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, limit[1]))
    try:
        with (
            pytest.raises(
                OutputError,
                match=r"run cannot be written; nothing was left half-written\. The file would be larger than this system allows\. Raise the limit, or name another place\.$",
            ),
            RunFolder.reserve(tmp_path / "run") as run,
        ):
            run.write({"bundle/model.json": b"x" * 10_000})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert [*tmp_path.iterdir()] == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_predicting_to_a_full_disk_says_so(late_run, command):
    (Path.cwd() / "full.csv").symlink_to("/dev/full")
    outcome = command("predict", late_run, FLIGHTS, "-o", "full.csv")
    assert outcome.code == 2
    assert outcome.err == (
        "fathom: full.csv cannot be written; nothing was left half-written. The disk is full. Free some room, or name another place.\n"
    )


def test_a_bundle_with_a_changed_byte_is_refused(late_run, tmp_path, command):
    import shutil

    shutil.copytree(late_run / "bundle", tmp_path / "bundle")
    path = tmp_path / "bundle" / "model.json"
    path.write_bytes(path.read_bytes().replace(b"LightGBM", b"LightGBN").replace(b'"linear"', b'"lineas"'))
    outcome = command("predict", "bundle", FLIGHTS)
    assert outcome.code == 2
    assert outcome.err == (
        "fathom: bundle/model.json was changed after it was saved: its SHA-256 is not the manifest's. Copy the bundle again, whole.\n"
    )
