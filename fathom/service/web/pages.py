"""The page of a server, what it asks for, and where truths arrive: ``/``, ``/page/models``, ``/watch/MODEL``, ``/feedback``."""

import asyncio
import io
from collections.abc import Callable, Collection
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from fathom.data.encoding import Column
from fathom.data.files.reading import read
from fathom.data.table import Table
from fathom.errors import FathomError, StoreError, suggestion
from fathom.service.host.asking import words_for
from fathom.service.host.columns import alike
from fathom.service.host.hosting import Host, Hosted
from fathom.service.host.monitoring import Monitor
from fathom.service.records.truths import ID, LAST_PLACE, PLACE
from fathom.service.refusing import Refused
from fathom.service.watch import showing
from fathom.service.web.bodies import parse
from fathom.service.web.forms import form_of
from fathom.service.web.requests import read_body

MOST_TRUTHS = 100_000  # in one request
EXAMPLE = '{"request": "ID", "row": 0, "truth": {"price": 250000}}'


def monitor_of(host: Host) -> Monitor | None:
    """Return the monitor among a host's observers."""
    return next((one for one in host.observers if isinstance(one, Monitor)), None)


def routes(host: Host) -> list[Route]:
    """Return the addresses of the page and of truths."""
    monitor = monitor_of(host)

    def page(request: Request) -> Response:
        return Response(showing.live_page(", ".join(host.models)), 200, showing.HEADERS, showing.HTML)

    def asset(name: str) -> Callable[[Request], Response]:
        return lambda request: Response(showing.asset(name), 200, showing.HEADERS, showing.KINDS[name])

    def models(request: Request) -> Response:
        found = [
            form_of(
                one.live.model,
                one.name,
                one.live.version,
                watched=monitor is not None and one.name in monitor.recorders,
                explains=explains(one),
            )
            for one in host.models.values()
        ]
        return JSONResponse({"models": found}, headers=showing.HEADERS)

    async def watch(request: Request) -> Response:
        hosted = host.model(request.path_params["model"])
        if monitor is None or hosted.name not in monitor.recorders:
            raise Refused(404, "Requests are not recorded (--record off), so that nothing is watched.")
        loop = asyncio.get_running_loop()
        seen = await loop.run_in_executor(host.others, monitor.look, hosted.name, hosted.live.model)
        unnoted = int(host.metrics.told("unnoted"))  # of all models and workers
        return JSONResponse({**seen.as_json(), "unnoted": unnoted}, headers=showing.HEADERS)

    async def feedback(request: Request) -> Response:
        hosted = host.model(request.path_params.get("model"))
        if monitor is None or hosted.name not in monitor.recorders:
            raise Refused(404, "Requests are not recorded (--record off), so that truths have no place.")
        headers = dict(request.scope["headers"])
        body = await read_body(headers, request.receive, host.limits)
        described = hosted.live.model.description.targets
        targets = [target.name for target in described]
        numbers = [target.name for target in described if target.modality == "number"]
        table = truths_of(body, request.headers.get("content-type", ""), numbers)
        for name in table.names:
            if name not in (ID, PLACE, *targets):
                raise Refused(422, f"the model does not predict it.{suggestion(name, targets)}", name[:60])
        for _ in range(20):  # an answer given a moment ago is on its way to the store
            if not host.notes:
                break
            await asyncio.sleep(0.05)
        loop = asyncio.get_running_loop()
        try:
            matched, missed = await loop.run_in_executor(
                host.others, monitor.learn, hosted.name, hosted.live.model, table
            )
        except StoreError as error:
            raise Refused(
                503,
                f"The truths could not be written. {error}".replace(str(error.file), "requests.sqlite"),
                retry_after=5.0,
            ) from None
        except FathomError as error:
            raise Refused(422, str(error), error.column or "") from None
        return JSONResponse({"model": hosted.name, "matched": matched, "unmatched": missed})

    return [
        Route("/", page),
        Route("/page.css", asset("page.css")),
        Route("/page.js", asset("page.js")),
        Route("/page/models", models),
        Route("/watch/{model}", watch),
        Route("/feedback", feedback, methods=["POST"]),
        Route("/feedback/{model}", feedback, methods=["POST"]),
    ]


def watching(host: Host) -> dict[str, tuple[str, str, dict[str, Any] | None]]:
    """Return for OpenAPI what is answered where requests are recorded: by address the method, what it does, and what it takes."""
    monitor = monitor_of(host)
    found: dict[str, tuple[str, str, dict[str, Any] | None]] = {}
    for hosted in host.models.values():
        if monitor is None or hosted.name not in monitor.recorders:
            continue
        found[f"/watch/{hosted.name}"] = ("get", "How far the latest requests lie from the training rows.", None)
        targets = hosted.live.model.description.targets
        truth = {
            "type": "object",
            "properties": {
                ID: {"type": "string", "description": "The id of the answer."},
                PLACE: {
                    "type": "integer",
                    "minimum": 0,
                    "maximum": LAST_PLACE,
                    "description": "The number of the row in its request.",
                },
                "truth": {
                    "type": "object",
                    "properties": {target.name: _true_cell(target) for target in targets},
                    "minProperties": 1,
                    "additionalProperties": False,
                },
            },
            "required": [ID, "truth"],
            "additionalProperties": False,
        }
        many = {"type": "array", "items": truth, "minItems": 1, "maxItems": MOST_TRUTHS}
        listed = {
            "type": "object",
            "properties": {"truths": many},
            "required": ["truths"],
            "additionalProperties": False,
        }
        body = {"application/json": {"schema": {"oneOf": [truth, listed]}}}
        for address in (f"/feedback/{hosted.name}", *(["/feedback"] if len(host.models) == 1 else [])):
            found[address] = ("post", "What turned out to be true. CSV is taken by its content type, too.", body)
    return found


