"""The parts of a form as browsers and curl send it: multipart/form-data, RFC 7578, of a body that is in memory whole."""

import re
from collections.abc import Iterator

from fathom.service.refusing import Refused

MOST_PARTS = 1_000
LONGEST_HEAD = 4_096  # bytes of the lines before a part's content
_BOUNDARY = re.compile(r';\s*boundary=(?:"([^"\r\n]{1,200})"|([^\s;"]{1,200}))', re.ASCII | re.IGNORECASE)
_NAME = re.compile(rb';\s*(filename|name)="((?:[^"\\\r\n]|\\.)*)"', re.IGNORECASE)


def parts_of(kind: str, body: bytes) -> Iterator[tuple[str, bytes, bool]]:
    """Yield each part's name, its content, and whether it is a file. Raises Refused when the body is no form.

    >>> body = b'--x\\r\\nContent-Disposition: form-data; name="age"\\r\\n\\r\\n41\\r\\n--x--\\r\\n'
    >>> list(parts_of('multipart/form-data; boundary=x', body))
    [('age', b'41', False)]
    """
    found = _BOUNDARY.search(kind)
    if found is None:
        raise Refused(400, "The content type of the form has no boundary.")
    mark = b"--" + (found[1] or found[2]).encode("latin-1")
    if not body.startswith(mark):
        raise Refused(400, "The form does not begin with its boundary.")
    pieces = (b"\r\n" + body).split(b"\r\n" + mark, MOST_PARTS + 2)[1:]
    if len(pieces) > MOST_PARTS:
        raise Refused(413, f"The form has more than {MOST_PARTS:,} parts.")
    if not pieces or not pieces[-1].startswith(b"--"):
        raise Refused(400, "The form is cut off: its last boundary is not there.")
    for piece in pieces[:-1]:
        head, gap, content = piece.partition(b"\r\n\r\n")
        if not gap or len(head) > LONGEST_HEAD:
            raise Refused(400, "A part of the form has no head.")
        yield _named(head, content)


def _named(head: bytes, content: bytes) -> tuple[str, bytes, bool]:
    lines = [line for line in head.split(b"\r\n") if line.lower().startswith(b"content-disposition:")]
    words = {match[1].lower(): match[2] for line in lines for match in _NAME.finditer(line)}
    if b"name" not in words:
        raise Refused(400, "A part of the form has no name.")
    try:
        name = re.sub(rb"\\(.)", rb"\1", words[b"name"]).replace(b"%22", b'"').decode("utf-8")
    except UnicodeDecodeError:
        raise Refused(400, "The name of a part is not UTF-8.") from None
    return name, content, b"filename" in words
