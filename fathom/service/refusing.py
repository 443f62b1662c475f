"""Requests that are refused: a status, a sentence, and the place in the request that it is about."""

import json
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Limits:
    """What one server takes. Sizes in bytes, times in seconds."""

    body: int = 16 << 20  # of one request
    rows: int = 10_000  # of one request
    waiting: int = 4_096  # rows that wait for their turn, of one model
    deadline: float = 10.0  # from a request's arrival to its answer; a request may ask for less
    patience: float = 10.0  # that a client may take to send a request, or to take its answer
    grace: float = 30.0  # that accepted requests have when the server is told to stop
    linger: float = 0.5  # that the server still accepts requests after it has said that it is not ready


class Refused(Exception):  # noqa: N818  (it is an answer, not a failure)
    """A request is not answered: ``status`` is HTTP's, ``field`` the place in the request such as ``rows[3].age``."""

    def __init__(self, status: int, message: str, field: str = "", retry_after: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.field = field
        self.retry_after = retry_after


@dataclass(frozen=True)
class Reply:
    """What goes back to a client, whole."""

    status: int
    content: bytes
    kind: str = "application/json"
    headers: tuple[tuple[str, str], ...] = field(default=())


def refusal(refused: Refused, request: str = "") -> Reply:
    """Write a refusal as every refusal of the server is written: ``{"error": …, "field": …, "request": …}``.

    >>> refusal(Refused(422, "it is no number", "rows[3].age")).content
    b'{"error":"rows[3].age: it is no number","field":"rows[3].age"}'
    """
    place = f"{refused.field}: " if refused.field else ""
    content: dict[str, Any] = {"error": place + refused.message}
    if refused.field:
        content["field"] = refused.field
    if request:
        content["request"] = request
    headers = []
    if refused.retry_after is not None:
        headers.append(("retry-after", str(max(1, int(refused.retry_after + 0.999)))))
    if refused.status == 401:
        headers.append(("www-authenticate", "Bearer"))
    return Reply(refused.status, dump(content), headers=tuple(headers))


def dump(value: Any) -> bytes:
    """Write JSON without blanks, as the server answers; never NaN."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode("utf-8", "replace")
