"""Pictures of every kind are decoded to one grid; what is no picture is told in words, within bounded memory."""

import base64
import io
import struct
import zlib

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

import fathom
from fathom.data.cells import media, pictures
from fathom.data.modalities import image
from fathom.errors import ExtraError, OptionError

STATE = image.State(12, 16, 3, (128.0,) * 3, (64.0,) * 3)
GREY = image.State(12, 16, 1, (128.0,), (64.0,))


def packed(pixels, form="PNG", **options) -> bytes:
    held = io.BytesIO()
    (pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)).save(held, form, **options)
    return held.getvalue()


def colours(high=12, wide=16):
    """A red half on the left, a blue half on the right."""
    pixels = np.zeros((high, wide, 3), np.uint8)
    pixels[:, : wide // 2, 0] = 200
    pixels[:, wide // 2 :, 2] = 200
    return pixels


def grid(*cells, state=STATE):
    return image.encode(state, pa.array(list(cells)))


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"])
def test_every_format_of_the_list_is_decoded(form):
    one = grid(packed(colours(), form))[0]
    assert one.shape == (3, 12, 16)
    assert (one[0, :, :6] > 150).all() and (one[2, :, :6] < 60).all()
    assert (one[2, :, 10:] > 150).all() and (one[0, :, 10:] < 60).all()
    assert one.min() >= 1


def test_a_format_beside_the_list_is_refused_whatever_its_name():
    values = pa.array([packed(colours(), "PPM"), b"<svg/>"])
    assert image.unreadable(STATE, values).tolist() == [True, True]
    assert "no JPEG, PNG, WebP, GIF, BMP or TIFF picture" in image.fault(STATE, values[0].as_py())


def test_pictures_are_turned_upright_by_their_exif_orientation():
    plain = grid(packed(colours(), "PNG"))[0]
    for number, turn in pictures.TURNS.items():
        lying = Image.fromarray(colours()).transpose(
            {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}[number]  # the inverse of each turn
        )
        exif = Image.Exif()
        exif[pictures.ORIENTATION] = number
        cell = packed(lying, "PNG", exif=exif.tobytes())
        assert pictures.size_of(cell) == (12, 16, 3), number
        np.testing.assert_array_equal(grid(cell)[0], plain, err_msg=f"orientation {number} by {turn}")


def test_transparent_is_nothing_and_half_transparent_is_grey():
    pixels = np.zeros((12, 16, 4), np.uint8)
    pixels[:, :8] = (255, 0, 0, 255)
    pixels[6:, 8:] = (255, 255, 255, 128)
    one = grid(packed(pixels))[0]
    assert (one[:, :6, 8:] == 0).all()
    assert (one[0, :, :8] == 255).all() and (one[1, :, :8] == 1).all()
    assert ((one[:, 7:, 9:] > 185) & (one[:, 7:, 9:] < 200)).all()


def test_grey_black_and_white_palette_and_16_bits_are_read():
    ramp = np.tile(np.linspace(0, 255, 16).astype(np.uint8), (12, 1))
    deep = (ramp.astype(np.uint16) * 257).astype(np.uint16)
    expected = np.maximum(ramp, 1)
    np.testing.assert_array_equal(grid(packed(ramp), state=GREY)[0, 0], expected)
    np.testing.assert_array_equal(grid(packed(Image.fromarray(deep)), state=GREY)[0, 0], expected)
    np.testing.assert_array_equal(grid(packed(Image.fromarray(deep), "TIFF"), state=GREY)[0, 0], expected)
    np.testing.assert_array_equal(grid(packed(Image.fromarray(ramp).convert("P")), state=GREY)[0, 0], expected)
    black = grid(packed(Image.fromarray(ramp > 127)), state=GREY)[0, 0]
    assert set(np.unique(black)) == {1, 255}
    floats = Image.fromarray((ramp / 255).astype(np.float32))
    assert np.abs(grid(packed(floats, "TIFF"), state=GREY)[0, 0].astype(int) - expected).max() <= 1


def test_the_first_frame_of_an_animation_is_read():
    red, blue = (Image.fromarray(np.full((12, 16, 3), colour, np.uint8)) for colour in ([250, 0, 0], [0, 0, 250]))
    cell = packed(red, "GIF", save_all=True, append_images=[blue])
    assert (grid(cell)[0, 0] > 200).all()


def test_proportions_are_kept_and_what_is_left_over_is_nothing():
    one = grid(packed(colours(40, 40)))[0]
    assert (one[:, :, 2:14] > 0).all()
    assert (one[:, :, :2] == 0).all() and (one[:, :, 14:] == 0).all()


def bomb(side=60_000) -> bytes:
    """A PNG of a few hundred bytes that claims very many pixels."""

    def chunk(name, content):
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 1_000))
        + chunk(b"IEND", b"")
    )


