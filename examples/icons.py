"""Which sign is it? Twenty signs, photographed askew, in any light, before any wall: the task of recognising traffic signs. Run it from the repository's root:

    python -m examples.icons

The signs are drawings of OpenMoji (licence CC BY-SA 4.0, from a public package), turned into pictures here; needs `pip install resvg-py`. A few minutes on two cores.
"""

import io
import json
import tempfile
from pathlib import Path

import numpy as np
import resvg_py
from PIL import Image, ImageFilter

import fathom
from bench.packages import Package, folder_of

OPENMOJI: Package = ("npm", "openmoji@17.0.0")
SIGNS = ("transport-sign", "warning", "arrow")  # the sub-groups that they are taken from
CLASSES, EACH, SIDE = 20, 50, 40


def signs() -> dict[str, Image.Image]:
    """Return the drawings by name, in colour on nothing."""
    package = folder_of(*OPENMOJI) / "package"
    listed = json.loads((package / "data" / "openmoji.json").read_text())
    chosen = [entry for entry in listed if entry["subgroups"] in SIGNS][:CLASSES]
    drawings = {}
    for entry in chosen:
        drawing = (package / "color" / "svg" / f"{entry['hexcode']}.svg").read_text()
        packed = bytes(resvg_py.svg_to_bytes(svg_string=drawing, width=96, height=96))
        drawings[entry["annotation"].replace("/", " ")] = Image.open(io.BytesIO(packed)).convert("RGBA")
    return drawings


def photograph(sign: Image.Image, generator: np.random.Generator) -> Image.Image:
    """Return a sign as a camera might see it: turned, nearer or farther, off the middle, blurred, dark or bright, noisy."""
    wall = np.full((SIDE, SIDE, 3), generator.integers(40, 216, 3), np.uint8)
    picture = Image.fromarray(wall)
    side = int(generator.uniform(0.7, 1.0) * SIDE)
    turned = sign.rotate(generator.uniform(-15, 15), Image.Resampling.BICUBIC).resize((side, side))
    picture.paste(turned, tuple(generator.integers(0, SIDE - side + 1, 2).tolist()), turned)
    picture = picture.filter(ImageFilter.GaussianBlur(generator.uniform(0, 0.8)))
    pixels = np.asarray(picture) * generator.uniform(0.5, 1.2) + generator.normal(0, 8, (SIDE, SIDE, 3))
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def main() -> None:
    """Take the photographs, fit the folder of them, and check what the text above says."""
    generator = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "signs"
        for name, sign in signs().items():
            (folder / name).mkdir(parents=True)
            for number in range(EACH):
                photograph(sign, generator).save(folder / name / f"{number}.png")
        model = fathom.fit(folder, keep="network", effort="quick")
    assert model.result is not None
    scores = {found["name"]: found["scores"]["accuracy"]["value"] for found in model.result["models"]}
    for name, accuracy in scores.items():
        print(f"{name:20} {accuracy:6.1%} of the test pictures right")
    print(model.result["verdict"]["sentence"])
    assert scores["network"] > 0.9, "it tells the signs apart"
    assert model.result["training"]["seen"][0]["varied"]["flip"] == 0, "an arrow to the left is none to the right"


if __name__ == "__main__":
    main()
