"""A bundle's table of contents: which files there may be, the size and the SHA-256 of each, checked before anything is opened.

Formats: 1 has its weights always; 2, the present one, may leave them out (a compressed network answers from its graph alone) and may hold the scores of
its test rows, what it was compressed from, a reference, and rows to explain by. Every format has a reader for ever: `tests/bundles` holds bundles of each.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fathom.bundle.guard.strict_json import dump, parse
from fathom.errors import BundleError

FORMAT = 2
NAME = "manifest.json"
SIGNATURE = "signature.json"  # signs the manifest, so it does not stand in it
REQUIRED = ("model.json", "samples.json")
WEIGHTS = "weights.safetensors"
NETWORKS = ("network.onnx", "baseline.onnx")
OPTIONAL = (
    WEIGHTS,
    "scores.json",
    "compression.json",
    "reference.json",
    "background.json",
    "unlike.safetensors",
    "card.md",
)
# Bytes of a file at most; one that claims more is refused unread.
LARGEST = {
    NAME: 1 << 16,
    SIGNATURE: 1 << 12,
    "model.json": 1 << 28,
    "samples.json": 1 << 24,
    "scores.json": 1 << 22,
    "compression.json": 1 << 22,
    "reference.json": 1 << 26,
    "background.json": 1 << 24,
    "unlike.safetensors": 1 << 26,
    "card.md": 1 << 20,
    WEIGHTS: 1 << 32,
    "network.onnx": 2**31 - 1,  # protobuf's own limit
    "baseline.onnx": 2**31 - 1,
}
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Vocabulary:
    """The files that a format must have and those that it may; besides them one of ``NETWORKS``."""

    required: tuple[str, ...]
    optional: tuple[str, ...]


FORMATS = {1: Vocabulary((*REQUIRED, WEIGHTS), ()), FORMAT: Vocabulary(REQUIRED, OPTIONAL)}


@dataclass(frozen=True)
class Entry:
    """What the manifest says of a file."""

    bytes: int
    sha256: str


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


def graph_name(files: Mapping[str, Any]) -> str:
    """Return the name of the graph among a bundle's files."""
    return next(name for name in NETWORKS if name in files)


def read(path: str | Path) -> dict[str, bytes]:
    """Return the files of a bundle, a folder or one file, each read once and checked; nothing in them has been run or believed.

    Raises BundleError when the path is no bundle, or a file is missing, added, changed, or holds what a bundle may not.
    """
    from fathom.bundle.opening import opened  # it reads by this vocabulary

    return opened(path)


def entries(content: bytes, file: str) -> tuple[int, dict[str, Entry]]:
    """Return a manifest's format and what it says of each file. Raises BundleError, naming ``file``, when it is none."""
    found = parse(content, file)
    if not isinstance(found, dict) or not isinstance(found.get("format"), int) or isinstance(found["format"], bool):
        raise BundleError(f"{file} is not a manifest: it names no format. Copy the bundle again, whole.", file=file)
    if found["format"] not in FORMATS:
        raise BundleError(
            f"{file} has format {found['format']!r}, and this Fathom reads formats {' and '.join(map(str, FORMATS))}. Use the Fathom that wrote it, or fit again.",
            file=file,
        )
    listed = found.get("files")
    vocabulary = FORMATS[found["format"]]
    if (
        set(found) != {"format", "files"}
        or not isinstance(listed, dict)
        or not set(vocabulary.required) <= set(listed)
        or not set(listed) <= {*vocabulary.required, *vocabulary.optional, *NETWORKS}
        or sum(name in listed for name in NETWORKS) != 1
    ):
        raise BundleError(f"{file} does not list the files of a bundle. Copy the bundle again, whole.", file=file)
    if dump(found) != content:
        raise BundleError(f"{file} is not written as Fathom writes it. Copy the bundle again, whole.", file=file)
    return found["format"], {name: _entry(name, entry, file) for name, entry in listed.items()}


def _entry(name: str, entry: Any, file: str) -> Entry:
    sound = isinstance(entry, dict) and set(entry) == {"bytes", "sha256"}
    if not sound or type(entry["bytes"]) is not int or not isinstance(entry["sha256"], str):
        raise BundleError(f"{file} does not say how large {name} is. Copy the bundle again, whole.", file=file)
    if not 0 <= entry["bytes"] <= LARGEST[name] or not _SHA256.fullmatch(entry["sha256"]):
        raise BundleError(
            f"{file} claims {entry['bytes']:,} bytes for {name}, where {LARGEST[name]:,} are the most, or a SHA-256 that is none. Copy the bundle again, whole.",
            file=file,
        )
    return Entry(entry["bytes"], entry["sha256"])


__all__ = [
    "FORMAT",
    "FORMATS",
    "LARGEST",
    "NAME",
    "NETWORKS",
    "OPTIONAL",
    "REQUIRED",
    "SIGNATURE",
    "WEIGHTS",
    "Entry",
    "Vocabulary",
    "dump",
    "entries",
    "graph_name",
    "make",
    "read",
    "version",
]
