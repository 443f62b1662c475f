"""The Open Inference Protocol v2 over HTTP, under /v2: a tensor a column, so that clients of Triton, KServe and MLServer talk to it as they are.

Source: https://github.com/kserve/open-inference-protocol, specification/protocol/inference_rest.md; binary data as in `fathom.service.web.tensors`.
"""

import re
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

import fathom
from fathom.bundle.answers.quick import shown
from fathom.errors import suggestion
from fathom.service.host.asking import Field
from fathom.service.host.hosting import Host, Hosted, Opened
from fathom.service.refusing import Refused, Reply, dump
from fathom.service.web import bodies, tensors
from fathom.service.web.entrance import Endpoint, Visit
from fathom.service.web.health import json
from fathom.service.web.requests import read_body

EXTENSIONS = ("binary_tensor_data",)
DATATYPES = {"number": "FP64", "yes_no": "BYTES", "id": "BYTES"}
_KEYS = (
    "id",
    "parameters",
    "inputs",
    "outputs",
    "model_name",
)  # the last is none of the protocol's: KServe's own client names the model in the body, too
_ID = re.compile(r"[\x20-\x7e]{1,200}")


def routes(host: Host) -> list[Route]:
    """Return the routes but for ``infer``, which `endpoints` has."""

    def found(request: Request) -> tuple[Hosted, Opened]:
        hosted = host.model(request.path_params["model"])
        version, known = request.path_params.get("version"), hosted.opened()
        if version is None:
            return hosted, hosted.live
        if version not in known:
            near = suggestion(version, known)
            raise Refused(404, f"{shown(version)} is not open.{near} There are: {', '.join(known)}.", "version")
        return hosted, known[version]

    async def server(request: Request) -> Response:
        return json({"name": "fathom", "version": fathom.__version__, "extensions": EXTENSIONS})

    async def live(request: Request) -> Response:
        return json({"live": True})

    async def ready(request: Request) -> Response:
        return json({"ready": host.ready}, 200 if host.ready else 503)

    async def model(request: Request) -> Response:
        return json(metadata(*found(request)))

    async def model_ready(request: Request) -> Response:
        hosted, _ = found(request)
        return json({"name": hosted.name, "ready": host.ready}, 200 if host.ready else 503)

    async def infer_version(request: Request) -> Response:
        hosted, opened = found(request)
        reply = await infer(host, hosted, opened, request.scope["fathom.visit"])
        return Response(reply.content, reply.status, dict(reply.headers), reply.kind)

    async def not_infer(request: Request) -> Response:
        found(request)
        raise AssertionError("answered by the entrance")

    return [
        Route("/v2", server, methods=["GET"]),
        Route("/v2/health/live", live, methods=["GET"]),
        Route("/v2/health/ready", ready, methods=["GET"]),
        *(
            Route(f"/v2/models/{{model}}{version}{end}", function, methods=[method])
            for version in ("", "/versions/{version}")
            for end, function, method in (
                ("", model, "GET"),
                ("/ready", model_ready, "GET"),
                ("/infer", infer_version if version else not_infer, "POST"),
            )
        ),
    ]


def endpoints(host: Host) -> Mapping[str, Endpoint]:
    """Return ``/v2/models/MODEL/infer`` of every model."""

    def endpoint(hosted: Hosted) -> Endpoint:
        async def answer(visit: Visit) -> Reply:
            return await infer(host, hosted, hosted.choose(visit.request), visit)

        return answer

    return {f"/v2/models/{name}/infer": endpoint(hosted) for name, hosted in host.models.items()}


def metadata(hosted: Hosted, opened: Opened) -> dict[str, Any]:
    """Describe a model: its versions, and a tensor for each column and each column of its answers."""
    form = opened.form
    nothing = [{field.name: None for field in form.fields}]
    answer = form.rows_of(opened.model.inference.run(form.encode(nothing)[0]))[0] if form.quick is not None else {}
    return {
        "name": hosted.name,
        "versions": list(hosted.opened()),
        "platform": "fathom_onnxruntime",
        "inputs": [{"name": field.name, "datatype": datatype(field), "shape": [-1]} for field in form.fields],
        "outputs": [
            {"name": name, "datatype": tensors.kind_of([value]), "shape": [-1]} for name, value in answer.items()
        ],
    }


def datatype(field: Field) -> str:
    """Return the datatype in which a column is best sent; any other that says the same is taken, too."""
    return DATATYPES.get(field.kind, tensors.BYTES)


async def infer(host: Host, hosted: Hosted, opened: Opened, visit: Visit) -> Reply:
    """Answer one request of the protocol, unless it could not be answered in time."""
    visit.model, visit.version = hosted.name, opened.version
    host.admission.enter(visit.deadline(host.limits))
    try:
        return await _infer(host, hosted, opened, visit)
    finally:
        host.admission.leave()


async def _infer(host: Host, hosted: Hosted, opened: Opened, visit: Visit) -> Reply:
    deadline = visit.deadline(host.limits)
    opened.batcher.check(1, deadline)
    body = await read_body(visit.headers, visit.receive, host.limits)
    small = opened.form.light and len(body) <= 1 << 16
    given = (body, visit.headers, hosted.name, opened, host.limits.rows)
    asked, rows = _asked(*given) if small else await visit.aside(host.executor, _asked, *given)
    visit.rows = len(rows)
    told = (asked.get("parameters") or {}).get("timeout")  # microseconds, as Triton has it
    if type(told) is int and told > 0:
        deadline = min(deadline, visit.started + told / 1e6)
    encode = opened.form.encode
    arrays, count, ids = encode(rows) if small and len(rows) <= 64 else await visit.aside(host.executor, encode, rows)
    answers = await host.answer(hosted, opened, arrays, count, deadline, visit.gone)
    found = opened.form.rows_of(answers, ids=ids)
    host.note(hosted, opened, visit.request, rows, answers, ids, visit.started)
    return _reply(hosted, opened, asked, found)


