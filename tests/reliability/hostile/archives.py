"""Files where none may be: other names, links, zips that lie (row C3)."""

import itertools
import json
import os
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from fathom.bundle import manifest
from fathom.bundle.packing import packed
from tests.reliability.hostile.making import Case, changed, files_of, laid, one_file


def paths(full: bool) -> Iterator[Case]:
    good = laid(files_of())
    outside = Path(__file__).resolve()

    def link(kind: str, name: str) -> Callable[[Path], None]:
        def change(path: Path) -> None:
            content = (path / name).read_bytes()
            target = path.parent / f"outside-{name}"
            target.write_bytes(content)
            (path / name).unlink()
            os.link(target, path / name) if kind == "hard" else (path / name).symlink_to(target)

        return change

    for kind, name in itertools.product(("hard", "symbolic"), sorted(files_of())):
        yield Case("C3", f"{kind} link for {name}", changed(good, link(kind, name)))

    def special(name: str, how: Callable[[Path], Any]) -> Callable[[Path], None]:
        def change(path: Path) -> None:
            (path / name).unlink()
            how(path / name)

        return change

    for name in sorted(files_of()):
        yield Case("C3", f"fifo for {name}", changed(good, special(name, os.mkfifo)))
        yield Case("C3", f"folder for {name}", changed(good, special(name, Path.mkdir)))
        yield Case("C3", f"device for {name}", changed(good, special(name, lambda path: path.symlink_to("/dev/zero"))))
        yield Case("C3", f"{name} to itself", changed(good, special(name, lambda path: path.symlink_to(path.name))))
    for extra in (
        "Model.json",
        "MODEL.JSON",
        "..\\x.json",
        "C:x",
        "x.pkl",
        "__init__.py",
        "conftest.py",
        ".hidden",
        "a\nb",
        "é.json",
        "x" * 255,
    ):
        yield Case(
            "C3", f"more: {extra[:20]!r}", changed(good, lambda path, extra=extra: (path / extra).write_bytes(b"x"))
        )

    def many(path: Path) -> None:
        for number in range(100_000 if full else 2_000):
            (path / f"{number}.json").touch()

    yield Case("C3", "very many files", changed(good, many))
    for name in (
        "../x.json",
        "/etc/passwd",
        "C:\\x",
        "a\\b",
        "a\u0000b",
        "Model.json",
        "sub/model.json",
        "",
        ".",
        "x.pkl",
        str(outside),
    ):
        listed = {**json.loads(files_of()[manifest.NAME])["files"], name: {"bytes": 1, "sha256": "0" * 64}}
        yield Case(
            "C3",
            f"manifest lists {name[-20:]!r}",
            laid({**files_of(), manifest.NAME: manifest.dump({"format": 2, "files": listed})}),
        )
    listed = files_of()[manifest.NAME].replace(
        b'"model.json": {', b'"model.json": {"bytes": 1, "sha256": "0"},\n  "model.json": {', 1
    )
    yield Case("C3", "manifest lists a file twice", laid({**files_of(), manifest.NAME: listed}))
    for name, content in zips(full):
        yield Case("C3", f"zip: {name}", one_file(content))


def zips(full: bool) -> Iterator[tuple[str, bytes]]:
    import io

    files = files_of()
    good = packed(files)

    def zipped(members: list[tuple[str, bytes]], how: int = zipfile.ZIP_STORED) -> bytes:
        import warnings

        out = io.BytesIO()
        with warnings.catch_warnings(), zipfile.ZipFile(out, "w", how) as archive:
            warnings.simplefilter("ignore")
            for name, content in members:
                archive.writestr(name, content)
        return out.getvalue()

    members = sorted(files.items(), key=lambda item: item[0] != manifest.NAME)
    for name in ("../../x", "/tmp/x", "C:\\x", "a\\..\\b", "Model.json", "model.json", "x.pkl", "sub/", "é"):
        yield f"a member {name!r}", zipped([*members, (name, b"x")])
        yield f"first {name!r}", zipped([(name, b"x"), *members])
    yield "compressed", zipped(members, zipfile.ZIP_DEFLATED)
    yield (
        "a bomb",
        zipped([(manifest.NAME, files[manifest.NAME]), ("model.json", bytes(50_000_000))], zipfile.ZIP_DEFLATED),
    )
    yield "other order", zipped(members[::-1])
    yield "by another hand", zipped(members)
    yield "something before", b"#!/bin/sh\n" + good
    yield "something behind", good + b"PK\x05\x06" + bytes(18)
    yield "a remark", good[:-2] + b"\x04\x00rmrm"
    yield "cut off", good[: len(good) // 2]
    yield "without an end", good[:-22]
    yield "empty", b""
    yield "no member", b"PK\x05\x06" + bytes(18)
    for place, what in (
        (6, "flags"),
        (8, "method"),
        (12, "date"),
        (14, "check"),
        (18, "size"),
        (22, "real size"),
        (26, "length of the name"),
        (28, "extra field"),
        (4, "version"),
    ):
        odd = bytearray(good)
        odd[place] ^= 9
        yield f"another {what}", bytes(odd)
    central = good.rindex(b"PK\x01\x02")
    for place in range(central, len(good) - 1, 5):
        odd = bytearray(good)
        odd[place] ^= 1
        yield f"byte {place - central} of the directory", bytes(odd)
    if full:
        yield "100,000 members", zipped([*members, *((f"{number}", b"") for number in range(100_000))])
