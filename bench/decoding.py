"""Checks that pictures and recordings are decoded about as fast as the libraries decode them that Fathom reads them with.

The claims: of each set, files a second of the processor are at least 0.8 times those of a bare loop over Pillow (open, draft, convert, resize, to NumPy) or libsndfile (open, read,
mean of the channels). Fathom does more to each: it looks at the first bytes, at the size, at how a picture is turned and at what is transparent, catches what is damaged, and lays the result out for
a network. What a recording's bands take besides is printed, too: no library does that.

::

    python -m bench.decoding --pairs 5 --json bench/results/decoding.json

Both run in turn; a rate is files over the processor time of all threads, so that neighbours on the machine hardly matter, and a ratio is the median of the pairs' ratios. Exits with 1 when a claim
fails.
"""

import argparse
import io
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
from PIL import Image

from bench.concluding import conclude
from bench.perception_tables import fetch
from fathom.data.cells import pictures, sounds
from fathom.data.modalities import audio

LEAST_RATIO = 0.8
SMALL_PICTURES, PHOTOGRAPHS, RECORDINGS = 4_000, 48, 120
PHOTOGRAPH = (1_600, 1_200)

Work = Callable[[], object]
Report = dict[str, Any]


def photographs(thumbnails: Sequence[bytes]) -> list[bytes]:
    """Return pictures enlarged to the size of photographs, as JPEG."""
    found = []
    for thumbnail in thumbnails:
        held = io.BytesIO()
        picture = Image.open(io.BytesIO(thumbnail)).convert("RGB").resize(PHOTOGRAPH, Image.Resampling.BICUBIC)
        picture.save(held, "JPEG", quality=90)
        found.append(held.getvalue())
    return found


def by_pillow(cells: Sequence[bytes], size: tuple[int, int, int]) -> Work:
    """Return a bare loop over Pillow, to pictures of the same size."""
    mode = "L" if size[0] == 1 else "RGB"

    def work() -> None:
        for cell in cells:
            image = Image.open(io.BytesIO(cell))
            image.draft(mode, (size[2], size[1]))
            np.asarray(image.convert(mode).resize((size[2], size[1]), Image.Resampling.BILINEAR, reducing_gap=3.0))

    return work


def by_libsndfile(cells: Sequence[bytes]) -> Work:
    """Return a bare loop over libsndfile."""
    import soundfile

    def work() -> None:
        for cell in cells:
            with soundfile.SoundFile(io.BytesIO(cell)) as file:
                frames = int(min(file.frames, sounds.MOST_SECONDS * file.samplerate))
                file.read(frames, dtype="float32", always_2d=True).mean(1)

    return work


def seconds(work: Work) -> float:
    """Return the processor seconds of all threads."""
    started = time.process_time()
    work()
    return time.process_time() - started


def beside(name: str, count: int, ours: Work, theirs: Work, pairs: int) -> Report:
    """Let both decode the files in turn."""
    ours(), theirs()
    taken = [(seconds(ours), seconds(theirs)) for _ in range(pairs)]
    rates = [count / statistics.median(each) for each in zip(*taken, strict=True)]
    return {
        "set": name,
        "files": count,
        "ours": rates[0],
        "theirs": rates[1],
        "ratio": statistics.median(other / own for own, other in taken),
    }


def measured(pairs: int) -> list[Report]:
    """Return what was found of each set."""
    found = []
    thumbnails: dict[str, list[bytes]] = {}
    for table, size in (("mnist", (1, 28, 28)), ("cifar", (3, 32, 32))):
        _, test = fetch(table)
        thumbnails[table] = parquet.read_table(test).column("picture").slice(0, SMALL_PICTURES).to_pylist()
        found.append(_pictures(f"{table}, PNG of {size[2]} × {size[1]}", thumbnails[table], size, pairs))
    large = photographs(thumbnails["cifar"][:PHOTOGRAPHS])
    found.append(_pictures(f"JPEG of {PHOTOGRAPH[0]:,} × {PHOTOGRAPH[1]:,}", large, (3, 48, 64), pairs))
    for table, column in (("drums", "hit"), ("voices", "said")):
        train, _ = fetch(table)
        cells = parquet.read_table(train).column(column).slice(0, RECORDINGS).to_pylist()
        found.append(_recordings(f"{table}, recordings", cells, pairs))
    return found


def _pictures(name: str, cells: Sequence[bytes], size: tuple[int, int, int], pairs: int) -> Report:
    values = pa.array(cells, pa.large_binary())
    return beside(name, len(cells), lambda: pictures.decode(values, size), by_pillow(cells, size), pairs)


def _recordings(name: str, cells: Sequence[bytes], pairs: int) -> Report:
    values = pa.array(cells, pa.large_binary())
    state = audio.learn(values)
    heard = len(cells) / seconds(lambda: audio.settle(state, values, lambda done: None))
    report = beside(name, len(cells), lambda: [sounds.read(cell) for cell in cells], by_libsndfile(cells), pairs)
    return report | {"heard": heard}


def main() -> None:
    """Measure, and say which claims hold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=5, help="how often both decode each set")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what was measured")
    options = parser.parse_args()
    reports = measured(options.pairs)
    claims = {}
    for report in reports:
        heard = f"; with their bands {report['heard']:,.0f}" if "heard" in report else ""
        print(
            f"{report['set']:28} Fathom {report['ours']:8,.0f} files a processor second{heard}, the library {report['theirs']:8,.0f}"
        )
        claims[f"{report['set']}: {report['ratio']:.2f} times the library's rate (at least {LEAST_RATIO})"] = (
            report["ratio"] >= LEAST_RATIO
        )
    conclude(claims, {"sets": reports}, options.json)


if __name__ == "__main__":
    main()
