"""The bench of pictures, texts and series reads its files rightly and claims no more than it measured."""

import io

import numpy as np
from PIL import Image

from bench import perception, perception_tables


def a_report(*, accuracy=0.975, seconds=300, training=100.0, loop=95.0):
    return {
        "table": "bbc",
        "seconds": seconds,
        "network": {"value": accuracy, "low": accuracy - 0.01, "high": accuracy + 0.01},
        "training_seconds": training,
        "loop": {"accuracy": 0.97, "seconds": loop},
    }


def test_a_table_within_its_goals_holds():
    assert list(perception.claims([a_report()]).values()) == [True, True]


def test_every_goal_can_be_missed():
    for missed in ({"accuracy": 0.96}, {"seconds": 601}, {"loop": 80.0}):
        assert sorted(perception.claims([a_report(**missed)]).values()) == [False, True], missed


def test_a_row_of_a_ts_file_is_its_channels_and_its_class(tmp_path):
    file = tmp_path / "some.ts"
    file.write_text("# said\n@data\n1.0,2.0:3.5,4.5:up\n")
    assert [*perception_tables.ts_rows(file)] == [([[1.0, 2.0], [3.5, 4.5]], "up")]


def test_a_mail_is_read_without_headers_and_marks():
    import email

    mail = email.message_from_string("From: a\nContent-Type: text/html\n\n<b>Buy</b> now")
    assert perception_tables.words_of(mail).split() == ["Buy", "now"]


def test_a_picture_comes_back_from_its_png():
    pixels = np.arange(28 * 28, dtype=np.uint8).reshape(28, 28)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(perception_tables.png(pixels)))), pixels)
