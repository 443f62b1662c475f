"""What a module must have whose addresses the server answers at."""

from typing import Any, Protocol

from fathom.service.host.hosting import Host


class Pages(Protocol):
    """A module that answers at some addresses, listed in `fathom.service.web.serving.PAGES`."""

    def routes(self, host: Host) -> list[Any]:
        """Return Starlette routes. Their functions raise `fathom.service.refusing.Refused` for a request that cannot be answered."""
        ...
