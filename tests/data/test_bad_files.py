"""Every file that is no table is refused with one clear error, which says what was found and what to do."""

import gzip
import io
import os
import zipfile
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from fathom.data.files import typed_files
from fathom.data.files.reading import read
from fathom.errors import TableError

TEXT = b"age,job\n41,nurse\n38,cook\n"
NO_TABLE = "Give a CSV, TSV, JSON lines, Parquet or Arrow file; a spreadsheet or a database can export one."
BINARY = "it looks like binary data under a text file's name. Export the table as CSV, or give a Parquet or Arrow file."


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(name, data):
    Path(name).write_bytes(data)
    return name


def message(source, **options):
    with pytest.raises(TableError) as caught:
        read(source, **options)
    return str(caught.value)


def parquet_bytes():
    sink = io.BytesIO()
    parquet.write_table(pa.table({"a": list(range(1000))}), sink)
    return sink.getvalue()


def arrow_bytes():
    sink = io.BytesIO()
    table = pa.table({"a": list(range(1000))})
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def workbook_bytes():
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("xl/workbook.xml", "<workbook/>")
    return sink.getvalue()


def test_a_name_that_names_no_file_gets_the_nearest_one():
    write("homes.csv", TEXT)
    assert message("home.csv") == "There is no file home.csv. Did you mean 'homes.csv'?"
    assert message("zz.qq") == "There is no file zz.qq. The folder . holds homes.csv."
    assert message("no/homes.csv") == "There is no file no/homes.csv: no is no folder."
    assert message("homes.csv/a") == "There is no file homes.csv/a: homes.csv is no folder."
    assert message("*.tsv") == "No file matches '*.tsv'. The folder . holds homes.csv."
    assert message("n*/*.tsv") == "No file matches 'n*/*.tsv'."
    assert (
        message("a**/x")
        == "'a**/x' cannot be read as a glob: Invalid pattern: '**' can only be an entire path component."
    )
    assert message("") == "The name of the table is empty. Give a file, a glob such as 'data/*.csv', or '-'."
    assert message("a\0b") == "'a\\x00b' is not the name of a file: it holds a NUL character."
    assert message("x" * 300) == f"{'x' * 200} cannot be opened: File name too long."
    assert message("https://a.b/c.csv") == (
        "https://a.b/c.csv is an address, and Fathom reads files of this machine only. Download it first."
    )


def test_what_is_no_regular_file_is_refused_at_once(folder):
    write("homes.csv", TEXT)
    os.mkfifo("pipe")
    Path("link.csv").symlink_to("gone.csv")
    advice = "Only regular files are read; to read what another program writes, pipe it in and give '-'."
    assert message("pipe") == f"pipe is a pipe, not a file. {advice}"
    assert message("/dev/zero") == f"/dev/zero is a device, not a file. {advice}"
    assert message("link.csv") == "link.csv is a link to gone.csv, which does not exist."
    assert message(str(folder)) == (
        f"{folder} is a folder. Give a file in it, or a glob such as '{folder}/*.csv'. "
        f"The folder {folder} holds homes.csv, link.csv, pipe."
    )


def test_a_file_that_may_not_be_read_is_refused(folder):
    write("homes.csv", TEXT)
    Path("homes.csv").chmod(0)
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)  # root may read everything
    try:
        said = message(str(folder / "homes.csv"))
    finally:
        os.seteuid(user)
    assert (
        said
        == f"{folder}/homes.csv may not be read: permission denied. Ask its owner, or run as a user who may read it."
    )


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "t.csv is empty: it holds no bytes. Was it written to the end?"),
        (gzip.compress(b"", mtime=0), "t.csv is empty: nothing is left when it is unpacked (gzip)."),
        (b" \n\r\n\t\n", "t.csv holds only blank lines. A table needs a line of names and a line for each row."),
        (b"a,b\n\n", "t.csv holds only a header ('a', 'b') and no rows. If this line is a row, say that there is no header (header=False)."),
        (b"\x89PNG\r\n\x1a\n\0\0", f"t.csv is no table: its first bytes are those of a PNG image. {NO_TABLE}"),
        (b"\x7fELF\x02\x01", f"t.csv is no table: its first bytes are those of a program (ELF). {NO_TABLE}"),
        (workbook_bytes(), f"t.csv is no table: its first bytes are those of an Excel workbook (.xlsx). {NO_TABLE}"),
        (b"PK\x05\x06" + bytes(18), f"t.csv is no table: its first bytes are those of a ZIP archive. {NO_TABLE}"),
        (b"<!DOCTYPE html><p>Log in", f"t.csv is no table: its first bytes are those of a web page (HTML). {NO_TABLE}"),
        (b"BZh91AY&SY...", f"t.csv is no table: its first bytes are those of a bzip2 archive. {NO_TABLE}"),
        (b"\x80\x04\x95...", f"t.csv is no table: its first bytes are those of a Python pickle. {NO_TABLE}"),
        (b"PARE\0\0", f"t.csv is no table: its first bytes are those of an encrypted Parquet file. {NO_TABLE}"),
        (b"RIFF\0\0\0\0WAVE", f"t.csv is no table: its first bytes are those of a WAV sound. {NO_TABLE}"),
        (bytes(257) + b"ustar", f"t.csv is no table: its first bytes are those of a tar archive. {NO_TABLE}"),
        (b"a,b\n1,2\n3,\0\n", f"t.csv, line 3: a NUL byte was found, so this is no text: {BINARY}"),
        (b"\x01\x02\x80\x90" * 99, f"t.csv is no text: 198 of its 396 bytes are control characters. {BINARY[0].upper()}{BINARY[1:]}"),
        (b"a,b\n1,2\n\xff\xfe", "t.csv is read"),
    ],
)  # fmt: skip
def test_content_that_is_no_table_is_named_for_what_it_is(data, said):
    write("t.csv", data)
    if said == "t.csv is read":  # two letters of Windows-1252 as a last line that is too short
        said = (
            "t.csv, line 3: 1 cell was found where 2 were expected: 'ÿþ'. Correct the file, or leave such rows out with "
            '--bad-rows skip (in Python: bad_rows="skip").'
        )
    assert message("t.csv") == said


