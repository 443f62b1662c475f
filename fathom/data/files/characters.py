"""Finds the encoding of a text file and walks its bytes once: every later step sees valid UTF-8.

Sources: byte order marks as in The Unicode Standard, section 23.8; Windows-1252 as the usual stand-in for Latin-1 as in the
WHATWG Encoding Standard, section 4.2. Telling UTF-16 without a mark by its decoded characters is ours.
"""

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa

from fathom.data.files.finding import Content, blocks
from fathom.errors import OptionError, TableError, suggestion

_MARKS: tuple[tuple[bytes, str, str], ...] = (  # the longer first, since one begins like the other
    (codecs.BOM_UTF32_LE, "utf-32", "UTF-32 with a byte order mark"),
    (codecs.BOM_UTF32_BE, "utf-32", "UTF-32 with a byte order mark"),
    (codecs.BOM_UTF8, "utf-8", "UTF-8 with a byte order mark"),
    (codecs.BOM_UTF16_LE, "utf-16", "UTF-16 (little-endian) with a byte order mark"),
    (codecs.BOM_UTF16_BE, "utf-16", "UTF-16 (big-endian) with a byte order mark"),
)
_UTF16 = {"utf-16-le": "UTF-16 (little-endian)", "utf-16-be": "UTF-16 (big-endian)"}
_KNOWN = (
    "utf-8",
    "utf-16",
    "utf-16-le",
    "utf-16-be",
    "latin-1",
    "windows-1252",
    "windows-1251",
    "shift_jis",
    "gb18030",
)
_NOT_IN_WINDOWS_1252 = b"\x81\x8d\x8f\x90\x9d"
_CONTROLS = bytes(set(range(32)) - set(b"\t\n\v\f\r\x1a\x1b"))
_ESCAPED = re.compile("[\udc80-\udcff]")
_BEYOND_ASCII = re.compile("[^\0-\x7f\udc80-\udcff]")


@dataclass(frozen=True)
class Characters:
    """How a text file is encoded, and what one walk over its bytes found.

    ``codec`` is Python's name; ``lines`` counts lines, an unfinished last one included; ``quotes`` counts ``"``;
    ``returns`` says whether there are carriage returns. ``decisions`` are the sentences for the user.
    """

    codec: str
    lines: int
    quotes: int
    returns: bool
    decisions: tuple[str, ...]


def examine(content: Content, encoding: str | None = None) -> Characters:
    """Settle the encoding of a text file, check every byte of it, and count its lines and quotes.

    Raises TableError when the bytes are not text, hold NUL, are blank, or are not of the encoding; OptionError when
    ``encoding`` is unknown.
    """
    if encoding is not None:
        codec = _text_codec(encoding)
        try:
            return _walk(content, codec, f"Encoding: {codec}, as given.")
        except _UndecodableError as error:
            raise TableError(
                f"{content.label}, line {error.line}: the byte {error.byte} is not of the given encoding {codec}. "
                "Leave the encoding out to have it found, or give the one that the file was written with.",
                file=content.label,
                line=error.line,
            ) from None
    codec, name = guess(content.head) or ("utf-8", "UTF-8")
    try:
        return _walk(content, codec, f"Encoding: {name}.")
    except _UndecodableError as error:
        if codec != "utf-8" or content.head.startswith(codecs.BOM_UTF8):
            raise TableError(
                f"{content.label}, line {error.line}: the byte {error.byte} does not belong to {name}, which the file "
                "begins with. It is damaged or cut short: write it again, or give the encoding if it is another.",
                file=content.label,
                line=error.line,
            ) from None
        codec, name = _legacy(content, error)
        return _walk(
            content,
            codec,
            f"Encoding: {name}, since the bytes are not valid UTF-8. If letters look wrong, give the right one with --encoding.",
        )


def guess(head: bytes) -> tuple[str, str] | None:
    """Return the codec and the name of the encoding that the first bytes tell, or None: then it is UTF-8 or older.

    >>> guess("a,b\\n1,2\\n".encode("utf-16-le"))
    ('utf-16-le', 'UTF-16 (little-endian)')
    >>> guess(b"a,b\\n1,2\\n") is None
    True
    """
    for mark, codec, name in _MARKS:
        if head.startswith(mark):
            return codec, name
    if b"\0" not in head:
        return None
    plain = {codec: _plain_characters(head, codec) for codec in _UTF16}
    best = max(plain, key=lambda codec: plain[codec])
    return (best, _UTF16[best]) if plain[best] > 0 else None


def open_text(content: Content, codec: str) -> pa.NativeFile:
    """Open a text file as a stream of UTF-8 bytes. A byte order mark may lead it."""
    raw = content.open()
    return raw if codec == "utf-8" else pa.transcoding_input_stream(raw, codec, "utf-8")


def text_blocks(content: Content, codec: str) -> Iterator[bytes]:
    """Yield the text as valid UTF-8 bytes without byte order mark, block after block; raises UnicodeDecodeError."""
    decoder = codecs.getincrementaldecoder(codec)()
    first = True
    for block in blocks(content):
        if codec != "utf-8":
            text = decoder.decode(block).encode("utf-8")
        else:
            text = block
            if not block.isascii() or decoder.getstate()[0]:  # ASCII needs no decoding, unless a character is open
                decoder.decode(block)
        if first:
            text = text.removeprefix(codecs.BOM_UTF8)
            first = not text
        yield text
    decoder.decode(b"", final=True)


