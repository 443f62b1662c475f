"""The encoding of a text file is found, or a byte that does not belong is named with its line."""

from pathlib import Path

import pytest

from fathom.data.files.reading import read
from fathom.errors import TableError

TEXT = "name,town\nZoë,Łódź\n漢字,\U0001f600\n"
ROWS = [{"name": "Zoë", "town": "Łódź"}, {"name": "漢字", "town": "\U0001f600"}]
FRENCH = "nom,ville\nZoë,Besançon\nRené,“Orléans”\n"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def write(data, name="t.csv"):
    Path(name).write_bytes(data)
    return name


def message(data, **options):
    with pytest.raises(TableError) as caught:
        read(write(data), **options)
    return str(caught.value)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (TEXT.encode(), "UTF-8"),
        (TEXT.encode("utf-8-sig"), "UTF-8 with a byte order mark"),
        (b"\xff\xfe" + TEXT.encode("utf-16-le"), "UTF-16 (little-endian) with a byte order mark"),
        (b"\xfe\xff" + TEXT.encode("utf-16-be"), "UTF-16 (big-endian) with a byte order mark"),
        (TEXT.encode("utf-16-le"), "UTF-16 (little-endian)"),
        (TEXT.encode("utf-16-be"), "UTF-16 (big-endian)"),
        (b"\xff\xfe\0\0" + TEXT.encode("utf-32-le"), "UTF-32 with a byte order mark"),
    ],
)
def test_unicode_in_all_its_forms_is_recognised(data, said):
    table = read(write(data))
    assert table.to_pylist() == ROWS
    assert table.decisions[0] == f"Encoding: {said}."
    assert table.where(1) == "t.csv, line 3"


def test_older_encodings_of_the_west_are_read_and_the_doubt_is_said():
    doubt = "since the bytes are not valid UTF-8. If letters look wrong, give the right one with --encoding."
    table = read(write(FRENCH.encode("cp1252")))
    assert table.to_pylist()[1] == {"nom": "René", "ville": "“Orléans”"}
    assert table.decisions[0] == f"Encoding: Windows-1252, {doubt}"
    table = read(write(b"a,b\n\x81,\xe9\n"))
    assert table.decisions[0] == f"Encoding: Latin-1, {doubt}"
    assert read(write(b"a,b\n1,caf\xe9")).column("b").to_pylist() == ["café"]  # the last byte of all


def test_a_given_encoding_is_used_and_named():
    table = read(write("a,b\n1,мир\n".encode("koi8-r")), encoding="koi8-r")
    assert (table.column("b").to_pylist(), table.decisions[0]) == (["мир"], "Encoding: koi8-r, as given.")
    assert read(write("a,b\n1,漢字\n".encode("shift_jis")), encoding="sjis").column("b").to_pylist() == ["漢字"]
    assert read(write(b"\xef\xbb\xbfa,b\n1,2\n"), encoding="utf-8").names == ("a", "b")


def test_a_byte_that_is_not_of_the_encoding_is_named_with_its_line():
    assert message(b"a,b\n1,2\n1,caf\xe9\n", encoding="utf-8") == (
        "t.csv, line 3: the byte 0xe9 is not of the given encoding utf-8. "
        "Leave the encoding out to have it found, or give the one that the file was written with."
    )
    assert message(b"a,b\r1,\xff\r", encoding="ascii") == (
        "t.csv, line 2: the byte 0xff is not of the given encoding ascii. "
        "Leave the encoding out to have it found, or give the one that the file was written with."
    )
    assert message(TEXT.encode() + b"x,\xe9\n") == (
        "t.csv, line 4: the byte 0xe9 is not valid UTF-8, while the rest of the file is (7 letters beyond ASCII, 1 stray byte). "
        "Correct that line, or give the encoding, for instance encoding='windows-1252'."
    )
    assert message("a,b\n1,é\n2,é".encode()[:-1]) == (  # cut in the middle of a character
        "t.csv, line 3: the byte 0xc3 is not valid UTF-8, while the rest of the file is (1 letter beyond ASCII, 1 stray byte). "
        "Correct that line, or give the encoding, for instance encoding='windows-1252'."
    )
    assert message(TEXT.encode("utf-16")[:-1]) == (
        "t.csv, line 3: the byte 0x0a does not belong to UTF-16 (little-endian) with a byte order mark, which the file "
        "begins with. It is damaged or cut short: write it again, or give the encoding if it is another."
    )


def test_a_character_that_two_blocks_share_is_one_character(monkeypatch):
    monkeypatch.setattr("fathom.data.files.finding.BLOCK", 3)
    for encoding in ("utf-8", "utf-16"):
        assert read(write(TEXT.encode(encoding))).to_pylist() == ROWS
    assert read(write(FRENCH.encode("cp1252"))).to_pylist()[1]["ville"] == "“Orléans”"