def test_words_that_begin_like_a_signature_are_text():
    for name in ("PAR1", "PARENT", "ARROW1", "BZh", "FEA1", "MZ"):
        assert read(write("t.csv", name.encode() + b",b\n1,2\n")).names == (name, "b")


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("t.parquet", parquet_bytes()[:-10], "t.parquet begins as Parquet does, but cannot be read: it is damaged or cut short "
            "(Parquet magic bytes not found in footer. Either the file is corrupted or this is not a parquet file). "
            "Write it again, or copy it again."),
        ("t.arrow", arrow_bytes()[:-10], "t.arrow begins as Arrow does, but cannot be read: it is damaged or cut short "
            "(Not an Arrow file). Write it again, or copy it again."),
        ("t.parquet", TEXT, "t.parquet is named .parquet, but its first bytes are not those of Parquet (PAR1): "
            "b'age,job\\n41,n'. Give it the ending of what it is, for instance .csv."),
        ("t.feather", TEXT, "t.feather is named .feather, but its first bytes are not those of Feather (ARROW1): "
            "b'age,job\\n41,n'. Give it the ending of what it is, for instance .csv."),
        ("t.csv.gz", gzip.compress(TEXT * 9999, mtime=0)[:-9],
            "t.csv.gz is cut short: its gzip data end too early. Copy or download it again."),
        ("t.csv.gz", gzip.compress(TEXT, mtime=0)[:5], "t.csv.gz is cut short: its gzip data end too early. Copy or download it again."),
        ("t.csv.gz", gzip.compress(TEXT, mtime=0) + b"more", "t.csv.gz is damaged: its gzip data cannot be unpacked "
            "(zlib inflate failed: incorrect header check). Copy or download it again."),
        ("t.csv.zst", pa.compress(TEXT * 9999, codec="zstd", asbytes=True)[:-9],
            "t.csv.zst is cut short: its zstd data end too early. Copy or download it again."),
        ("t.parquet.gz", gzip.compress(parquet_bytes(), mtime=0)[:-9],
            "t.parquet.gz is cut short: its gzip data end too early. Copy or download it again."),
    ],
)  # fmt: skip
def test_a_damaged_or_shortened_file_is_refused(name, data, said):
    assert message(write(name, data)) == said


def test_a_parquet_file_that_says_it_is_larger_than_the_memory_is_refused(monkeypatch):
    write("t.parquet", parquet_bytes())
    monkeypatch.setattr(typed_files, "memory_bytes", lambda: 999)
    assert message("t.parquet") == (
        "t.parquet says it holds 1,000 rows of 1 columns, more than the memory of this machine (0 GiB) can. "
        "Read fewer columns or rows of it into a smaller file first."
    )


def test_every_single_flipped_byte_of_a_typed_file_is_read_or_refused():
    for name, data in (
        ("t.parquet", parquet_bytes()[:600]),
        ("t.parquet", parquet_bytes()),
        ("t.arrow", arrow_bytes()),
    ):
        for place in range(0, len(data), 97):
            changed = bytearray(data)
            changed[place] ^= 0xFF
            write(name, bytes(changed))
            try:
                read(name)
            except TableError as error:
                assert str(error).startswith(name)


@pytest.mark.slow
def test_100_000_columns_are_read():
    names = ",".join(f"c{i}" for i in range(100_000))
    table = read(write("t.csv", f"{names}\n{names.replace('c', '')}\n".encode()))
    assert table.column("c99999").to_pylist() == ["99999"]


def test_more_than_100_000_columns_are_refused():
    names = ",".join(f"c{i}" for i in range(100_001))
    assert message(write("t.csv", f"{names}\n{names}\n".encode())) == (
        "t.csv has 100,001 columns, and at most 100,000 are read. "
        "If the rows of this table are its columns, turn it round; else check the delimiter."
    )


def test_names_that_come_twice_are_named_with_their_positions():
    assert message(write("t.csv", b"\na,b,a,c,b\n1,2,3,4,5\n")) == (
        "t.csv, line 2: columns have the same name: 'a' in positions 1 and 3; 'b' in positions 2 and 5. "
        "Give each column a name of its own."
    )


def test_a_file_that_changes_while_it_is_read_is_refused(monkeypatch):
    write("t.csv", TEXT)
    original = typed_files.Content.open

    def open_and_grow(content):
        with Path("t.csv").open("ab") as file:
            file.write(b"40,smith\n")
        return original(content)

    monkeypatch.setattr(typed_files.Content, "open", open_and_grow)
    assert message("t.csv") == "t.csv changed while it was being read. Wait until it is written, then read it again."
