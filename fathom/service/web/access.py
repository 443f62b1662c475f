"""Who may enter: tokens for asking and for administration, and only this machine's own names while there is none.

Tokens come from files or the environment, never from the command line, where every user of the machine could read them. They are compared by their SHA-256 in constant time. Without
a token a server on the loopback answers only to the names of the loopback, so that a page in a browser cannot reach it through a name that it made point there (DNS rebinding).
"""

import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fathom.errors import OptionError
from fathom.service.refusing import Refused

OPEN = ("/health/live", "/health/ready", "/v2/health/live", "/v2/health/ready")
PAGE = (
    "/",
    "/page.css",
    "/page.js",
)  # hold nothing of a model: the page asks for the token, and sends it with all it asks
ADMINISTRATION = "/admin"
LEAST_LETTERS = 16  # of a token; less can be guessed
_LOOPBACK = re.compile(rb"(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d{1,5})?", re.IGNORECASE)


@dataclass(frozen=True)
class Access:
    """The SHA-256 of the tokens for asking and for administration; ``loopback`` where the server listens on this machine alone."""

    asking: tuple[bytes, ...] = ()
    administration: tuple[bytes, ...] = ()
    loopback: bool = True

    @classmethod
    def of(cls, asking: Sequence[str] = (), administration: Sequence[str] = (), loopback: bool = True) -> "Access":
        """Take tokens. Raises OptionError for one that can be guessed."""
        for token in (*asking, *administration):
            if len(token) < LEAST_LETTERS or not token.isascii() or not token.isprintable() or " " in token:
                raise OptionError(
                    f"A token has {LEAST_LETTERS} letters or more, ASCII and without blanks. Make one with: openssl rand -hex 32"
                )
        return cls(tuple(map(_digest, asking)), tuple(map(_digest, administration)), loopback)

    def check(self, path: str, headers: Mapping[bytes, bytes]) -> None:
        """Raise Refused: 401 without a known token, 403 for administration without its own, 421 for a foreign name of the server."""
        if path in OPEN:
            return
        if path in PAGE and self.asking:
            return
        administers = path == ADMINISTRATION or path.startswith(ADMINISTRATION + "/")
        if not self.asking and not administers:
            self._check_name(headers)
            return
        if administers and not self.administration:
            raise Refused(403, "Administration is off. Start the server with --admin-token-file.")
        kind, _, token = headers.get(b"authorization", b"").partition(b" ")
        if kind.lower() != b"bearer" or not token.strip():
            raise Refused(401, "A token is needed: Authorization: Bearer TOKEN.")
        found = hashlib.sha256(token.strip()).digest()
        asks, rules = _among(found, self.asking), _among(found, self.administration)
        if not asks and not rules:
            raise Refused(401, "The token is not known.")
        if administers and not rules:
            raise Refused(403, "This token is for asking, and not for administration.")

    def _check_name(self, headers: Mapping[bytes, bytes]) -> None:
        name = headers.get(b"host", b"")
        if self.loopback and name and not _LOOPBACK.fullmatch(name):
            raise Refused(
                421,
                "Without a token the server answers only to localhost. Start it with --token-file to use another name.",
            )


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def _among(found: bytes, known: Sequence[bytes]) -> bool:
    """Say whether a digest is one of those known, in a time that does not tell which."""
    matches = [hmac.compare_digest(found, one) for one in known]
    return any(matches)
