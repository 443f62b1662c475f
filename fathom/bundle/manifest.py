"""A bundle's table of contents: the size and the SHA-256 of each file, checked before anything is opened."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fathom.errors import BundleError

FORMAT = 1
NAME = "manifest.json"
REQUIRED = ("model.json", "weights.safetensors", "samples.json")
NETWORKS = ("network.onnx", "baseline.onnx")
LARGEST = 4 * 1024**3  # bytes; a file that claims more is refused unread


def make(files: Mapping[str, bytes]) -> bytes:
    """Return the manifest of these files as JSON."""
    entries = {
        name: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        for name, content in sorted(files.items())
    }
    return dump({"format": FORMAT, "files": entries})


def version(files: Mapping[str, bytes]) -> str:
    """Return what tells a bundle from any other: the first 12 digits of its manifest's SHA-256, and so of every byte in it."""
    return hashlib.sha256(files[NAME]).hexdigest()[:12]


def dump(value: Any) -> bytes:
    """Write JSON as every file of a bundle is written: UTF-8, sorted, indented, no NaN."""
    return (json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n").encode()


def read(folder: str | Path) -> dict[str, bytes]:
    """Return the files of a bundle, each read once and checked against the manifest.

    Raises BundleError when the folder is no bundle, or a file is missing, added or changed.
    """
    folder = Path(folder)
    if not folder.exists():
        raise BundleError(
            f"There is no bundle at {folder}. Name the folder 'bundle' inside a run, or the run itself.",
            file=str(folder),
        )
    if not (folder / NAME).is_file() and (folder / "bundle" / NAME).is_file():
        folder = folder / "bundle"
    if not (folder / NAME).is_file():
        raise BundleError(
            f"{folder} is not a bundle: it has no {NAME}. Name the folder 'bundle' that fathom fit wrote.",
            file=str(folder),
        )
    entries = _entries(folder / NAME)
    present = {path.name for path in folder.iterdir()} - {NAME}
    for name in sorted(present ^ set(entries)):
        what = (
            "is listed in the manifest and not there" if name in entries else "is there and not listed in the manifest"
        )
        raise BundleError(f"{folder / name} {what}. Copy the bundle again, whole.", file=str(folder / name))
    files = {NAME: (folder / NAME).read_bytes()}
    for name, entry in entries.items():
        files[name] = _checked(folder / name, entry)
    return files


def _entries(path: Path) -> dict[str, dict[str, Any]]:
    try:
        manifest = json.loads(path.read_bytes())
        version, entries = manifest["format"], manifest["files"]
        sound = all(
            Path(name).name == name and isinstance(entry["bytes"], int) and isinstance(entry["sha256"], str)
            for name, entry in entries.items()
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BundleError(
            f"{path} is not a manifest ({type(error).__name__}). Copy the bundle again, whole.", file=str(path)
        ) from None
    if version != FORMAT:
        raise BundleError(
            f"{path} has format {version!r}, and this Fathom reads format {FORMAT}. Use the Fathom that wrote it, or fit again.",
            file=str(path),
        )
    if not sound or not set(REQUIRED) <= set(entries) or sum(name in entries for name in NETWORKS) != 1:
        raise BundleError(f"{path} does not list the files of a bundle. Copy the bundle again, whole.", file=str(path))
    return dict(entries)


def _checked(path: Path, entry: Mapping[str, Any]) -> bytes:
    size = path.lstat().st_size
    if path.is_symlink() or not path.is_file() or size != entry["bytes"] or size > LARGEST:
        raise BundleError(
            f"{path} has {size:,} bytes where the manifest says {entry['bytes']:,}: the file was changed or cut off. "
            "Copy the bundle again, whole.",
            file=str(path),
        )
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != entry["sha256"]:
        raise BundleError(
            f"{path} was changed after it was saved: its SHA-256 is not the manifest's. Copy the bundle again, whole.",
            file=str(path),
        )
    return content
