"""Keep the README's tree equal to the captions of the files: `python dev/house.py --write`, or check without `--write`."""

import ast
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
START, END = "<!-- tree: made by dev/house.py -->", "<!-- end of tree -->"


def caption(path: Path) -> str:
    """Return the first line of a module's docstring."""
    doc = ast.get_docstring(ast.parse(path.read_text()))
    return (doc or "").splitlines()[0] if doc else ""


def tree(folder: Path, indent: str = "") -> list[str]:
    """Return a line a file and folder, with its caption."""
    lines = []
    files = sorted(path for path in folder.glob("*.py") if path.name not in ("__init__.py", "__main__.py"))
    for path in files:
        lines.append(f"{indent}{path.name:<{30 - len(indent)}}{caption(path)}")
    for sub in sorted(path for path in folder.iterdir() if (path / "__init__.py").is_file()):
        lines.append(f"{indent}{sub.name + '/':<{30 - len(indent)}}{caption(sub / '__init__.py')}")
        lines += tree(sub, indent + "  ")
    return lines


def expected(readme: str) -> str:
    """Return the README with the tree that the files call for."""
    before, rest = readme.split(START)
    _, after = rest.split(END)
    listing = "\n".join(["fathom/", *tree(ROOT / "fathom", "  ")])
    return f"{before}{START}\n\n```\n{listing}\n```\n\n{END}{after}"


def main() -> int:
    """Check or write; 1 when the README is behind."""
    path = ROOT / "README.md"
    readme = path.read_text()
    wanted = expected(readme)
    if readme == wanted:
        return 0
    if "--write" in sys.argv:
        path.write_text(wanted)
        return 0
    print("README.md: the tree is not what the files' captions say. Run: make format")
    return 1


if __name__ == "__main__":
    sys.exit(main())