GOOD = packed(np.random.default_rng(0).integers(0, 255, (40, 40, 3), dtype=np.uint8), "JPEG")
BAD = {
    "a bomb": (bomb(), "decompression bomb"),
    "a smaller bomb": (bomb(10_010), "10,010 × 10,010 pixels"),
    "no bytes": (b"", "no bytes"),
    "text": (b"price,rooms\n1,2\n", "no JPEG"),
    "cut short": (GOOD[: len(GOOD) // 2], "damaged JPEG"),
    "a head alone": (b"\x89PNG\r\n\x1a\n", "damaged PNG"),
    "an odd TIFF": (b"II*\0\xff\xff\xff\xff", "damaged TIFF"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_decoded_is_marked_and_told_why(name):
    cell, why = BAD[name]
    values = pa.array([packed(colours()), cell, None], pa.binary())
    compact, marks = image.settle(STATE, values, lambda done: None)
    assert marks.tolist() == [False, True, False]
    assert why in image.fault(STATE, cell)
    assert compact.is_valid().to_pylist() == [True, False, False]
    assert not image.encode(STATE, values)[1:].any()


@pytest.mark.parametrize("seed", range(40))
def test_flipped_bytes_are_decoded_or_marked(seed):
    generator = np.random.default_rng(seed)
    form = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")[seed % 6]
    content = bytearray(packed(colours(), form))
    for place in generator.integers(0, len(content), 4):
        content[place] ^= 1 << generator.integers(8)
    values = pa.array([bytes(content)])
    marks = image.unreadable(STATE, values)
    assert image.encode(STATE, values).any() != marks[0]


def test_the_grid_is_chosen_by_the_pictures():
    def learned(*sizes, grey=False):
        cells = [packed(colours(high, wide)[:, :, 0] if grey else colours(high, wide)) for high, wide in sizes]
        return image.learn(pa.array(cells)).size

    assert learned(*[(28, 28)] * 9, grey=True) == (1, 28, 28)
    assert learned(*[(32, 32)] * 9) == (3, 32, 32)
    assert learned(*[(300, 400)] * 9) == (3, 48, 64)
    assert learned((300, 400), (400, 300), (200, 200)) == (3, 64, 64)
    assert learned((20, 22), (21, 22), (22, 21)) == (3, 24, 24)


def test_colour_pictures_without_colour_are_grey():
    grey = np.repeat(colours()[:, :, :1], 3, axis=2)
    assert image.learn(pa.array([packed(grey)] * 5)).channels == 1


def test_the_mean_is_that_of_what_is_there():
    pixels = np.zeros((12, 12, 4), np.uint8)
    pixels[:6] = (10, 100, 200, 255)
    state = image.learn(pa.array([packed(pixels)] * 4))
    assert state.centre == (10.0, 100.0, 200.0) and state.spread == (1.0, 1.0, 1.0)


def test_data_urls_are_pictures_and_other_words_open_no_file(tmp_path):
    file = tmp_path / "cat.png"
    file.write_bytes(packed(colours()))
    url = f"data:image/png;base64,{base64.b64encode(file.read_bytes()).decode()}"
    values = pa.array([url, str(file), f"file://{file}", "data:image/png;base64,@@", None])
    assert image.claim(pa.array([url] * 9)).confidence > 0.9
    assert image.claim(pa.array([str(file)] * 9)).confidence == 0
    assert image.unreadable(STATE, values).tolist() == [False, True, True, True, False]
    encoded = image.encode(STATE, values)
    assert encoded[0].any() and not encoded[1:].any()


def test_a_record_that_a_file_brings_opens_no_file(tmp_path):
    import pyarrow.parquet as parquet

    (tmp_path / "secret.png").write_bytes(packed(colours()))
    cells = media.cells(["secret.png"] * 3, str(tmp_path))
    parquet.write_table(pa.table({"photo": cells, "price": [1, 2, 3]}), tmp_path / "t.parquet")
    table = fathom.read(tmp_path / "t.parquet")
    assert not media.is_media(table.column("photo").type)
    assert not image.encode(STATE, table.column("photo")).any()


def test_a_picture_is_shown_as_a_small_data_url():
    for shown in (
        image.show(STATE, packed(colours(900, 1200), "JPEG")),
        image.show(STATE, image.encode(STATE, pa.array([packed(colours())]))[0].tobytes()),
    ):
        head, _, content = shown.partition(",")
        assert head == "data:image/png;base64"
        picture = Image.open(io.BytesIO(base64.b64decode(content)))
        assert max(picture.size) <= 96 and len(shown) < 30_000
    assert "no JPEG" in image.show(STATE, b"abc")


def test_hand_made_features_tell_colours_and_edges_apart():
    upright, lying = np.zeros((2, 12, 16, 3), np.uint8)
    upright[:, :8, 0] = lying[:6, :, 0] = 200
    made = image.features(STATE, pa.array([packed(upright), packed(lying), None]))
    named = {name: made.matrix[:, place] for place, name in enumerate(made.names)}
    assert len(made.names) <= 300 and len(set(made.names)) == len(made.names)
    assert named["edges 0° at 2, 2"][0] > named["edges 0° at 2, 2"][1] + 0.1
    assert named["edges 90° at 2, 2"][1] > named["edges 90° at 2, 2"][0] + 0.1
    assert named["red 7 of 8"][0] == pytest.approx(0.5)
    assert np.isnan(made.matrix[2]).all()


def test_a_column_of_pictures_cannot_be_predicted():
    with pytest.raises(OptionError, match="cannot be predicted"):
        image.learn(pa.array([packed(colours())]), "target")


def test_without_pillow_the_extra_is_named(monkeypatch):
    import importlib.util

    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == "PIL" else find(name, *rest))
    with pytest.raises(ExtraError, match=r"fathom-learn\[image\]"):
        image.learn(pa.array([packed(colours())]))