def _true_cell(target: Column) -> dict[str, Any]:
    if target.modality == "number":
        return {"type": "number"}
    if target.modality == "yes_no":  # the one kind whose words are known: a category may turn out to be a new one
        return {"enum": [*words_for(target), True, False, 0, 1]}
    return {"type": ["string", "number", "boolean"]}


def explains(hosted: Hosted) -> bool:
    """Say whether a model's answers are explained over HTTP."""
    return hosted.live.form.quick is not None  # rows that are gathered are explained nowhere yet


def truths_of(body: bytes, kind: str, numbers: Collection[str] = ()) -> Table:
    """Return what a body says turned out to be true, as a table of requests, rows and targets: a JSON object, a list of them under ``truths``, or CSV.

    In JSON the targets ``numbers`` are numbers, as they are in what is asked. Raises Refused.

    >>> truths_of(b'{"request": "a1", "row": 3.0, "truth": {"late": "yes"}}', "application/json").to_pylist()
    [{'request': 'a1', 'row': 3, 'late': 'yes'}]
    >>> several = b'{"truths": [{"request": "a1", "truth": {"late": true}}, {"request": "a2", "truth": {"late": "no"}}]}'
    >>> truths_of(several, "application/json").column("late").to_pylist()
    ['true', 'no']
    >>> truths_of(b'{"request": "a1", "truth": {"price": "dear"}}', "application/json", ("price",))
    Traceback (most recent call last):
    fathom.service.refusing.Refused: a number is expected.
    """
    if kind.partition(";")[0].strip().lower() == "text/csv":
        try:
            table = read(io.BytesIO(body), delimiter=",", encoding="utf-8", header=True)
        except FathomError as error:
            raise Refused(422, str(error)) from None
        if ID not in table.names:
            raise Refused(
                422,
                f"the column is not there: which request each truth is of. There are: {', '.join(table.names)}.",
                ID,
            )
        return table
    if kind.partition(";")[0].strip().lower() != "application/json":
        raise Refused(415, "The content type is neither application/json nor text/csv.")
    value = parse(body)
    if isinstance(value, dict) and "truths" in value and len(value) > 1:
        raise Refused(
            422, f"nothing is expected beside it: {', '.join(sorted(set(value) - {'truths'}))[:60]}.", "truths"
        )
    listed = value.get("truths") if isinstance(value, dict) and "truths" in value else [value]
    if not isinstance(listed, list) or not listed or len(listed) > MOST_TRUTHS:
        raise Refused(422, f"truths are expected, at most {MOST_TRUTHS:,}, each as {EXAMPLE}.", "truths")
    rows = [_truth(one, place, numbers) for place, one in enumerate(listed)]
    for name in dict.fromkeys(name for row in rows for name in row if name not in (ID, PLACE)):
        having = [row for row in rows if name in row]  # of several types in one column, as JSON may have it
        for row, cell in zip(having, alike([row[name] for row in having]), strict=True):
            row[name] = cell
    try:
        return read(rows)
    except FathomError as error:
        raise Refused(422, str(error), "truths") from None


def _truth(one: Any, place: int, numbers: Collection[str]) -> dict[str, Any]:
    where = f"truths[{place}]"
    if not isinstance(one, dict) or set(one) - {ID, PLACE, "truth"} or not isinstance(one.get(ID), str):
        raise Refused(422, f"an object is expected: {EXAMPLE}.", where)
    row, truth = one.get(PLACE, 0), one.get("truth")
    if type(row) is float and row.is_integer():  # 3.0 is a whole number to JSON Schema
        row = int(row)
    if type(row) is not int or not 0 <= row <= LAST_PLACE:
        words = f"the number of the row in its request is expected, from 0 to {LAST_PLACE:,}."
        raise Refused(422, words, f"{where}.row")
    if not isinstance(truth, dict) or not truth:
        raise Refused(422, f"an object of targets and their true values is expected: {EXAMPLE}.", f"{where}.truth")
    for name, value in truth.items():
        if not isinstance(value, str | int | float | bool) or name in (ID, PLACE):
            raise Refused(422, "a word, a number, or true or false is expected.", f"{where}.truth.{name}"[:100])
        if name in numbers and not (type(value) is int or type(value) is float):
            raise Refused(422, "a number is expected.", f"{where}.truth.{name}"[:100])
    return {ID: one[ID], PLACE: row, **truth}


__all__ = ["explains", "monitor_of", "routes", "truths_of"]
