"""Hostile bundles, by the rows of the goals that they belong to: each a name and a function that writes it into a folder and returns its path."""

import itertools
import json
import os
import random
import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
from onnx import TensorProto, helper

from fathom.bundle import manifest
from fathom.bundle.packing import packed

BUNDLES = Path(__file__).parent.parent / "bundles" / "format-2"
PAYLOADS = (
    "os.system", "builtins.eval", "__import__('os').system('id')", "posix.system", "../../../etc/passwd", "/etc/passwd", "C:\\x", "torch.nn.Module", "{{7*7}}", "$(id)",
    "file:///etc/passwd", "http://127.0.0.1:1/x", "\u202eevil", "a\u0000b", "‮", "\ufeff", "𝒳", "<script>alert(1)</script>", "' OR 1=1 --", "%s%s%n", "NaN", "null", "-1", "x" * 5_000,
)  # fmt: skip


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


def every(chance: random.Random, full: bool) -> Iterator[Case]:
    yield from paths(full)
    yield from headers()
    yield from graphs(full)
    yield from bombs()
    yield from tampered(chance, full)
    yield from strings(chance, full)
    yield from pickles()


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


def headers() -> Iterator[Case]:
    """The 21 cases on which safetensors was measured, and those that NumPy would mind."""

    def tensors(header: Any, data: bytes = bytes(16), size: int | None = None) -> bytes:
        text = header if isinstance(header, bytes) else json.dumps(header).encode()
        return struct.pack("<Q", len(text) if size is None else size) + text + data

    def one(**more: Any) -> dict[str, Any]:
        return {"a": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16], **more}}

    two = {"a": one()["a"], "b": {"dtype": "F32", "shape": [4], "data_offsets": [8, 24]}}
    cases = {
        "header past the end": tensors(one(), size=10**6),
        "header of 2^64 - 1": tensors(one(), size=2**64 - 1),
        "header of 0": tensors(one(), size=0),
        "overlap": tensors(two, bytes(24)),
        "hole": tensors(one(data_offsets=[4, 20]), bytes(20)),
        "bytes behind": tensors(one(), bytes(17)),
        "negative offset": tensors(one(data_offsets=[-4, 12])),
        "reversed offsets": tensors(one(data_offsets=[16, 0])),
        "another shape": tensors(one(shape=[5])),
        "shape overflows": tensors(one(shape=[2**62, 2**62, 4])),
        "unknown kind": tensors(one(dtype="object")),
        "metadata that is no text": tensors({**one(), "__metadata__": {"x": 1}}),
        "metadata": tensors({**one(), "__metadata__": {"x": "os.system"}}),
        "100,000 deep": tensors(b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
        "a key twice": tensors(
            b'{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]},"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}'
        ),
        "does not begin with {": tensors(b" " + json.dumps(one()).encode()),
        "a name that climbs": tensors({"../../x": one()["a"]}),
        "a name with NUL": tensors({"a\u0000b": one()["a"]}),
        "NaN": tensors(one(), struct.pack("<4f", 1, float("nan"), 1, 1)),
        "infinite": tensors(one(), struct.pack("<4f", 1, float("inf"), 1, 1)),
        "100,000 empty tensors": tensors(
            {str(n): {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]} for n in range(100_000)}, b""
        ),
        "too short": b"\x01",
        "not JSON": tensors(b"{'a': 1}"),
        "a list": tensors(b"[]", b""),
        "a key more": tensors(one(code="os.system")),
        "shape of truth": tensors(one(shape=[True, 4])),
        "shape of halves": tensors(one(shape=[4.0])),
        "NaN in the header": tensors(b'{"a":{"dtype":"F32","shape":[NaN],"data_offsets":[0,16]}}'),
        "a long name": tensors({"a" * 10_000: one()["a"]}),
        "nine axes": tensors(one(shape=[4] + [1] * 9)),
    }
    for name, content in cases.items():
        yield Case("C4", name, with_file(manifest.WEIGHTS, content))


