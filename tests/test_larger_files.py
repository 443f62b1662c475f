"""A table that names files and is larger than memory with them is fitted and answered as any other, a few files at a time."""

import numpy as np
import pytest
from PIL import Image

import fathom
from fathom.answering import answer_blocks, is_large
from fathom.baselines import constant
from fathom.chapters.preparing import prepare
from fathom.chapters.storing import batch_reader, encode_rows
from fathom.chapters.surveying import open_larger, survey
from fathom.data.encoding import encode_inputs
from fathom.data.files import streaming
from fathom.data.files.folders import parted
from fathom.data.modalities import MODALITIES
from fathom.errors import TableError
from fathom.progress import Silent
from fathom.settings import Settings

ROWS, MEMORY = 120, 0.002  # GB: the files would take 4 MB, and a quarter of 2 MB is for them


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """A table that names 120 pictures, half of them red and half blue, read 50 rows at a time."""
    monkeypatch.setattr(streaming, "FILE_ROWS", 50)
    generator = np.random.default_rng(0)
    (tmp_path / "photos").mkdir()
    lines = ["photo,wide,colour"]
    for row in range(ROWS):
        pixels = generator.integers(0, 90, (8, 8, 3)).astype(np.uint8)
        pixels[:, :, 2 * (row % 2)] += 120
        Image.fromarray(pixels).save(tmp_path / "photos" / f"{row}.png")
        lines.append(f"photos/{row}.png,{generator.random():.3f},{'blue' if row % 2 else 'red'}")
    (tmp_path / "table.csv").write_text("\n".join(lines))
    return tmp_path / "table.csv"


def surveyed(table, **settings):
    chosen = Settings.of({"memory": MEMORY, **settings})
    opened = open_larger(str(table), chosen, Silent())
    assert opened is not None
    folder = table.parent / "encoded"
    return encode_rows(survey(opened, "colour", None, chosen, MODALITIES, Silent(), folder), folder, Silent())


def test_files_that_a_table_names_are_parted_decoded_and_encoded_as_in_memory(photos):
    found, chosen = surveyed(photos), Settings()
    whole = prepare(str(photos), "colour", None, chosen, MODALITIES, Silent())
    assert [column.modality for column in found.columns] == ["image", "number", "category"]
    assert (found.columns, found.counts) == (whole.columns, whole.counts)
    batch = batch_reader(found, chosen)(0, found.counts["train"])
    for name, array in encode_inputs(whole.columns, whole.train).items():
        assert np.array_equal(batch.inputs[name].numpy(), array)
    assert all(block.rows <= 50 for block in found.larger.reading.blocks())


@pytest.fixture
def folder(photos):
    """The same pictures in a folder a class."""
    for row in range(ROWS):
        place = photos.parent / "classes" / ("blue" if row % 2 else "red")
        place.mkdir(parents=True, exist_ok=True)
        (photos.parent / "photos" / f"{row}.png").rename(place / f"{row}.png")
    return photos.parent / "classes"


def test_a_folder_whose_pictures_are_larger_than_memory_is_read_a_few_files_at_a_time(folder):
    source, target, test = parted(str(folder), None, None)
    chosen = Settings.of({"memory": MEMORY})
    opened = open_larger(source, chosen, Silent())
    assert opened is not None and test is None
    assert open_larger(source, Settings(), Silent()) is None
    stored = folder.parent / "encoded"
    found = encode_rows(survey(opened, target, None, chosen, MODALITIES, Silent(), stored), stored, Silent())
    whole = prepare(source, target, None, Settings(), MODALITIES, Silent())
    assert (found.columns, found.counts) == (whole.columns, whole.counts)
    batch = batch_reader(found, chosen)(0, found.counts["train"])
    for name, array in encode_inputs(whole.columns, whole.train).items():
        assert np.array_equal(batch.inputs[name].numpy(), array)
    assert max(block.rows for block in opened.blocks()) == 50


def test_such_a_folder_is_fitted_and_answered_block_by_block(folder):
    model = fathom.fit(folder, memory=MEMORY, effort="quick", keep="baseline", epochs=1, encoder={"file": "vgg"}, baselines=(constant,))  # fmt: skip
    assert model.result["rows"]["total"] == ROWS
    assert model.result["table"]["files"] == [str(folder)]
    answers = folder.parent / "answers.csv"
    assert is_large(str(folder), MEMORY)
    assert answer_blocks(model, str(folder), answers) == ROWS
    assert fathom.read(answers).column("folder").to_pylist() == model.predict(folder).column("folder").to_pylist()


def test_a_damaged_picture_of_such_a_folder_is_named(folder):
    (folder / "blue" / "7.png").write_bytes(b"no picture")
    with pytest.raises(TableError, match=r"column 'file' holds 'blue/7.png'"):
        fathom.fit(folder, memory=MEMORY, effort="quick")


def test_a_file_that_cannot_be_decoded_is_named_or_counted(photos):
    (photos.parent / "photos" / "7.png").write_bytes(b"no picture")
    with pytest.raises(TableError, match=r"table.csv, line 9: column 'photo' holds 'photos/7.png'"):
        surveyed(photos)
    found = surveyed(photos, bad_rows="skip")
    assert "1 cells of 'photo' in all rows could not be decoded" in found.warnings[-1]


def test_a_path_that_leads_out_of_the_folder_is_refused(photos):
    photos.write_text(photos.read_text().replace("photos/99.png", "../secret.png"))
    with pytest.raises(TableError, match=r"line 101: column 'photo' holds the path '../secret.png', which leads out"):
        surveyed(photos)


def test_such_a_table_is_fitted_and_answered_block_by_block(photos):
    model = fathom.fit(
        photos,
        "colour",
        memory=MEMORY,
        effort="quick",
        epochs=1,
        encoder={"photo": "vgg"},
        keep="baseline",
        baselines=(constant,),
    )
    assert is_large(str(photos), MEMORY)
    answers = photos.parent / "answers.csv"
    assert answer_blocks(model, str(photos), answers) == ROWS
    assert fathom.read(answers).column("colour").to_pylist() == model.predict(photos).column("colour").to_pylist()
