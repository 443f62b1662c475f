"""The house stands as docs/design.md draws it: who may import whom, nothing hidden, nothing dangerous."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import fathom
from fathom.baselines import BASELINES
from fathom.commands import COMMANDS
from fathom.data.modalities import MODALITIES
from fathom.evidence import CHECKS, MEASURES
from fathom.networks.encoders import ENCODERS
from fathom.networks.heads import HEADS
from fathom.networks.sequences import SEQUENCES
from fathom.networks.trunks import TRUNKS
from fathom.reasons import METHODS
from fathom.training.objectives import OBJECTIVES

PACKAGE = Path(fathom.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
NEVER = {"pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
OPEN_SETS = {
    "data/modalities": MODALITIES,
    "networks/encoders": [encoder for encoder in ENCODERS if not hasattr(encoder, "network")],
    "networks/sequences": SEQUENCES,
    "networks/trunks": TRUNKS,
    "networks/heads": HEADS,
    "training/objectives": OBJECTIVES,
    "baselines": BASELINES,
    "evidence": (*MEASURES, *CHECKS),
    "commands": COMMANDS,
    "reasons": METHODS,
}
# What each part may import of the package, from the ground up. A part not named may import anything below the command line.
ALLOWED = {
    "errors": set(),
    "shapes": set(),
    "progress": set(),
    "data": {"errors", "shapes", "data"},
    "networks": {"errors", "shapes", "networks"},
    "training": {"errors", "shapes", "data", "networks", "training"},
    "baselines": {"errors", "shapes", "data", "baselines"},
    "resampling": {"errors"},
    "scoring": {"errors", "resampling"},
    "quantities": set(),
    "report": {"errors", "quantities", "report"},
    "reasons": {"errors", "quantities", "shapes", "data", "bundle", "model", "reasons"},
    "service": {
        "errors",
        "quantities",
        "shapes",
        "data",
        "bundle",
        "model",
        "resampling",
        "scoring",
        "reasons",
        "service",
    },
}
# The rooms of a wing, and which others of it each may use; ``""`` is what stands in the wing itself.
ROOMS = {
    "service": {
        "": {""},
        "records": {"", "records"},
        "shelf": {"", "records", "shelf"},
        "watch": {"", "records", "watch"},
        "label": {"", "shelf", "watch", "label"},
        "host": {"", "records", "shelf", "watch", "host"},
        "web": {"", "records", "watch", "host", "web"},
    },
    "bundle": {
        "guard": {"", "guard"},
        "graph": {"", "graph"},
        "answers": {"", "answers"},
        "": {"", "guard", "answers"},
    },
}


def imports_of(path: Path, deep: bool = True) -> set[str]:
    """Return the modules that a file imports; only those of its top level unless ``deep``."""
    parsed = ast.parse(path.read_text())
    found = set()
    for node in ast.walk(parsed) if deep else parsed.body:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def dotted(path: Path) -> str:
    """Return the name under which a file of the package is imported."""
    return ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")


def part_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_file_has_a_caption_and_imports_only_what_lies_below_it(path):
    assert (ast.get_docstring(ast.parse(path.read_text())) or "").splitlines()[0].strip()
    names = imports_of(path)
    assert not NEVER & {name.split(".")[0] for name in names}
    own = {name.split(".")[1] for name in names if name.startswith("fathom.")}
    if part_of(path) in ALLOWED:
        assert own <= ALLOWED[part_of(path)], path
    if part_of(path) not in ("cli", "__main__"):
        assert "cli" not in own
    if part_of(path) not in ("cli", "commands"):
        assert "commands" not in own


def test_no_two_parts_of_the_house_need_each_other():
    needs: dict[str, set[str]] = {}
    for path in FILES:
        own = {name.split(".")[1] for name in imports_of(path) if name.startswith("fathom.")}
        needs.setdefault(part_of(path), set()).update(own - {part_of(path)})
    needs.pop("__init__")  # which names what is used first, and imports it then
    while free := {part for part, others in needs.items() if not others & needs.keys()}:
        needs = {part: others for part, others in needs.items() if part not in free}
    assert not needs, f"These import each other in a circle, or what does: {needs}"


@pytest.mark.parametrize("wing", ROOMS)
def test_a_room_uses_only_the_rooms_below_it(wing):
    def room_of(parts):
        return parts[0] if (PACKAGE / wing / parts[0]).is_dir() else ""

    found = set()
    for path in (PACKAGE / wing).rglob("*.py"):
        here = room_of(path.relative_to(PACKAGE / wing).with_suffix("").parts)
        modules = (name.split(".")[2:] for name in imports_of(path) if name.startswith(f"fathom.{wing}."))
        found |= {(here, room_of(parts)) for parts in modules}
    assert {room for room, _ in found} | {""} == set(ROOMS[wing])
    assert found <= {(room, other) for room, others in ROOMS[wing].items() for other in others}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_file_runs_no_code_that_it_is_given(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in ("eval", "exec", "compile", "__import__"), path
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print":
            assert part_of(path) == "commands" or path.name == "cli.py", path
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            assert (node.value.id, node.attr) != ("torch", "load"), path


@pytest.mark.parametrize(("folder", "members"), [*OPEN_SETS.items()], ids=[*OPEN_SETS])
def test_every_member_of_an_open_set_is_listed_and_knows_no_other(folder, members):
    listed = {Path(member.__file__).stem for member in members}
    have_a_name = {
        path.stem
        for path in (PACKAGE / folder).glob("*.py")
        if any(
            isinstance(n, ast.Assign) and getattr(n.targets[0], "id", "") == "NAME"
            for n in ast.parse(path.read_text()).body
        )
    }
    assert have_a_name == listed
    dotted = "fathom." + folder.replace("/", ".")
    for name in listed:
        others = {f"{dotted}.{other}" for other in listed - {name}}
        assert not others & imports_of(PACKAGE / folder / f"{name}.py"), name


def loaded_after(code: str) -> set[str]:
    """Return the top-level packages that a fresh interpreter has loaded after running ``code``."""
    tail = "; import sys; print(' '.join(sorted({name.split('.')[0] for name in sys.modules})))"
    done = subprocess.run([sys.executable, "-c", code + tail], capture_output=True, text=True, check=True, timeout=120)
    return set(done.stdout.splitlines()[-1].split())


def test_importing_fathom_and_asking_for_help_load_no_heavy_library():
    heavy = {"torch", "sklearn", "pandas", "scipy", "onnx", "onnxruntime", "pyarrow", "numpy", "lightgbm"}
    help_wanted = "import sys; sys.argv=['fathom', '--help']\ntry:\n    from fathom.cli import main; main()\nexcept SystemExit: pass\nimport sys"
    assert not heavy & loaded_after("import fathom")
    assert not heavy & loaded_after(help_wanted)


@pytest.mark.parametrize(
    "part",
    [
        "fathom.data.files.reading",
        "fathom.data.recognising",
        "fathom.bundle.answers.inference",
        "fathom.model",
        "fathom.scoring",
        "fathom.reasons.rows",
        ", ".join(dotted(path) for path in sorted((PACKAGE / "service").rglob("*.py"))),
    ],
)
def test_what_serves_never_loads_torch_or_scikit_learn(part):
    assert not {"torch", "sklearn", "scipy", "onnx", "lightgbm", "safetensors"} & loaded_after(f"import {part}")