def _asked(
    body: bytes, headers: Mapping[bytes, bytes], model: str, opened: Opened, most_rows: int
) -> tuple[Any, list[dict[str, Any]]]:
    """Return the request and its rows, checked."""
    told = headers.get(b"inference-header-content-length")
    binary = b""
    if told is not None:
        if not told.isdigit() or int(told) > len(body):
            raise Refused(
                400, "the header must say where in the body the JSON ends.", "Inference-Header-Content-Length"
            )
        body, binary = body[: int(told)], body[int(told) :]
    value = bodies.parse(body)
    if not isinstance(value, dict):
        raise Refused(400, "an object is expected.")
    for name in value:
        if name not in _KEYS:
            raise Refused(400, f"there is no such key.{suggestion(name, _KEYS)}", name[:60])
    if value.get("id") is not None and not (isinstance(value["id"], str) and _ID.fullmatch(value["id"])):
        raise Refused(400, "a string of 200 printable ASCII letters or fewer is expected.", "id")
    if value.get("model_name", model) != model:
        raise Refused(400, f"{shown(value['model_name'])} is not {shown(model)}, as the address has it.", "model_name")
    for name, kind in (("parameters", dict), ("outputs", list)):
        if value.get(name) is not None and not isinstance(value[name], kind):
            raise Refused(400, "it is of another type than expected.", name)
    columns = _columns(value.get("inputs"), memoryview(binary), opened)
    counts = {len(cells) for cells in columns.values()}
    if len(counts) > 1:
        raise Refused(400, f"all inputs must have as many rows, and there are {sorted(counts)}.", "inputs")
    count = counts.pop() if counts else 0
    if count > most_rows:
        raise Refused(400, f"More than {most_rows:,} rows. Send fewer at a time.", "inputs")
    rows = [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]
    return value, opened.form.check(rows)


def _columns(inputs: Any, binary: memoryview, opened: Opened) -> dict[str, list[Any]]:
    if not isinstance(inputs, list):
        raise Refused(400, "a list of tensors is expected.", "inputs")
    fields = {field.name: field for field in opened.form.fields}
    if len(inputs) > len(fields) + len(opened.form.ignored):
        raise Refused(400, f"{len(inputs):,} tensors are more than the model has columns.", "inputs")
    columns: dict[str, list[Any]] = {}
    for place, tensor in enumerate(inputs):
        if not isinstance(tensor, dict) or not isinstance(tensor.get("name"), str):
            raise Refused(400, "a tensor with a name is expected.", f"inputs[{place}]")
        name = tensor["name"]
        if name in columns:
            raise Refused(400, "the input comes twice.", f"inputs[{place}].name")
        if name not in fields and name not in opened.form.ignored:
            raise Refused(400, f"the model has no such input.{suggestion(name, fields)}", f"inputs[{place}].name")
        size = (tensor["parameters"] if isinstance(tensor.get("parameters"), dict) else {}).get("binary_data_size")
        piece = None
        if size is not None:
            if type(size) is not int or not 0 <= size <= len(binary):
                raise Refused(400, "the body has not so many bytes.", f"inputs[{place}].parameters.binary_data_size")
            piece, binary = binary[:size], binary[size:]
        cells = tensors.cells_of(tensor, place, piece)
        columns[name] = [_cell(cell, fields[name]) for cell in cells] if name in fields else cells
    if len(binary):
        raise Refused(400, f"the body has {len(binary):,} bytes more than its tensors.", "inputs")
    lacking = next((name for name in fields if name not in columns), None)
    if lacking is not None:
        raise Refused(400, "the input is not there.", lacking)
    return columns


def _cell(cell: Any, field: Field) -> Any:
    """Return a tensor's value as the column takes it: an empty string is nothing, a number may be written as one."""
    if cell is None or cell == "":
        return None
    if field.kind == "number":
        if isinstance(cell, bool):
            return int(cell)
        if isinstance(cell, str):
            try:
                return float(cell)
            except ValueError:
                return cell
    elif field.kind == "yes_no" and not isinstance(cell, str | bool):
        return str(int(cell)) if cell in (0, 1) else cell
    elif field.kind in ("date", "text", "labels", "molecule") and isinstance(cell, int | float):
        return str(cell)
    return cell


def _reply(hosted: Hosted, opened: Opened, asked: Any, found: list[dict[str, Any]]) -> Reply:
    names = list(found[0])
    wanted = asked.get("outputs") or []
    every = bool((asked.get("parameters") or {}).get("binary_data_output"))
    chosen = dict.fromkeys(names, every) if not wanted else {}
    for place, one in enumerate(wanted):
        name = one.get("name") if isinstance(one, dict) else None
        if name not in names:
            raise Refused(400, f"there is no such output.{suggestion(str(name), names)}", f"outputs[{place}].name")
        told = one.get("parameters")
        chosen[name] = bool((told if isinstance(told, dict) else {}).get("binary_data", every))
    outputs, behind = [], []
    for name, binary in chosen.items():
        told, content = tensors.output(name, [row[name] for row in found], binary)
        outputs.append(told)
        behind.append(content)
    value = {"model_name": hosted.name, "model_version": opened.version, "outputs": outputs}
    if asked.get("id") is not None:
        value["id"] = asked["id"]
    head = dump(value)
    if not any(chosen.values()):
        return Reply(200, head)
    headers = (("inference-header-content-length", str(len(head))),)
    return Reply(200, head + b"".join(behind), "application/octet-stream", headers)
