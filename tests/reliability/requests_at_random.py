"""Requests over HTTP that are almost right: sound ones, spoiled by chance in their address, their lines and their body."""

import json
from dataclasses import dataclass
from random import Random

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
ADDRESSES = (
    "/", "/page.js", "/page/models", "/watch/says", "/predict", "/predict/says", "/predict/late", "/feedback", "/feedback/says", "/models",
    "/metrics", "/openapi.json", "/health/live", "/health/ready", "/admin/models", "/admin/models/says", "/v2", "/v2/models/says",
    "/v2/models/says/infer", "/v2/models/late/versions/1/ready",
)  # fmt: skip
TENSORS = {"inputs": [{"name": "x", "shape": [2, 1], "datatype": "FP64", "data": [1, 2.5]}], "id": "i"}
FORM = b'--b\r\ncontent-disposition: form-data; name="x"\r\n\r\n3\r\n--b\r\ncontent-disposition: form-data; name="file"; filename="a.png"\r\ncontent-type: image/png\r\n\r\n\x89PNG\r\n--b--\r\n'
BODIES = (
    ("application/json", b'{"rows": [{"x": 3}, {"x": null}], "doubt": true}'),
    ("application/json", b'{"rows": [{"x": 3.5}], "explain": true}'),
    ("application/json", json.dumps(TENSORS).encode()),
    ("application/json", b'{"rows": [{"request": "r", "row": 0, "says": "A"}]}'),
    ("application/json", b'{"step": "undo", "who": "chance"}'),
    ("application/json; charset=latin-1", b'{"step": "canary", "version": "0", "share": 0.5, "who": "chance"}'),
    ("text/csv", b'x\n1\n"2"\n\n'),
    ("multipart/form-data; boundary=b", FORM),
    ("application/vnd.apache.arrow.stream", b"\xff\xff\xff\xff\x78\x00\x00\x00\x10\x00\x00\x00\x00\x00\n\x00" * 4),
    ("application/octet-stream", json.dumps(TENSORS).encode() + b"\0" * 16),
    ("application/x-www-form-urlencoded", b"x=3"),
    ("", b""),
)
SUITED = {"infer": (2,), "predict": (0, 1, 6), "feedback": (3,), "admin": (4, 5)}  # places in `BODIES`
LINES = (
    "x-request-id: %s", "deadline-seconds: %s", "accept: %s", "accept: text/csv", "accept: application/vnd.apache.arrow.stream", "authorization: %s",
    "authorization: Bearer %s", "content-encoding: gzip", "content-encoding: %s", "content-type: %s", "expect: 100-continue", "expect: %s", "range: bytes=0-%s",
    "if-none-match: %s", "cookie: %s", "inference-header-content-length: %s", "inference-header-content-length: 20", "content-length: %s", "content-length: 1",
    "transfer-encoding: chunked", "transfer-encoding: %s", "connection: close", "connection: upgrade\r\nupgrade: websocket", "upgrade: h2c", "host: %s", "%s: %s", "%s",
    "x-forwarded-for: %s", "origin: %s", "te: trailers", "x-long: " + "y" * 9_000,
)  # fmt: skip
WORDS = (
    "", "0", "-1", "1e309", "NaN", "٣", "2147483648", "18446744073709551616", "A" * 3_000, "%00", "%", "%zz", "../../etc/passwd", "..%2f..%2f", "\x00", "\x7f", "é", "\ufeff",
    "x;y=z", "text/csv", "*/*", ",", '"', "'", "\t", "null", "true", "[]", "{}", "<script>", "${x}", "{0}", "%s%n", "gzip, chunked", "bytes=0-", "127.0.0.1:0", "[::1]",
)  # fmt: skip
TOKENS = (
    b"null", b"NaN", b"-Infinity", b"1e999", b"1" * 400, b'"\\ud800"', b'"\\u0000"', b"[" * 200, b'{"x":' * 150, b"\xff\xfe", b"\xef\xbb\xbf", b"\0", b"\r\n\r\n", b"//", b"true", b'""', b"{}", b"[]", b",", b":", b"--b",
    b'"rows"', b'"x"', b'"shape"', b"9223372036854775808", b"\xed\xa0\x80",
)  # fmt: skip


@dataclass(frozen=True)
class Sent:
    """One request as it goes over the wire; ``deadline``: it says itself by when it wants its answer."""

    method: str
    content: bytes
    deadline: bool


def at_random(method: str, address: str, chance: Random, token: str) -> Sent:
    """Return a request to one address that is sound but for what chance has spoiled."""
    suited = [BODIES[place] for end, places in SUITED.items() if end in address for place in places]
    kind, body = chance.choice(suited if suited and chance.random() < 0.7 else BODIES)
    for _ in range(chance.choice((0, 0, 1, 1, 2, 5))):
        body = _spoiled(body, chance)
    lines = ["host: localhost", f"authorization: Bearer {token}", f"content-length: {len(body)}"]
    lines += [f"content-type: {kind}"] if kind else []
    for _ in range(chance.choice((0, 0, 0, 1, 1, 2))):
        lines.insert(chance.randrange(len(lines) + 1), _line(chance))
    if chance.random() < 0.1:
        del lines[chance.randrange(len(lines))]
    version = chance.choice(("HTTP/1.1",) * 17 + ("HTTP/1.0", "HTTP/1.0", "HTTP/2.0"))
    head = "\r\n".join((f"{method} {_address(address, chance)} {version}", *lines, "", "")).encode("utf-8", "replace")
    content = head + body
    if chance.random() < 0.05:
        content = _spoiled(content, chance)
    return Sent(method, content, b"deadline" in content)


def _line(chance: Random) -> str:
    line = chance.choice(LINES)
    return line % tuple(chance.choice(WORDS) for _ in range(line.count("%s")))


def _address(address: str, chance: Random) -> str:
    if chance.random() < 0.75:
        return address
    word = chance.choice(WORDS).replace(" ", "%20")
    spoiled = (
        f"{address}?explain=true&{word}={word}", f"{address}?doubt={word}", f"{address}/{word}", f"/{address}", f"{address}%2f{word}", address.replace("says", word or "x"),
        f"http://{word}{address}", address + "?" + "a=b&" * 500, address.upper(), f"{address}#{word}", f"{address}/.", "*",
    )  # fmt: skip
    return chance.choice(spoiled)


def _spoiled(content: bytes, chance: Random) -> bytes:
    """Cut, repeat, change or put something in."""
    place, other = sorted((chance.randrange(len(content) + 1), chance.randrange(len(content) + 1)))
    match chance.randrange(6):
        case 0:
            return content[:place]
        case 1:
            return content[:place] + content[other:]
        case 2:
            return content[:other] + content[place:other] * chance.choice((1, 3, 40)) + content[other:]
        case 3:
            return content[:place] + chance.choice(TOKENS) + content[place:]
        case 4:
            return content[:place] + chance.choice(TOKENS) + content[other:]
        case _:
            return content[:place] + bytes(chance.randrange(256) for _ in range(3)) + content[place + 3 :]
