"""A folder of pictures becomes a network, a report with pictures in it and a bundle; bad pictures are named, or counted as missing."""

import io
import json
import os

import numpy as np
import pytest
from PIL import Image

import fathom
from fathom.baselines import constant
from fathom.errors import TableError

FAST = {"epochs": 3, "effort": "quick", "baselines": (constant,), "keep": "network", "batch_rows": 16}


def picture(kind: str, seed: int, side: int = 16) -> bytes:
    """A bright disc or a bright bar on a dark ground."""
    generator = np.random.default_rng(seed)
    y, x = np.mgrid[0:side, 0:side]
    down, right = generator.uniform(5, side - 5, 2)
    inside = (y - down) ** 2 + (x - right) ** 2 < 16 if kind == "disc" else np.abs(x - right) < 2
    pixels = np.where(inside, 220, 40) + generator.normal(0, 8, (side, side))
    held = io.BytesIO()
    Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(held, "PNG")
    return held.getvalue()


@pytest.fixture
def photos(tmp_path):
    root = tmp_path / "photos"
    for seed in range(120):
        kind = ("disc", "bar")[seed % 2]
        (root / kind).mkdir(parents=True, exist_ok=True)
        (root / kind / f"{seed}.png").write_bytes(picture(kind, seed))
    return root


def test_a_folder_is_fitted_with_nothing_else_said(photos, tmp_path, command):
    outcome = command(
        "fit", str(photos), "--out", str(tmp_path / "run"), "--effort", "quick", "--epochs", "2", "--keep", "network"
    )
    assert outcome.code == 0, outcome.err
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert [column["modality"] for column in result["columns"]] == ["image", "category"]
    assert result["targets"][0]["name"] == "folder"
    assert len(result["columns"][0]["drawn"]) == 12
    assert result["worst_rows"][0]["row"]["file"].startswith("data:image/png;base64,")
    sheet = result["training"]["seen"][0]
    assert sheet["column"] == "file" and sheet["varied"]["shift"] == 0.05
    assert len(sheet["rows"]) == 6 and len(set(sheet["rows"][0])) > 3
    report = (tmp_path / "run" / "report.html").read_text()
    assert report.count('<img class="picture" src="data:image/png;base64,') >= 12 + 36 + 10
    (photos / "disc" / "late.png").write_bytes(b"")
    answered = command("predict", str(tmp_path / "run"), str(photos / "disc"))
    assert answered.code == 0 and answered.out.count("\n") == 62
    assert "late.png' among images (it holds no bytes)" in answered.err


def test_a_picture_that_cannot_be_read_is_named_with_its_row_and_its_fault(photos):
    (photos / "bar" / "9.png").write_bytes(picture("bar", 9)[:60])
    with pytest.raises(
        TableError,
        match=r"photos/bar/9\.png: column 'file' holds 'bar/9\.png', which cannot be read: it is a damaged PNG",
    ):
        fathom.fit(photos, **FAST)


def test_bad_pictures_count_as_missing_where_bad_rows_are_skipped(photos):
    (photos / "bar" / "9.png").write_bytes(b"")
    (photos / "disc" / "8.png").write_bytes(b"mislabelled")
    model = fathom.fit(photos, bad_rows="skip", **FAST)
    assert any("2 such cells were taken as missing" in warning for warning in model.result["warnings"])


def test_a_pipe_among_the_pictures_is_named_and_not_waited_for(photos, tmp_path, command):
    os.mkfifo(photos / "bar" / "pipe.png")
    asked = command("fit", photos, "--effort", "quick", "--epochs", "1", "--out", tmp_path / "run")
    assert asked.code == 2 and "holds 'bar/pipe.png', which cannot be read: it is no ordinary file" in asked.err
    assert not (tmp_path / "run").exists()


def test_a_class_of_one_picture_is_named(photos):
    (photos / "star").mkdir()
    (photos / "star" / "only.png").write_bytes(picture("disc", 1))
    with pytest.raises(TableError, match="the class 'star' of the target 'folder' has this single row"):
        fathom.fit(photos, **FAST)


def test_a_mislabelled_picture_is_read_by_its_content(photos):
    (photos / "bar" / "9.png").rename(photos / "bar" / "9.jpg")
    warnings = fathom.fit(photos, **FAST).result["warnings"]
    assert not any("missing" in warning for warning in warnings)


def test_the_same_seed_learns_the_same_and_variation_changes_it(photos):
    def weights(**settings):
        return fathom.fit(photos, **{**FAST, **settings}).files["weights.safetensors"]

    once = weights()
    assert once == weights()
    assert once != weights(augment="off")


def test_pictures_beside_numbers_are_read_together_and_either_may_be_missing():
    rows = range(150)
    table = {
        "photo": [picture(("disc", "bar")[row % 2], row) if row % 10 else None for row in rows],
        "weight": [float(row % 7) if row % 11 else None for row in rows],
        "price": [10.0 * (row % 2) + row % 7 for row in rows],
    }
    model = fathom.fit(table, "price", **FAST)
    answers = model.predict({"photo": [None, table["photo"][1]], "weight": [3.0, None]})
    assert np.isfinite(answers.column("price").to_numpy()).all()
