"""Where a model in service lives: a shelf, a run, or a bundle; and the store of its requests beside it."""

from dataclasses import dataclass
from pathlib import Path

from fathom.bundle.manifest import NAME as MANIFEST
from fathom.errors import OptionError
from fathom.service.records.store import NAME
from fathom.service.shelf.versions import is_shelf, open_shelf


@dataclass(frozen=True)
class Place:
    """A model's ``name``, the folder of the bundle that answers now, and its store (a file or a URL), which may not be there yet."""

    name: str
    bundle: Path
    store: str


def store_of(path: str | Path) -> Path:
    """Return where the requests of a shelf, a run or a bundle are recorded: in the shelf or the run, and beside a bundle that lies alone.

    >>> store_of("runs/late-1/bundle").as_posix(), store_of("models/late").as_posix()
    ('runs/late-1/requests.sqlite', 'models/late.requests.sqlite')
    """
    path = Path(path)
    if path.name == "bundle":
        return path.parent / NAME
    if is_shelf(path) or (path / "bundle").is_dir():
        return path / NAME
    return path.with_name(f"{path.name}.{NAME}")


def place_of(path: str | Path, store: str | Path | None = None) -> Place:
    """Return the place that a shelf, a run, a bundle or the store in one of them is of; ``store`` names another store.

    Raises OptionError where it is none of these.
    """
    path = Path(path)
    if path.name.endswith(NAME) and not path.is_dir():
        named = path.name.removesuffix(NAME).removesuffix(".")
        place = place_of(path.with_name(named) if named else path.absolute().parent)
        return Place(place.name, place.bundle, str(store or path))
    if is_shelf(path):
        shelf = open_shelf(path)
        bundle = shelf.folder(shelf.state().live)
    elif (path / "bundle" / MANIFEST).is_file():
        bundle = path / "bundle"
    elif (path / MANIFEST).is_file() or path.is_file():
        bundle = path
    else:
        raise OptionError(
            f"{path} is no shelf, no run and no bundle. Name what fathom serve was given, for example runs/homes-1."
        )
    resolved = path.resolve()
    name = resolved.parent.name if resolved.name == "bundle" else resolved.name
    return Place(name, bundle, str(store or store_of(path)))
