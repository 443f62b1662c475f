"""A small server that shows the rows of a labelling session to a browser on this machine.

It listens on this machine alone, and its address holds a word that nobody can guess: who does not have it gets nothing, no other page in the browser can send a label, and a name that
resolves to this machine is refused (DNS rebinding).
"""

import hmac
import json
import secrets
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from fathom.errors import OptionError
from fathom.service.label.labelling import Session
from fathom.service.watch.showing import asset

MOST_BODY = 4_096  # bytes of a request
PATIENCE = 10.0  # seconds that a browser may take to send a request
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; media-src data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
FILES = {"label.js": "text/javascript; charset=utf-8", "label.css": "text/css; charset=utf-8"}


def server_of(session: Session, port: int = 0) -> "LabelServer":
    """Return a server of a session on this machine. Raises OptionError when the port is taken."""
    try:
        return LabelServer(session, port)
    except OSError as error:
        raise OptionError(
            f"Port {port} cannot be used ({error.strerror or error}). Name another with --port, or leave it out."
        ) from None


class LabelServer(ThreadingHTTPServer):
    """Shows a session to a browser on this machine. ``address`` is what to open."""

    daemon_threads = True
    request_queue_size = 16

    def __init__(self, session: Session, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.session, self.secret = session, secrets.token_urlsafe(24)
        self.names = {f"{host}:{self.server_address[1]}" for host in ("127.0.0.1", "localhost")}

    @property
    def address(self) -> str:
        """The address to open, with the word that lets in."""
        return f"http://127.0.0.1:{self.server_address[1]}/{self.secret}/"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a browser that went away is no news."""


class _Handler(BaseHTTPRequestHandler):
    server: LabelServer
    protocol_version = "HTTP/1.1"
    timeout = PATIENCE

    def do_GET(self) -> None:
        name = self._place()
        if name == "":
            self._send(200, "text/html; charset=utf-8", asset("label.html").encode())
        elif name in FILES:
            self._send(200, FILES[name], asset(name).encode())
        elif name == "state":
            self._json(200, self.server.session.state())
        else:
            self._refuse(404, "There is nothing here. Open the address that fathom label printed.")

    def do_POST(self) -> None:
        name, body = self._place(), self._body()
        if body is None:
            return
        if name is None or self.headers.get("Content-Type", "").split(";")[0].strip() != "application/json":
            self._refuse(404, "There is nothing here. Open the address that fathom label printed.")
            return
        session = self.server.session
        try:
            given = json.loads(body)
            if name == "label":
                session.label(str(given["key"]), str(given["label"]))
            elif name == "skip":
                session.skip(str(given["key"]))
            elif name == "undo":
                session.undo()
            else:
                self._refuse(404, "There is nothing here.")
                return
        except (ValueError, KeyError, TypeError, RecursionError):
            self._refuse(400, "This is not what the page sends. Load it anew.")
        except Exception as error:
            self._refuse(409, str(error))
        else:
            self._json(200, session.state())

    def _place(self) -> str | None:
        """Return what is asked for below the secret word; ``None`` where the word is another, or the name is not this machine's."""
        path = self.path.partition("?")[0]
        word, _, name = path.removeprefix("/").partition("/")
        known = hmac.compare_digest(word.encode("utf-8", "replace"), self.server.secret.encode())
        site = self.headers.get("Sec-Fetch-Site", "same-origin")
        own = self.headers.get("Host", "") in self.server.names and site in ("same-origin", "none")
        return name if known and own else None

    def _body(self) -> bytes | None:
        try:
            size = int(self.headers.get("Content-Length", ""))
        except ValueError:
            size = -1
        if not 0 <= size <= MOST_BODY:
            self.close_connection = True
            self._refuse(
                413 if size > MOST_BODY else 411, f"A request may have {MOST_BODY:,} bytes and says how many it has."
            )
            return None
        return self.rfile.read(size)

    def _json(self, status: int, value: Any) -> None:
        self._send(
            status,
            "application/json",
            json.dumps(value, ensure_ascii=False, allow_nan=False).encode("utf-8", "replace"),
        )

    def _refuse(self, status: int, reason: str) -> None:
        self._json(status, {"error": reason})

    def _send(self, status: int, kind: str, content: bytes) -> None:
        self.send_response(status)
        for name, value in (
            ("Content-Type", kind),
            ("Content-Length", str(len(content))),
            ("Content-Security-Policy", POLICY),
            ("X-Content-Type-Options", "nosniff"),
            ("Referrer-Policy", "no-referrer"),
            ("Cache-Control", "no-store"),
        ):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Print nothing: the address holds the secret word."""
