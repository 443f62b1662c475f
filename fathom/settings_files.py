"""Settings as a TOML file: read with lessons that name the line, and written so that a fit can be repeated."""

import contextlib
import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from fathom.errors import OptionError
from fathom.settings import Settings, check_setting


def settings_from(file: str | Path) -> dict[str, Any]:
    """Read settings by name, to be given to `fathom.fit`: ``fit(table, "price", **settings_from("settings.toml"))``.

    Names are those of `fathom.settings.Settings`, which are those of the command's flags with ``_`` for ``-``; ``columns`` and ``encoder`` are tables.

    Raises OptionError, naming file and line, for a file that is not TOML and for a name or a value that cannot be.
    """
    text = _text(file)
    try:
        values = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        place = re.search(r"^(.*) \(at (?:line (\d+), column \d+|end of document)\)$", str(error))
        line = int(place[2]) if place and place[2] else len(text.splitlines()) or 1
        reason = place[1] if place else str(error) or "its values are nested too deep"
        raise OptionError(
            f'{file}, line {line}: this is not TOML ({reason}). A setting is a line like  effort = "quick"',
            file=str(file),
            line=line,
        ) from None
    for name, value in values.items():
        with _placed(file, _line(text, name)):
            check_setting(name, value)
    with _placed(file, None):
        Settings.of(values)
    return values


def settings_text(settings: Settings, command: str = "") -> str:
    """Write settings as TOML that `settings_from` reads: every one that is set, and those that are not as remarks.

    >>> text = settings_text(Settings(epochs=3, columns={"zip code": "category"}))
    >>> [line for line in text.splitlines() if "epochs" in line or "zip" in line]
    ['epochs = 3', '"zip code" = "category"']
    """
    lines = ["# The settings of a fit. Again with the same:  fathom fit TABLE --target NAME --settings settings.toml"]
    lines += [f"# This one was:  {' '.join(command.split())}".translate(_UNPRINTABLE)] if command else []
    tables = []
    for entry in fields(settings):
        value = getattr(settings, entry.name)
        if isinstance(value, Mapping):
            tables += ["", f"[{entry.name}]", *(f"{_word(name)} = {_word(kind)}" for name, kind in value.items())]
        else:
            lines.append(f"# {entry.name}: chosen by Fathom" if value is None else f"{entry.name} = {_value(value)}")
    return "\n".join([*lines, *tables, ""])


_UNPRINTABLE = dict.fromkeys((*range(32), 127, *range(0xD800, 0xE000)), "\N{REPLACEMENT CHARACTER}")


def _value(value: str | float | bool) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return _word(value) if isinstance(value, str) else repr(value)


def _word(word: str) -> str:
    """Write a TOML string; it escapes as JSON does, and the one control character that JSON leaves alone (TOML 1.0.0, "String")."""
    return json.dumps(word, ensure_ascii=False).replace("\x7f", "\\u007f")


def _text(file: str | Path) -> str:
    try:
        return Path(file).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise OptionError(f"{file} is not UTF-8, as TOML is. Save it so in an editor.", file=str(file)) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise OptionError(f"{file} cannot be read as settings: {reason}. Name a TOML file.", file=str(file)) from None


@contextlib.contextmanager
def _placed(file: str | Path, line: int | None) -> Iterator[None]:
    """Let a lesson about a setting name the file and the line that it stands in."""
    try:
        yield
    except OptionError as error:
        where = f"{file}, line {line}" if line else f"{file}"
        raise OptionError(f"{where}: {error}", file=str(file), line=line, column=error.column) from None


def _line(text: str, name: str) -> int | None:
    """Return the line on which a top-level name stands first, ``None`` where it is written in a way of its own."""
    own = re.escape(name)
    found = re.search(rf"""^[ \t]*\[?[ \t]*["']?{own}["']?[ \t]*[\]=.]""", text, re.MULTILINE)
    return text.count("\n", 0, found.end()) + 1 if found else None
