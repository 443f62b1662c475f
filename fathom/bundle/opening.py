"""A bundle is read from a folder or from one file: every byte once, by descriptor, and nothing that its manifest does not answer for.

In a folder each file is opened without following links, and must be an ordinary file with one name: what was checked is what is used, whoever writes there meanwhile
(CVE-2026-4137 of MLflow, CVE-2026-34446 of ONNX). One file is a zip of stored members in exactly the layout that `fathom.bundle.packing` writes.
"""

import contextlib
import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from fathom.bundle import manifest, packing
from fathom.bundle.guard import checking
from fathom.errors import BundleError

MOST_FILES = 64  # of a folder, that are looked at
_FLAGS = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_RELATIVE = os.open in os.supports_dir_fd


def opened(path: str | Path) -> dict[str, bytes]:
    """Return the files of a bundle, checked; see `manifest.read`."""
    path = Path(path)
    if not path.exists():
        raise BundleError(
            f"There is no bundle at {path}. Name the folder 'bundle' inside a run, or the run itself.", file=str(path)
        )
    files = from_file(path) if path.is_file() else from_folder(path)
    checking.check_contents(files, str(path))
    return files


def from_folder(folder: Path) -> dict[str, bytes]:
    """Return the files of a folder as its manifest lists them. Raises BundleError."""
    if not (folder / manifest.NAME).is_file() and (folder / "bundle" / manifest.NAME).is_file():
        folder = folder / "bundle"
    if not (folder / manifest.NAME).is_file():
        raise BundleError(
            f"{folder} is not a bundle: it has no {manifest.NAME}. Name the folder 'bundle' that fathom fit wrote.",
            file=str(folder),
        )
    with _folder(folder) as place:
        present = _names(folder, place)
        files = {manifest.NAME: _read(folder, place, manifest.NAME, None)}
        _, listed = manifest.entries(files[manifest.NAME], str(folder / manifest.NAME))
        for name in sorted((present - {manifest.NAME, manifest.SIGNATURE}) ^ set(listed)):
            what = (
                "is listed in the manifest and not there"
                if name in listed
                else "is there and not listed in the manifest"
            )
            shown = str(folder / name) if name.isprintable() else f"{folder}: {name!r}"
            raise BundleError(f"{shown} {what}. Copy the bundle again, whole.", file=str(folder / name))
        for name, entry in listed.items():
            files[name] = _read(folder, place, name, entry)
        if manifest.SIGNATURE in present:
            files[manifest.SIGNATURE] = _read(folder, place, manifest.SIGNATURE, None)
    return files


def from_file(path: Path) -> dict[str, bytes]:
    """Return the members of a bundle that is one file. Raises BundleError."""
    try:
        descriptor = os.open(path, _FLAGS & ~getattr(os, "O_NOFOLLOW", 0))  # a link that the user names is theirs
    except OSError as error:
        raise BundleError(f"{path} cannot be opened ({error.strerror}).", file=str(path)) from None
    content = _whole(descriptor, path, packing.LARGEST)
    return packing.unpacked(content, str(path))


@contextlib.contextmanager
def _folder(folder: Path) -> Iterator[int | None]:
    """Yield a descriptor of a folder, through which its files are opened whatever is renamed; ``None`` where the system has no such thing."""
    if not _RELATIVE:
        yield None
        return
    descriptor = os.open(folder, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _names(folder: Path, place: int | None) -> set[str]:
    names: set[str] = set()
    with os.scandir(folder if place is None else place) as found:
        for entry in found:
            names.add(entry.name)
            if len(names) > MOST_FILES:
                raise BundleError(
                    f"{folder} holds more than {MOST_FILES} files, where a bundle has a handful. Name the folder 'bundle' that fathom fit wrote.",
                    file=str(folder),
                )
    return names


def _read(folder: Path, place: int | None, name: str, entry: manifest.Entry | None) -> bytes:
    """Return a file's bytes if it is an ordinary file of the size and the SHA-256 that the manifest says."""
    path = folder / name
    try:
        descriptor = os.open(name if place is not None else path, _FLAGS, dir_fd=place)
    except OSError as error:
        raise BundleError(
            f"{path} cannot be opened as an ordinary file ({error.strerror}): links are not followed. Copy the bundle again, whole.",
            file=str(path),
        ) from None
    content = _whole(descriptor, path, entry.bytes if entry else manifest.LARGEST[name], entry)
    if entry is not None and hashlib.sha256(content).hexdigest() != entry.sha256:
        raise BundleError(
            f"{path} was changed after it was saved: its SHA-256 is not the manifest's. Copy the bundle again, whole.",
            file=str(path),
        )
    return content


def _whole(descriptor: int, path: Path, most: int, entry: manifest.Entry | None = None) -> bytes:
    """Read a descriptor to its end and close it; refuses what is no ordinary file with one name, and any size but that of ``entry``."""
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1:
            what = "has another name elsewhere (a hard link)" if stat.S_ISREG(found.st_mode) else "is no ordinary file"
            raise BundleError(
                f"{path} {what}, through which it could change while it is used. Copy the bundle again, whole.",
                file=str(path),
            )
        size = found.st_size
        if entry is not None and size != entry.bytes:
            raise BundleError(
                f"{path} has {size:,} bytes where the manifest says {entry.bytes:,}: the file was changed or cut off. "
                "Copy the bundle again, whole.",
                file=str(path),
            )
        if size > most:
            raise BundleError(
                f"{path} has {size:,} bytes, where {most:,} are the most. Copy the bundle again, whole.", file=str(path)
            )
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            content = file.read(size + 1)
    except OSError as error:
        raise BundleError(f"{path} cannot be read ({error.strerror}).", file=str(path)) from None
    finally:
        os.close(descriptor)
    if len(content) != size:
        raise BundleError(
            f"{path} changed while it was read. Copy the bundle again, when nothing writes it.", file=str(path)
        )
    return content
