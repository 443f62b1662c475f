"""A folder, a zip or a tar of classes is a table, and so is a table of paths; archives made to do harm are refused."""

import io
import tarfile
import zipfile

import numpy as np
import pyarrow as pa
import pytest

import fathom
from fathom.data.cells import media
from fathom.data.cells.pictures import png
from fathom.data.files import folders
from fathom.data.modalities import image
from fathom.data.rows.splitting import row_hashes
from fathom.errors import OptionError, TableError

STATE = image.State(8, 8, 3, (128.0,) * 3, (64.0,) * 3)


def picture(seed: int) -> bytes:
    return png(np.random.default_rng(seed).integers(0, 255, (8, 8, 3), dtype=np.uint8))


def write(root, *names):
    for seed, name in enumerate(names):
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(picture(seed))
    return root


NAMES = ("cat/1.png", "cat/2.png", "dog/deep/3.png")


@pytest.fixture
def photos(tmp_path):
    root = write(tmp_path / "photos", *NAMES, ".hidden/9.png", "cat/.DS_Store.png")
    (root / "cat" / "notes.txt").write_text("mine")
    return root


def archived(root, kind, names=NAMES, prefix="", files=None):
    file = root.with_name(f"photos.{kind}")
    root = files or root
    if kind == "zip":
        with zipfile.ZipFile(file, "w") as archive:
            for name in names:
                archive.write(root / name, prefix + name)
    else:
        with tarfile.open(file, {"tar": "w", "tar.gz": "w:gz", "tar.xz": "w:xz", "tbz2": "w:bz2"}[kind]) as archive:
            for name in names:
                archive.add(root / name, prefix + name)
    return file


def test_a_folder_is_a_row_a_file_with_its_sub_folder_as_class(photos):
    table = fathom.read(photos)
    assert table.names == ("file", "folder")
    assert table.column("folder").to_pylist() == ["cat", "cat", "dog"]
    assert media.paths_of(table.column("file")).to_pylist() == list(NAMES)
    assert table.decisions == ("Folder: 3 files in 2 sub-folders; 1 others were passed over: cat/notes.txt.",)
    assert table.where(1) == f"{photos}/cat/2.png"
    assert table.take([2, 0]).where(0) == f"{photos}/dog/deep/3.png"


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz", "tar.xz", "tbz2"])
@pytest.mark.parametrize("prefix", ["", "photos/"])
def test_an_archive_is_read_as_its_folder_would_be(photos, kind, prefix):
    table, folder = fathom.read(archived(photos, kind, prefix=prefix)), fathom.read(photos)
    assert table.column("folder").equals(folder.column("folder"))
    np.testing.assert_array_equal(image.encode(STATE, table.column("file")), image.encode(STATE, folder.column("file")))
    if not prefix:
        np.testing.assert_array_equal(row_hashes(table), row_hashes(folder))


def test_rows_stay_in_their_part_when_the_folder_moves(photos, tmp_path):
    before = row_hashes(fathom.read(photos))
    photos.rename(tmp_path / "elsewhere")
    np.testing.assert_array_equal(row_hashes(fathom.read(tmp_path / "elsewhere")), before)


def test_a_folder_without_sub_folders_has_no_classes_and_can_be_answered(tmp_path):
    table = fathom.read(write(tmp_path / "new", "1.png", "2.png"))
    assert table.names == ("file",) and table.rows == 2


