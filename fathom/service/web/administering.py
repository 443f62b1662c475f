"""What who runs the server may change while it runs, with a token of its own: which version of a shelf answers.

The same steps as `fathom update`: they are written to the shelf, and every server that follows it takes them within a second.
"""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from fathom.errors import FathomError, suggestion
from fathom.service.host.hosting import Host
from fathom.service.refusing import Refused
from fathom.service.web import bodies
from fathom.service.web.health import json, told
from fathom.service.web.requests import read_body

STEPS = ("promote", "shadow", "canary", "undo", "approve")
_KEYS: dict[str, type | tuple[type, ...]] = {"step": str, "version": str, "share": (int, float), "who": str, "why": str}


def routes(host: Host) -> list[Route]:
    """Return the routes; `fathom.service.web.access` lets only those in who hold the token for administration."""

    async def models(request: Request) -> Response:
        return json({"models": [{**told(hosted), "refused": list(hosted.refused)} for hosted in host.models.values()]})

    async def change(request: Request) -> Response:
        hosted = host.model(name := request.path_params["model"])
        if hosted.shelf is None:
            raise Refused(409, f"{name} is served from a bundle, which does not change. Serve a shelf: fathom update.")
        visit = request.scope["fathom.visit"]
        asked = _read(await read_body(visit.headers, request.receive, host.limits))
        try:
            await visit.aside(host.others, _step, hosted.shelf, asked)
            await visit.aside(host.others, host.follow, hosted)
        except FathomError as error:
            raise Refused(409, str(error).replace(str(hosted.path), name)) from None
        host.log.event("administration", request=visit.request, model=name, step=asked["step"], who=asked["who"])
        return json(told(hosted))

    return [
        Route("/admin/models", models, methods=["GET"]),
        Route("/admin/models/{model}", change, methods=["POST"]),
    ]


def _read(body: bytes) -> dict[str, Any]:
    value = bodies.parse(body)
    if not isinstance(value, dict):
        raise Refused(422, 'An object is expected: {"step": "promote", "version": "…", "who": "…"}.')
    for name, each in value.items():
        if name not in _KEYS:
            raise Refused(422, f"there is no such key.{suggestion(name, _KEYS)}", name[:60])
        if not isinstance(each, _KEYS[name]) or isinstance(each, bool):
            raise Refused(422, "it is of another type than expected.", name)
    if value.get("step") not in STEPS:
        raise Refused(422, f"one of these is expected: {', '.join(STEPS)}.", "step")
    if not value.get("who", "").strip():
        raise Refused(422, "the name of who makes the change is needed.", "who")
    if value["step"] in ("promote", "shadow", "canary") and not value.get("version"):
        raise Refused(422, "the version is needed.", "version")
    if value["step"] == "canary" and "share" not in value:
        raise Refused(422, "the share of the requests is needed, above 0 and below 1.", "share")
    return value


def _step(shelf: Any, asked: dict[str, Any]) -> None:
    said = {"who": asked["who"], "why": asked.get("why", "")}
    match asked["step"]:
        case "promote":
            shelf.promote(asked["version"], **said)
        case "shadow":
            shelf.shadow(asked["version"], **said)
        case "canary":
            shelf.canary(asked["version"], float(asked["share"]), **said)
        case "approve":
            shelf.approve(**said)
        case _:
            shelf.undo(**said)
