"""The page of a service: what a browser is sent, as a file of its own for one look, and as a small server on this machine."""

import html
import json
from collections.abc import Callable
from importlib import resources
from typing import Any

from fathom.errors import OptionError
from fathom.service.watch.alerting import metrics_text
from fathom.service.watch.watching import Look

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; media-src blob: data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}
KINDS = {"page.css": "text/css; charset=utf-8", "page.js": "text/javascript; charset=utf-8"}
HTML = "text/html; charset=utf-8"


def asset(name: str) -> str:
    """Return a file of the page: its template, its style or its script."""
    return (resources.files("fathom.service") / "page" / name).read_text("utf-8")


def live_page(title: str, watch: str | None = None) -> str:
    """Return the page that a server sends: style, script and data come from addresses beside it. ``watch`` names the model of a page that only watches."""
    text = asset("page.html")
    if watch is not None:
        text = text.replace("<body>", f'<body data-watch="{html.escape(watch)}">')
    return _filled(text, title, '<link rel="stylesheet" href="page.css">', '<script src="page.js" defer></script>', "")


def page_of(look: Look) -> str:
    """Return one look as a page in one file, which loads nothing."""
    content = json.dumps(look.as_json(), ensure_ascii=True, allow_nan=False).replace("<", "\\u003c")
    data = f'<script type="application/json" id="look">{content}</script>'
    return _filled(
        asset("page.html"),
        look.model,
        f"<style>\n{asset('page.css')}</style>",
        f"<script>\n{asset('page.js')}</script>",
        data,
    )


def _filled(text: str, title: str, style: str, script: str, data: str) -> str:
    """Fill the places of the template, in one pass, so that nothing that is filled in is looked at again."""
    pieces = {"{title}": html.escape(title), "{style}": style, "{script}": script, "{data}": data}
    found = []
    while text:
        at, name = min(((text.find(name), name) for name in pieces if name in text), default=(len(text), ""))
        found += [text[:at], pieces.get(name, "")]
        text = text[at + len(name) :]
    return "".join(found)


def serve(look: Callable[[], Look], port: int, told: Callable[[str], None]) -> None:
    """Show the look on this machine, taken anew for each visit, until Ctrl-C; also at ``/metrics``. Raises OptionError when the port is taken."""
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer  # what a server of models does not need

    first = look()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            if self.headers.get("host", "").rpartition(":")[0] not in ("127.0.0.1", "localhost"):
                self._send(421, "text/plain", "Only this machine is answered.")
            elif path == "/":
                self._send(200, HTML, live_page(first.model, first.model))
            elif path.removeprefix("/") in KINDS:
                self._send(200, KINDS[path.removeprefix("/")], asset(path.removeprefix("/")))
            elif path == "/metrics":
                self._send(200, "text/plain; version=0.0.4", metrics_text([look()]))
            elif path.startswith("/watch/"):
                self._send(200, "application/json", json.dumps(look().as_json(), allow_nan=False))
            else:
                self._send(404, "text/plain", "There is nothing here.")

        def _send(self, status: int, kind: str, text: str) -> None:
            content = text.encode()
            self.send_response(status)
            for name, value in {"content-type": kind, "content-length": str(len(content)), **HEADERS}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *words: Any) -> None:
            """Keep quiet."""

    try:
        server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    except (OSError, OverflowError) as error:
        raise OptionError(
            f"Port {port} cannot be listened on ({error}). Choose another with --port, or 0 for any."
        ) from None
    with server:
        told(f"http://127.0.0.1:{server.server_address[1]}/")
        try:
            server.serve_forever(0.1)
        except KeyboardInterrupt:
            return