def test_texts_in_folders_are_rows_of_text(tmp_path):
    for name, content in {
        "sport/a.txt": b"goal",
        "tech/b.txt": "größer".encode("cp1252"),
        "tech/c.txt": b"",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    table = fathom.read(tmp_path)
    assert table.names == ("text", "folder")
    assert table.column("text").to_pylist() == ["goal", "größer", ""]


def test_train_and_test_folders_part_the_rows(tmp_path):
    write(tmp_path, "train/cat/1.png", "train/dog/2.png", "val/dog/3.png", "test/cat/1.png")
    source, target, test = folders.parted(str(tmp_path), None, None)
    assert target == "folder"
    assert source.column("folder").to_pylist() == ["cat", "dog", "dog"]
    assert test.column("folder").to_pylist() == ["cat"]
    assert not np.isin(row_hashes(test), row_hashes(source)).any()
    names = ("train/cat/1.png", "train/dog/2.png", "test/cat/1.png")
    source, _, test = folders.parted(str(archived(tmp_path / "photos", "zip", names, "photos/", tmp_path)), None, None)
    assert (source.rows, test.rows) == (2, 1)
    assert test.where(0).endswith("photos.zip/photos/test/cat/1.png")


def test_a_folder_with_one_class_has_nothing_to_predict(tmp_path):
    write(tmp_path / "photos", "cat/1.png", "cat/2.png")
    with pytest.raises(TableError, match=r"has one sub-folder, 'cat', .* nothing to predict"):
        folders.parted(str(tmp_path / "photos"), None, None)
    write(tmp_path / "flat", "1.png", "2.png")
    with pytest.raises(TableError, match="has no sub-folders"):
        folders.parted(str(tmp_path / "flat"), None, None)


def test_a_table_needs_a_target():
    with pytest.raises(OptionError, match="--target NAME"):
        folders.parted({"a": [1]}, None, None)


def test_a_folder_without_media_says_what_it_holds(tmp_path):
    (tmp_path / "a.pdf").write_bytes(b"%PDF-")
    with pytest.raises(TableError, match=r"without pictures, recordings, videos or texts\. It holds a\.pdf\."):
        fathom.read(tmp_path)


def table_of(tmp_path, *paths):
    file = tmp_path / "homes.csv"
    file.write_text("photo,price\n" + "".join(f"{path},{row}\n" for row, path in enumerate(paths)))
    return file


def test_a_column_of_paths_is_read_relative_to_its_table(tmp_path):
    write(tmp_path, "pictures/1.png", "pictures/2.png")
    table = fathom.read(table_of(tmp_path, "pictures/1.png", "pictures/2.png", "", "pictures/lost.png"))
    values = table.column("photo")
    assert media.is_media(values.type)
    assert "Column 'photo': paths of image files, relative to the table." in table.decisions
    assert image.missing(values).tolist() == [False, False, True, False]
    assert image.unreadable(STATE, values).tolist() == [False, False, False, True]
    assert image.fault(STATE, values[3].as_py()) == "there is no such file"


def test_paths_of_no_file_are_words(tmp_path):
    table = fathom.read(table_of(tmp_path, "a.png", "b.png"))
    assert table.column("photo").type == pa.string()
    assert "none that was looked for is there" in table.decisions[-1]


@pytest.mark.parametrize(
    "path", ["../secret.png", "pictures/../../secret.png", "{absolute}", "C:\\secret.png", "~/a.png"]
)
def test_paths_that_lead_out_of_the_folder_of_a_table_are_refused(tmp_path, path):
    write(tmp_path, "secret.png", "in/pictures/1.png")
    path = path.replace("{absolute}", str(tmp_path / "secret.png"))
    with pytest.raises(TableError, match=r"homes\.csv, line 3: column 'photo' holds the path .* leads out") as caught:
        fathom.read(table_of(tmp_path / "in", "pictures/1.png", path))
    assert caught.value.column == "photo" and caught.value.line == 3


def test_the_caller_s_own_frame_may_name_any_file(tmp_path):
    write(tmp_path, "1.png")
    table = fathom.read({"photo": [str(tmp_path / "1.png"), None], "price": [1, 2]})
    assert image.encode(STATE, table.column("photo"))[0].any()


def test_a_table_in_an_archive_or_a_folder_names_the_files_beside_it(tmp_path):
    root = write(tmp_path / "photos", "pictures/1.png", "pictures/2.png")
    table_of(root, "pictures/1.png", "pictures/2.png")
    archive = archived(root, "zip", ("homes.csv", "pictures/1.png", "pictures/2.png"))
    for source in (root, archive):
        table = fathom.read(source)
        assert table.names == ("photo", "price")
        assert image.encode(STATE, table.column("photo")).any(axis=(1, 2, 3)).all()


def make_zip(tmp_path, name, content=b"x", **changes):
    file = tmp_path / "bad.zip"
    info = zipfile.ZipInfo(name)
    for field, value in changes.items():
        setattr(info, field, value)
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(info, content, zipfile.ZIP_DEFLATED)
    return file


def test_zips_made_to_do_harm_are_refused(tmp_path):
    for name, changes, said in (
        ("../../etc/cat/1.png", {}, "leads out"),
        ("/etc/cat/1.png", {}, "leads out"),
        ("cat/1.png", {"external_attr": 0o120777 << 16}, "is a link"),
    ):
        with pytest.raises(TableError, match=f"is refused: .*{said}"):
            fathom.read(make_zip(tmp_path, name, **changes))
    with pytest.raises(TableError, match=r"is refused: .* as bombs do"):
        fathom.read(make_zip(tmp_path, "cat/1.png", bytes(30_000_000)))


def test_tars_made_to_do_harm_are_refused(tmp_path):
    def make(**fields):
        member = tarfile.TarInfo(fields.pop("name", "cat/1.png"))
        for field, value in fields.items():
            setattr(member, field, value)
        with tarfile.open(tmp_path / "bad.tar", "w") as archive:
            archive.addfile(member, io.BytesIO(b""))
        return tmp_path / "bad.tar"

    for fields, said in (
        ({"name": "../cat/1.png"}, "leads out"),
        ({"type": tarfile.SYMTYPE, "linkname": "/etc/passwd"}, "is a link"),
        ({"type": tarfile.LNKTYPE, "linkname": "x"}, "is a link"),
        ({"type": tarfile.CHRTYPE}, "a device"),
    ):
        with pytest.raises(TableError, match=f"is refused: .*{said}"):
            fathom.read(make(**fields))


def test_damaged_archives_are_told_of(tmp_path, photos):
    for kind in ("zip", "tar.gz"):
        file = archived(photos, kind)
        file.write_bytes(file.read_bytes()[:60])
        with pytest.raises(TableError, match="cannot be read as an archive"):
            fathom.read(file)


def test_a_member_that_is_damaged_is_one_cell_that_cannot_be_read(tmp_path, photos):
    file = archived(photos, "zip")
    content = bytearray(file.read_bytes())
    content[content.index(b"IDAT") + 20] ^= 255
    file.write_bytes(content)
    values = fathom.read(file).column("file")
    assert image.unreadable(STATE, values).sum() == 1


def test_a_text_that_is_too_long_says_what_to_do(tmp_path):
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.txt").write_text("words")
    (tmp_path / "one" / "2.txt").write_bytes(b"a" * ((16 << 20) + 1))
    with pytest.raises(
        TableError, match=r"one/2\.txt cannot be read: it is larger than 16 MiB\. Put it right, shorten"
    ):
        fathom.read(tmp_path)
