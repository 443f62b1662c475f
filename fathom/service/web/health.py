"""How the server is: /health/live, /health/ready, /metrics, /models."""

from typing import Any

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from fathom.service.host.hosting import Host, Hosted
from fathom.service.refusing import dump

PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"


def routes(host: Host) -> list[Route]:
    """Return the routes."""

    async def live(request: Request) -> Response:
        return json({"live": True})

    async def ready(request: Request) -> Response:
        return json({"ready": host.ready}, 200 if host.ready else 503)

    async def metrics(request: Request) -> Response:
        return PlainTextResponse(gathered(host), headers={"content-type": PROMETHEUS})

    async def models(request: Request) -> Response:
        return json({"models": [told(hosted) for hosted in host.models.values()]})

    return [
        Route("/health/live", live, methods=["GET"]),
        Route("/health/ready", ready, methods=["GET"]),
        Route("/metrics", metrics, methods=["GET"]),
        Route("/models", models, methods=["GET"]),
    ]


def json(value: Any, status: int = 200) -> Response:
    """Return a value as the server writes JSON."""
    return Response(dump(value), status, media_type="application/json")


def told(hosted: Hosted) -> dict[str, Any]:
    """Say what is served under a name."""
    description = hosted.live.model.description
    return {
        "name": hosted.name,
        "version": hosted.live.version,
        "canary": {"version": hosted.canary.version, "share": hosted.share} if hosted.canary else None,
        "shadow": hosted.shadow.version if hosted.shadow else None,
        "kind": description.name,
        "columns": [{"name": field.name, "kind": field.kind} for field in hosted.live.form.fields],
        "targets": [target.name for target in description.targets],
    }


def update(host: Host) -> None:
    """Bring the gauges of this process up to date."""
    for hosted in host.models.values():
        batchers = [one.batcher for one in hosted.opened().values()]
        host.metrics.set("waiting", sum(batcher.waiting_rows for batcher in batchers), hosted.name)
        for what in ("rows", "batches", "late", "left"):
            done = sum(getattr(batcher.counts, what) for batcher in batchers)
            for batcher in batchers:
                setattr(batcher.counts, what, 0)
            if done:
                host.metrics.count(what, done, hosted.name)
    host.metrics.set("active", host.active)


def gathered(host: Host) -> str:
    """Return all metrics in Prometheus's format."""
    update(host)
    versions = []
    for hosted in host.models.values():
        roles = (("live", hosted.live), ("canary", hosted.canary), ("shadow", hosted.shadow))
        versions += [(hosted.name, one.version, role) for role, one in roles if one is not None]
    more = []
    for told_by in host.more_metrics:
        more += list(told_by())
    return host.metrics.lines(versions, more)
