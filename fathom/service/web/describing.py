"""What the server takes and gives, for programs: /openapi.json, made from the columns of the models that it serves (OpenAPI 3.1, https://spec.openapis.org/oas/v3.1.1)."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

import fathom
from fathom.data.cells.values import MISSING_WORDS
from fathom.data.encoding import class_labels
from fathom.service.host.asking import Field, Form, words_for
from fathom.service.host.hosting import Host, Hosted
from fathom.service.web.health import json
from fathom.service.web.pages import explains, watching
from fathom.service.web.predicting import MOST_EXPLAINED

_NOTHING = {"enum": [None, *MISSING_WORDS]}
REFUSALS = {
    400: "The body is not what its content type says.",
    401: "A token is needed.",
    404: "There is no such model.",
    408: "The request did not come whole in time.",
    413: "The body is too large.",
    415: "The content type is not taken.",
    421: "The server does not answer to this name.",
    422: "A column is lacking, unknown, or holds what it did not hold in training.",
    429: "Too much waits already; Retry-After says when to ask again.",
    500: "The server made a mistake.",
    503: "The server is being stopped.",
    504: "The time for the request was over before it was answered.",
}


def routes(host: Host) -> list[Route]:
    """Return the route."""

    async def description(request: Request) -> Response:
        return json(document(host))

    return [Route("/openapi.json", description, methods=["GET"])]


def document(host: Host) -> dict[str, Any]:
    """Return the OpenAPI description of a server."""
    paths: dict[str, Any] = {}
    schemas: dict[str, Any] = {"Refusal": _refusal()}
    for hosted in host.models.values():
        addresses = [f"/predict/{hosted.name}", *(["/predict"] if len(host.models) == 1 else [])]
        row, answer = f"Row-{hosted.name}", f"Answer-{hosted.name}"
        schemas[row], schemas[answer] = row_schema(hosted.live.form), answer_schema(hosted)
        for address in addresses:
            paths[address] = {"post": _predict(hosted, address, row, answer, host.limits.rows)}
    for address, what, kind in (
        ("/health/live", "Whether the process runs.", "application/json"),
        ("/health/ready", "Whether requests are taken.", "application/json"),
        ("/models", "The models that are served, and their versions.", "application/json"),
        ("/metrics", "Counters in Prometheus's format.", "text/plain"),
        ("/openapi.json", "This description.", "application/json"),
    ):
        codes = (503,) if address == "/health/ready" else ()
        shape = {"type": "object"} if kind == "application/json" else {"type": "string"}
        paths[address] = {
            "get": {
                "summary": what,
                "operationId": address.strip("/").replace("/", "_").replace(".", "_"),
                "responses": {
                    "200": {"description": "Yes.", "content": {kind: {"schema": shape}}},
                    **_refusals(*codes, 401, 421),
                },
            }
        }
    for address, (method, what, body) in watching(host).items():
        paths[address] = {
            method: {
                "summary": what,
                "operationId": address.strip("/").replace("/", "_"),
                **({"requestBody": {"required": True, "content": body}} if body else {}),
                "responses": {
                    "200": {"description": "Done.", "content": {"application/json": {"schema": {"type": "object"}}}},
                    **_refusals(*((400, 408, 413, 415, 422, 503) if body else ()), 401, 421),
                },
            }
        }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Fathom",
            "version": fathom.__version__,
            "description": "Answers of models over HTTP. The Open Inference Protocol v2 is spoken beside this, under /v2.",
        },
        "externalDocs": {
            "url": "https://github.com/kserve/open-inference-protocol",
            "description": "The protocol under /v2",
        },
        "paths": paths,
        "components": {"schemas": schemas, "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
        "security": [{}, {"token": []}],
    }


def row_schema(form: Form) -> dict[str, Any]:
    """Return the JSON Schema of one row."""
    properties: dict[str, Any] = {field.name: field_schema(field) for field in form.fields}
    properties |= {name: {"description": "Not read."} for name in sorted(form.ignored)}
    return {
        "type": "object",
        "properties": properties,
        "required": [field.name for field in form.fields],
        "additionalProperties": False,
    }


def field_schema(field: Field) -> dict[str, Any]:
    """Return the JSON Schema of one cell."""
    column, said = field.column, {"title": field.name}
    match field.kind:
        case "number":
            return {**said, "type": ["number", "null"]}
        case "yes_no":
            return {**said, "enum": [*words_for(column), True, False, None]}
        case "date" if column.state.clock:
            return {**said, "anyOf": [{"type": "string", "format": "time"}, _NOTHING]}
        case "date":
            forms = [{"type": "string", "format": one} for one in ("date", "date-time")]
            return {**said, "anyOf": [*forms, _NOTHING]}
        case "category":
            some = list(column.state.words[:10])
            return {**said, "type": ["string", "number", "boolean", "null"], "examples": some}
        case "id":
            return {**said, "type": ["string", "integer", "null"]}
        case "text" | "molecule":
            return {**said, "type": ["string", "null"]}
        case "labels":
            listed = {"type": "array", "items": {"type": ["string", "null"]}}
            return {**said, "anyOf": [{"type": ["string", "null"]}, listed]}
        case "image" | "audio" | "video":
            return {**said, "type": ["string", "null"], "description": f"{field.kind}: a data: URL, or base64"}
    return {**said, "type": ["array", "object", "string", "null"], "description": "numbers, one a step"}


def answer_schema(hosted: Hosted) -> dict[str, Any]:
    """Return the JSON Schema of one answer."""
    properties: dict[str, Any] = {}
    for target in hosted.live.model.description.targets:
        if target.name in hosted.live.model.description.half_widths:
            properties |= {
                name: {"type": "number"} for name in (target.name, f"{target.name}_low", f"{target.name}_high")
            }
            continue
        share = {"type": "number", "minimum": 0, "maximum": 1.000001}
        properties[target.name] = {}
        properties[f"{target.name}_probability"] = share
        properties |= {f"{target.name}={label}": share for label in class_labels(target)}
        properties[f"{target.name}_doubt"] = {"type": "string"}
    required = [name for name in properties if not name.endswith("_doubt")]
    return {"type": "object", "properties": properties, "required": required}


def _predict(hosted: Hosted, address: str, row: str, answer: str, most_rows: int) -> dict[str, Any]:
    form = hosted.live.form
    example = {field.name: (field.column.examples or (None,))[0] for field in form.fields if field.kind != "number"}
    question: dict[str, Any] = {
        "type": "object",
        "properties": {
            "rows": {
                "type": "array",
                "items": {"$ref": f"#/components/schemas/{row}"},
                **(
                    {} if form.quick is not None else {"minItems": 1}
                ),  # where rows are gathered, no rows make no series
                "maxItems": most_rows,
            },
            "doubt": {
                "type": "boolean",
                "description": "Also say between which classes the model is not sure, and where nothing like a row was seen.",
            },
        },
        "required": ["rows"],
        "additionalProperties": False,
    }
    if explains(hosted):
        question["properties"]["explain"] = {
            "type": "boolean",
            "description": f"Also say why, of at most {MOST_EXPLAINED} rows: what each column adds to the answer.",
        }
        question["if"] = {"properties": {"explain": {"const": True}}, "required": ["explain"]}
        question["then"] = {"properties": {"rows": {"maxItems": MOST_EXPLAINED}}}
    found = {
        "type": "object",
        "properties": {
            "model": {"type": "string"},
            "version": {"type": "string"},
            "request": {"type": "string"},
            "answers": {"type": "array", "items": {"$ref": f"#/components/schemas/{answer}"}},
            "reasons": {
                "type": "array",
                "items": {"type": "object"},
                "description": "Of each row, where they were asked for.",
            },
        },
        "required": ["model", "version", "request", "answers"],
    }
    return {
        "summary": f"Answer rows: {', '.join(target.name for target in hosted.live.model.description.targets)}.",
        "description": f"Columns such as {', '.join(list(example)[:5])}. CSV, Arrow and forms with files are taken by their content types, too.",
        "operationId": address.strip("/").replace("/", "_"),
        "requestBody": {"required": True, "content": {"application/json": {"schema": question}}},
        "responses": {
            "200": {"description": "The answers.", "content": {"application/json": {"schema": found}}},
            **_refusals(*REFUSALS),
        },
    }


def _refusals(*codes: int) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Refusal"}}}
    return {str(code): {"description": REFUSALS[code], "content": content} for code in codes}


def _refusal() -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {
            "error": {"type": "string", "description": "What was found, what was expected."},
            "field": {"type": "string", "description": "The place in the request, such as rows[3].age."},
            "request": {"type": "string", "description": "The id under which the server's log has it."},
            "ready": {"type": "boolean"},
        },
    }
