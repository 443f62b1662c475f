"""What every hostile bundle is made with: a good one, changed, with a manifest that is true of it."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from fathom.bundle import manifest

BUNDLES = Path(__file__).parents[2] / "bundles" / "format-2"


class Case(NamedTuple):
    row: str  # of the table of goals
    name: str
    write: Callable[[Path], Path]


def files_of(name: str = "table-network") -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (BUNDLES / name).iterdir()}


def remade(files: dict[str, bytes]) -> dict[str, bytes]:
    """With a manifest that is true of the files: what is wrong lies deeper."""
    own = {name: content for name, content in files.items() if name not in (manifest.NAME, manifest.SIGNATURE)}
    return {**own, manifest.NAME: manifest.make(own)}


def laid(files: dict[str, bytes]) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        (folder / "bundle").mkdir()
        for name, content in files.items():
            (folder / "bundle" / name).write_bytes(content)
        return folder / "bundle"

    return write


def with_file(name: str, content: bytes) -> Callable[[Path], Path]:
    bundle = "table-trees" if name == "baseline.onnx" else "table-network"
    return laid(remade({**files_of(bundle), name: content}))


def one_file(content: bytes) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        (folder / "b.fathom").write_bytes(content)
        return folder / "b.fathom"

    return write


def changed(write: Callable[[Path], Path], change: Callable[[Path], None]) -> Callable[[Path], Path]:
    def both(folder: Path) -> Path:
        path = write(folder)
        change(path)
        return path

    return both