def count_breaks(text: bytes) -> int:
    """Count line breaks: LF, CR, or both together as one."""
    feeds = text.count(b"\n")
    return feeds + text.count(b"\r") - text.count(b"\r\n") if b"\r" in text else feeds


class _UndecodableError(Exception):
    """Bytes that are not of an encoding, and where they stand."""

    def __init__(self, line: int, byte: str) -> None:
        super().__init__(line, byte)
        self.line = line
        self.byte = byte


def _walk(content: Content, codec: str, sentence: str) -> Characters:
    feeds = returns = pairs = quotes = 0
    last, blank = b"", True
    try:
        for block in text_blocks(content, codec):
            if b"\0" in block:
                line = 1 + feeds + returns - pairs + count_breaks(block[: block.index(b"\0")])
                raise _not_text(content, line)
            feeds += block.count(b"\n")
            if b"\r" in block:
                returns += block.count(b"\r")
                pairs += block.count(b"\r\n")
            pairs += last == b"\r" and block[:1] == b"\n"
            quotes += block.count(b'"')
            blank = blank and not block.strip()
            last = block[-1:] or last
    except UnicodeDecodeError as error:
        before = error.object[: error.start].decode(codec, "ignore").encode()
        line = 1 + feeds + returns - pairs + count_breaks(before)
        raise _UndecodableError(line, "0x" + error.object[error.start : error.start + 1].hex()) from None
    if blank:
        raise TableError(
            f"{content.label} holds only blank lines. A table needs a line of names and a line for each row.",
            file=content.label,
        )
    ends = _line_ends(feeds - pairs, returns - pairs, pairs)
    lines = feeds + returns - pairs + (last not in {b"\n", b"\r"})
    return Characters(codec, lines, quotes, returns > 0, (sentence, *ends))


def _line_ends(feeds: int, returns: int, pairs: int) -> tuple[str, ...]:
    kinds = {"LF": feeds, "CR": returns, "CRLF": pairs}
    found = [f"{name} ({count:,})" for name, count in kinds.items() if count]
    if len(found) > 1:
        return (f"Line ends: mixed, {', '.join(found)}.",)
    return tuple(f"Line ends: {name}." for name, count in kinds.items() if count)


def _not_text(content: Content, line: int) -> TableError:
    return TableError(
        f"{content.label}, line {line}: a NUL byte was found, so this is no text: it looks like binary data under "
        f"a text file's name. Export the table as CSV, or give a Parquet or Arrow file.",
        file=content.label,
        line=line,
    )


def _plain_characters(head: bytes, codec: str) -> int:
    """Count the ASCII characters of bytes read as UTF-16; 0 when they are not half of it, or it is no text.

    Read in the wrong byte order, line breaks, commas and digits become characters of distant scripts. So does
    an ASCII text with a stray NUL.
    """
    try:
        text = codecs.getincrementaldecoder(codec)().decode(head)
    except UnicodeDecodeError:
        return 0
    strange = sum(not (character.isprintable() or character in "\t\n\v\f\r") for character in set(text))
    plain = sum("\t" <= character <= "~" for character in text)
    return plain if plain * 2 >= len(text) and strange == 0 else 0


def _legacy(content: Content, error: _UndecodableError) -> tuple[str, str]:
    """Choose between Windows-1252 and Latin-1 for bytes that are not UTF-8, unless they are plainly something else."""
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    good = bad = undefined = controls = size = 0
    for block in blocks(content):
        size += len(block)
        controls += len(block) - len(block.translate(None, _CONTROLS))
        if not block.isascii():
            text = decoder.decode(block)
            bad += len(_ESCAPED.findall(text))
            good += len(_BEYOND_ASCII.findall(text))
            undefined += len(block) - len(block.translate(None, _NOT_IN_WINDOWS_1252))
    bad += len(decoder.decode(b"", final=True))  # a character that the end of the file cuts in two
    if controls > size // 100:
        raise TableError(
            f"{content.label} is no text: {controls:,} of its {size:,} bytes are control characters. "
            "It looks like binary data under a text file's name. Export the table as CSV, or give a Parquet or Arrow file.",
            file=content.label,
        )
    if good >= bad:
        raise TableError(
            f"{content.label}, line {error.line}: the byte {error.byte} is not valid UTF-8, while the rest of the file "
            f"is ({good:,} {'letter' if good == 1 else 'letters'} beyond ASCII, {bad:,} stray {'byte' if bad == 1 else 'bytes'}). "
            "Correct that line, or give the encoding, for instance encoding='windows-1252'.",
            file=content.label,
            line=error.line,
        )
    return ("latin-1", "Latin-1") if undefined else ("cp1252", "Windows-1252")


def _text_codec(encoding: str) -> str:
    """Return Python's name of an encoding that the user gave."""
    try:
        name = codecs.lookup(encoding).name
        "".encode(name)  # refuses codecs that turn bytes into bytes, such as base64
    except (LookupError, ValueError):
        raise OptionError(
            f"encoding={encoding!r} is not an encoding that Python knows.{suggestion(encoding, _KNOWN)} "
            f"Usual ones are {', '.join(_KNOWN[:6])}."
        ) from None
    return "utf-8" if name == "utf-8-sig" else name