def graphs(full: bool) -> Iterator[Case]:
    """What ONNX can say and a bundle may not."""
    original = onnx.load_model_from_string(files_of()["network.onnx"])

    def model(change: Callable[[onnx.ModelProto], None]) -> bytes:
        copy = onnx.ModelProto()
        copy.CopyFrom(original)
        change(copy)
        return copy.SerializeToString()

    def outside(location: str, **more: str) -> Callable[[onnx.ModelProto], None]:
        def change(copy: onnx.ModelProto) -> None:
            tensor = copy.graph.initializer[0]
            tensor.ClearField("raw_data")
            tensor.data_location = TensorProto.EXTERNAL
            for key, value in {"location": location, **more}.items():
                tensor.external_data.add(key=key, value=value)

        return change

    def node(operator: str, domain: str = "", **attributes: Any) -> Callable[[onnx.ModelProto], None]:
        return lambda copy: copy.graph.node.insert(
            0, helper.make_node(operator, [copy.graph.initializer[0].name], ["new"], domain=domain, **attributes)
        )

    body = helper.make_graph([], "body", [], [])
    changes: dict[str, Callable[[onnx.ModelProto], Any]] = {
        f"external data at {where}": outside(where)
        for where in ("../x", "a/../../x", "/etc/passwd", "link", "folder/link", "/dev/zero", "hard", "x", "")
    }
    changes |= {
        "external data, negative offset": outside("x", offset="-8"),
        "external data of 2^50": outside("x", length=str(2**50)),
        "external data past the end": outside("x", offset=str(2**40)),
        "external data and bytes": lambda copy: copy.graph.initializer[0].external_data.add(key="location", value="x"),
        "external data, injected": outside("x", __class__="os.system"),
        "dims of 2^40": lambda copy: copy.graph.initializer[0].dims.__setitem__(0, 2**40),
        "negative dims": lambda copy: copy.graph.initializer[0].dims.__setitem__(0, -1),
        "dims that overflow": lambda copy: copy.graph.initializer[0].dims.extend([2**62, 4]),
        "a custom domain": node("Evil", "com.evil"),
        "python": node("PyOp", "com.microsoft.extensions", module="os", name="system"),
        "a Microsoft operator": node("FusedMatMul", "com.microsoft"),
        "an unknown operator": node("Evil"),
        "a class for an operator": node("os.system"),
        "If": node("If", then_branch=body, else_branch=body),
        "Loop": node("Loop", body=body),
        "Scan": node("Scan", body=body, num_scan_inputs=1),
        "a graph inside a plain node": node("Relu", body=body),
        "graphs inside a plain node": node("Relu", body=[body, body]),
        "Constant": node("Constant", value=helper.make_tensor("v", 1, [1], [1.0])),
        "ConstantOfShape": node("ConstantOfShape"),
        "Range": node("Range"),
        "Tile": node("Tile"),
        "Resize to 10^12": lambda copy: grown(copy, "Resize", [10**6, 10**6]),
        "StringNormalizer": node("StringNormalizer"),
        "an attribute that it does not have": node("Relu", evil=1),
        "an attribute twice": lambda copy: [
            copy.graph.node[0].attribute.append(helper.make_attribute("axis", 1)) for _ in range(2)
        ],
        "functions": lambda copy: copy.functions.append(
            helper.make_function("evil", "f", [], [], [], [helper.make_opsetid("", 20)])
        ),
        "training": lambda copy: copy.training_info.add(),
        "notes": lambda copy: copy.metadata_props.add(key="x", value="y"),
        "a domain": lambda copy: copy.opset_import.append(helper.make_opsetid("com.evil", 1)),
        "an operator set of 10^6": lambda copy: copy.opset_import.append(helper.make_opsetid("", 10**6)),
        "a file format of 99": lambda copy: setattr(copy, "ir_version", 99),
        "a sparse constant": lambda copy: copy.graph.sparse_initializer.add(),
        "quantisation notes": lambda copy: copy.graph.quantization_annotation.add(tensor_name="x"),
        "text constants": lambda copy: copy.graph.initializer.append(helper.make_tensor("t", 8, [1], [b"x"])),
        "numbers elsewhere": lambda copy: copy.graph.initializer.append(helper.make_tensor("t", 1, [1], [1.0])),
        "a constant twice": lambda copy: copy.graph.initializer.append(copy.graph.initializer[0]),
        "a cycle": lambda copy: copy.graph.node.insert(0, helper.make_node("Relu", ["later"], ["later"])),
        "from nowhere": lambda copy: copy.graph.node.insert(0, helper.make_node("Relu", ["nowhere"], ["new"])),
        "written twice": lambda copy: copy.graph.node.append(copy.graph.node[-1]),
        "a name of no type": lambda copy: copy.graph.input.append(onnx.ValueInfoProto(name="none")),
        "a sequence": lambda copy: copy.graph.input.append(helper.make_tensor_sequence_value_info("s", 1, [1])),
        "a deep type": lambda copy: copy.graph.input.append(deep_type()),
        "an input of 2^40": lambda copy: copy.graph.input.append(helper.make_tensor_value_info("i", 1, [2**40])),
        "an output from nowhere": lambda copy: copy.graph.output.append(helper.make_tensor_value_info("o", 1, [1])),
        "a name of a megabyte": lambda copy: setattr(copy.graph, "name", "x" * 10**6),
        "zero strides": lambda copy: conv(copy, strides=[0, 0]),
        "great pads": lambda copy: conv(copy, pads=[2**30] * 4),
        "great dilations": lambda copy: conv(copy, dilations=[2**40, 1]),
        "Expand to 10^12": lambda copy: grown(copy, "Expand", [10**6, 10**6]),
        "Pad by 10^12": lambda copy: grown(copy, "Pad", [0, 10**6, 0, 10**6]),
        "an outer product": outer,
        "doubled 60 times": doubled,
        "two graphs": lambda copy: None,
        f"{10**6 if full else 10**5:,} nodes": lambda copy: copy.graph.node.extend(
            [helper.make_node("Relu", ["x"], ["y"])] * (10**6 if full else 10**5)
        ),
    }
    for name, change in changes.items():
        content = model(change)
        if name == "two graphs":
            content += b"\x3a\x00"
        yield Case("C5", name, with_file("network.onnx", content))
    good = files_of()["network.onnx"]
    raw = {
        "empty": b"",
        "cut off": good[:-1],
        "cut in half": good[: len(good) // 2],
        "bytes behind": good + b"\xff",
        "a group": b"\x0b" + good,
        "a long number": b"\x08" + b"\xff" * 20 + good,
        "a length past the end": b"\x3a\xff\xff\xff\xff\x0f",
        "a field 0": b"\x00\x01" + good,
        "a pickle": b"\x80\x04cos\nsystem\n(S'id'\ntR.",
        "a zip": packed(files_of()),
        "a thousand graphs within each other": deep_graph(),
    }
    for name, content in raw.items():
        yield Case("C5", name, with_file("network.onnx", content))
    for name, content in odd_trees():
        yield Case("C5", f"trees: {name}", with_file("baseline.onnx", content))


def deep_type() -> onnx.ValueInfoProto:
    info = onnx.ValueInfoProto(name="deep")
    kind = info.type
    for _ in range(20):
        kind = kind.sequence_type.elem_type
    kind.tensor_type.elem_type = 1
    return info


def deep_graph() -> bytes:
    inner = b""
    for _ in range(1_000):  # attribute g of a node of a graph
        attribute = b"\x32" + length(inner) + inner
        node = b"\x2a" + length(attribute) + attribute
        inner = b"\x0a" + length(node) + node
    return b"\x08\x0a\x3a" + length(inner) + inner


def length(content: bytes) -> bytes:
    size, out = len(content), b""
    while size > 127:
        out += bytes([size & 127 | 128])
        size >>= 7
    return out + bytes([size])


def conv(copy: onnx.ModelProto, **attributes: Any) -> None:
    copy.graph.initializer.append(onnx.numpy_helper.from_array(np.ones((1, 1, 3, 3), np.float32), "k"))
    copy.graph.node.append(helper.make_node("Conv", [copy.graph.input[0].name, "k"], ["conv"], **attributes))


def grown(copy: onnx.ModelProto, operator: str, sizes: list[int]) -> None:
    copy.graph.initializer.append(onnx.numpy_helper.from_array(np.array(sizes), "sizes"))
    copy.graph.node.append(
        helper.make_node(
            operator, [copy.graph.input[0].name, *(["", ""] if operator == "Resize" else []), "sizes"], ["grown"]
        )
    )


def outer(copy: onnx.ModelProto) -> None:
    for name, shape in (("left", (100_000, 1)), ("right", (1, 100_000))):
        copy.graph.initializer.append(onnx.numpy_helper.from_array(np.ones(shape, np.float32), name))
    copy.graph.node.append(helper.make_node("MatMul", ["left", "right"], ["outer"]))


def doubled(copy: onnx.ModelProto) -> None:
    copy.graph.initializer.append(onnx.numpy_helper.from_array(np.ones(8, np.float32), "d0"))
    for step in range(60):
        copy.graph.node.append(helper.make_node("Concat", [f"d{step}", f"d{step}"], [f"d{step + 1}"], axis=0))


def odd_trees() -> Iterator[tuple[str, bytes]]:
    original = onnx.load_model_from_string(files_of("table-trees")["baseline.onnx"])

    def changed_tree(name: str, change: Callable[[Any], None]) -> bytes:
        copy = onnx.ModelProto()
        copy.CopyFrom(original)
        node = next(node for node in copy.graph.node if node.op_type == "TreeEnsemble")
        change(next(attribute for attribute in node.attribute if attribute.name == name))
        return copy.SerializeToString()

    for name, value in itertools.product(
        (
            "nodes_featureids",
            "nodes_truenodeids",
            "nodes_falsenodeids",
            "tree_roots",
            "leaf_targetids",
            "nodes_trueleafs",
        ),
        (-1, 10**9, 2**62),
    ):
        yield f"{name} {value}", changed_tree(name, lambda a, value=value: a.ints.__setitem__(0, value))
    node = next(node for node in original.graph.node if node.op_type == "TreeEnsemble")
    leafs = next(attribute.ints for attribute in node.attribute if attribute.name == "nodes_trueleafs")
    last = max(place for place, leaf in enumerate(leafs) if not leaf)
    yield "one split leads back", changed_tree("nodes_truenodeids", lambda a: a.ints.__setitem__(last, 0))
    yield (
        "two splits lead to one",
        changed_tree("nodes_truenodeids", lambda a: a.ints.__setitem__(last, a.ints[list(leafs).index(0)])),
    )
    yield "fewer features", changed_tree("nodes_featureids", lambda a: a.ints.pop())
    yield (
        "fewer leaves",
        changed_tree(
            "leaf_weights", lambda a: (a.t.dims.__setitem__(0, 1), setattr(a.t, "raw_data", a.t.raw_data[:8]))
        ),
    )
    yield "odd questions", changed_tree("nodes_modes", lambda a: setattr(a.t, "raw_data", b"\x63" * len(a.t.raw_data)))
    yield "no targets", changed_tree("n_targets", lambda a: setattr(a, "i", 0))
    yield "10^9 targets", changed_tree("n_targets", lambda a: setattr(a, "i", 10**9))
    yield "odd sum", changed_tree("aggregate_function", lambda a: setattr(a, "i", 77))


def bombs() -> Iterator[Case]:
    files = files_of()

    def claimed(name: str, size: int) -> dict[str, bytes]:
        said = json.loads(files[manifest.NAME])
        said["files"][name]["bytes"] = size
        return {**files, manifest.NAME: manifest.dump(said)}

    for name, size in itertools.product(
        ("model.json", "network.onnx", "weights.safetensors"), (0, 1, 2**33, 2**60, 2**63, -1)
    ):
        yield Case("C6", f"{name} claims {size}", laid(claimed(name, size)))
    for name in ("model.json", "network.onnx"):
        size = 5 * 2**30
        yield Case(
            "C6",
            f"{name} of 5 GiB",
            changed(laid(claimed(name, size)), lambda path, name=name, size=size: os.truncate(path / name, size)),
        )
        yield Case("C6", f"{name} grows", changed(laid(files), lambda path, name=name: os.truncate(path / name, 2**32)))
    yield Case("C6", "a manifest of 1 GiB", changed(laid(files), lambda path: os.truncate(path / manifest.NAME, 2**30)))
    deep = b"[" * 10**6 + b"]" * 10**6
    for name in ("model.json", "samples.json", "scores.json"):
        yield Case("C6", f"{name} 10^6 deep", with_file(name, deep))
        yield Case("C6", f"{name} not closed", with_file(name, b"[" * 10**5))
        yield Case("C6", f"{name} with a number of 10^6 digits", with_file(name, b'{"x": ' + b"9" * 10**6 + b"}"))
        yield Case("C6", f"{name} with 1e999", with_file(name, b'{"x": 1e999}'))
        yield Case("C6", f"{name} with half a character", with_file(name, b'{"x": "\\ud800"}'))
        yield Case("C6", f"{name} twice a key", with_file(name, b'{"x": 1, "x": 1}'))
    yield Case(
        "C6", "a sparse file of 5 GiB", changed(one_file(packed(files)), lambda path: os.truncate(path, 5 * 2**30))
    )


def tampered(chance: random.Random, full: bool) -> Iterator[Case]:
    for folder in (True, False):
        for name, content in sorted((files_of() if folder else {"": packed(files_of())}).items()):
            count = len(content) if full and len(content) < 5_000 else min(len(content), 400 if full else 8)
            for place in sorted(chance.sample(range(len(content)), count)):
                odd = bytearray(content)
                odd[place] ^= chance.randrange(1, 256)
                write = laid({**files_of(), name: bytes(odd)}) if folder else one_file(bytes(odd))
                yield Case("C7", f"byte {place} of {name or 'the file'}", write)
    for one, other in itertools.permutations(("model.json", "samples.json", "network.onnx", "weights.safetensors"), 2):
        yield Case("C7", f"{other} for {one}", laid({**files_of(), one: files_of()[other]}))
    other = files_of("table-trees")
    for name in ("model.json", "samples.json", "manifest.json"):
        yield Case("C7", f"{name} of another bundle", laid({**files_of(), name: other[name]}))


# Words of the user's own table, which name nothing: any text may stand there.
FREE = {"name", "column", "reason", "examples", "words", "prefix", "suffix", "decimal", "thousands", "no", "yes"}


def strings(chance: random.Random, full: bool) -> Iterator[Case]:
    for bundle in ("table-network", "table-trees"):
        said = json.loads(files_of(bundle)["model.json"])
        leaves = list(texts(said, ()))
        for where in leaves:
            free = (
                (any(key in FREE for key in where) and where[0] == "columns")
                or where[-1] in ("column",)
                or ("plan" in where and where[-1] == "name")
            )
            for payload in PAYLOADS if full else chance.sample(PAYLOADS, 1):
                copy = json.loads(files_of(bundle)["model.json"])
                at = copy
                for key in where[:-1]:
                    at = at[key]
                at[where[-1]] = payload
                content = manifest.dump(copy)
                files = remade({**files_of(bundle), "model.json": content})
                label = ".".join(map(str, where))
                yield Case("C8 free" if free else "C8", f"{label} is {payload[:30]!r}", laid(files))
        for where in objects(said, ()):
            copy = json.loads(files_of(bundle)["model.json"])
            at = copy
            for key in where:
                at = at[key]
            at["__reduce__"] = "os.system"
            yield Case(
                "C8",
                f"a key more in {'.'.join(map(str, where))}",
                laid(remade({**files_of(bundle), "model.json": manifest.dump(copy)})),
            )


def texts(value: Any, where: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, str):
        yield where
    for key, item in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from texts(item, (*where, key))


def objects(value: Any, where: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, dict):
        yield where
    for key, item in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from objects(item, (*where, key))


def pickles() -> Iterator[Case]:
    """What runs when it is unpickled, under every name that a bundle has, and as a whole bundle."""
    bodies = {
        "protocol 0": b"cos\nsystem\n(S'touch pwned'\ntR.",
        "protocol 4": b"\x80\x04\x95\x1d\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x8c\x06system\x93\x8c\x02id\x85R.",
        "builtins": b"c__builtin__\neval\n(S'1'\ntR.",
        "torch's zip": b"PK\x03\x04" + bytes(26) + b"archive/data.pkl",
        "numpy": b"\x93NUMPY\x01\x00v\x00{'descr': '|O', 'fortran_order': False, 'shape': (1,)}",
        "hdf5": b"\x89HDF\r\n\x1a\n" + bytes(100),
    }
    for name, body in bodies.items():
        for member in sorted(set(files_of()) - {manifest.NAME}):
            yield Case("C2", f"{name} as {member}", with_file(member, body))
        yield Case("C2", f"{name} as {manifest.NAME}", laid({**files_of(), manifest.NAME: body}))
        yield Case("C2", f"{name} as a whole bundle", one_file(body))
