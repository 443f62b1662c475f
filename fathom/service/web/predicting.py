"""POST /predict and /predict/MODEL: rows in, answers out, with the model and the version that gave them."""

import io
import time
from collections.abc import Callable, Mapping
from typing import Any

from pyarrow import csv as arrow_csv
from pyarrow import ipc
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from fathom.bundle.answers.inference import Answers
from fathom.data.table import Table
from fathom.errors import FathomError
from fathom.reasons.rows import explain_row
from fathom.service.host.hosting import Host, Hosted, Opened
from fathom.service.refusing import Refused, Reply, dump
from fathom.service.web.entrance import Endpoint, Visit
from fathom.service.web.requests import ARROW, Asked, asked, read_body

MOST_EXPLAINED = 8  # rows; one is worth thousands of answers
INLINE = 64  # rows of flat columns that are encoded where they stand; more go to a thread


def endpoints(host: Host) -> Mapping[str, Endpoint]:
    """Return what answers at which address, for `fathom.service.web.entrance`."""
    found: dict[str, Endpoint] = {f"/predict/{name}": _endpoint(host, name) for name in host.models}
    return {"/predict": _endpoint(host, None), **found}


def _endpoint(host: Host, name: str | None) -> Endpoint:
    async def answer(visit: Visit) -> Reply:
        return await predict(host, host.model(name), visit)

    return answer


def routes(host: Host) -> list[Route]:
    """Return the same addresses for the router, which refuses what `endpoints` does not take: another method, a model that is not served."""

    async def refuse(request: Request) -> Response:
        host.model(request.path_params.get("model"))
        raise AssertionError("answered by the entrance")

    return [Route(path, refuse, methods=["POST"]) for path in ("/predict", "/predict/{model}")]


async def predict(host: Host, hosted: Hosted, visit: Visit) -> Reply:
    """Answer one request for a model, unless it could not be answered in time."""
    visit.model = hosted.name
    host.admission.enter(visit.deadline(host.limits))
    try:
        opened, question, answers, ids = await _answers(host, hosted, visit)
    finally:
        host.admission.leave()
    reply = await _reply(host, hosted, opened, visit, question, answers, ids)
    if question.count:
        host.note(hosted, opened, visit.request, question.rows, answers, ids, visit.started)
    return reply


async def _answers(host: Host, hosted: Hosted, visit: Visit) -> tuple[Opened, Asked, Answers, Any]:
    """Return the version that answers, what it is asked, its answers, and the ids of rows that were gathered."""
    opened = hosted.choose(visit.request)
    visit.version = opened.version
    deadline = visit.deadline(host.limits)
    opened.batcher.check(1, deadline)  # before the body is read: refusing must cost little
    body = await read_body(visit.headers, visit.receive, host.limits)
    form = opened.form
    if form.light and len(body) <= 1 << 16:
        question = asked(visit.headers, visit.query, body, form, host.limits)
    else:
        question = await visit.aside(host.executor, asked, visit.headers, visit.query, body, form, host.limits)
    visit.rows = question.count
    if question.explain and question.count > MOST_EXPLAINED:
        raise Refused(422, f"at most {MOST_EXPLAINED} rows are explained at a time.", "explain")
    if not question.count:  # no rows have no answers, once their columns are seen to be right
        nothing = opened.form.table([])
        given = question.rows if isinstance(question.rows, Table) else nothing
        await visit.aside(host.executor, opened.form.encode_table, given)
        return opened, question, await visit.aside(host.executor, opened.model.answer, nothing), None
    if isinstance(question.rows, Table):
        arrays, rows, ids = await visit.aside(host.executor, form.encode_table, question.rows)
    elif form.light and question.count <= INLINE:
        arrays, rows, ids = form.encode(question.rows)
    else:
        arrays, rows, ids = await visit.aside(host.executor, form.encode, question.rows)
    return opened, question, await host.answer(hosted, opened, arrays, rows, deadline, visit.gone), ids


async def _reply(
    host: Host, hosted: Hosted, opened: Opened, visit: Visit, question: Asked, answers: Answers, ids: Any
) -> Reply:
    unlike = await visit.aside(host.executor, opened.form.unlike, question.rows) if question.doubt else None
    said = (("fathom-model", hosted.name), ("fathom-version", opened.version))
    accepted = visit.headers.get(b"accept", b"").decode("latin-1").lower()
    wanted = next((kind for kind in ("text/csv", *ARROW[:1]) if kind in accepted), None)
    if wanted is not None and "application/json" not in accepted:
        table = opened.form.table_of(answers, question.doubt, ids, unlike)
        return Reply(200, _written(table, wanted), wanted, said)
    content: dict[str, Any] = {"model": hosted.name, "version": opened.version, "request": visit.request}
    if question.count <= INLINE:
        content["answers"] = opened.form.rows_of(answers, question.doubt, ids, unlike)
    else:
        content["answers"] = await visit.aside(host.executor, opened.form.rows_of, answers, question.doubt, ids, unlike)
    if question.explain:
        until = visit.deadline(host.limits)
        content["reasons"] = await visit.aside(host.others, reasons, opened, question.rows, until, visit.gone)
    return Reply(200, dump(content))


def reasons(opened: Opened, rows: list[dict[str, Any]] | Table, until: float, gone: Callable[[], bool]) -> list[Any]:
    """Say why the model answers each row as it does (`fathom.reasons.rows.explain_row`); no further row is begun after ``until``, nor for a client that has left. Raises Refused."""
    table = rows if isinstance(rows, Table) else opened.form.table(rows)
    found = []
    try:
        for place in range(table.rows):
            if gone():
                raise Refused(499, "The client has left.")
            if time.monotonic() >= until:
                words = f"the time for this request was over after {place} of {table.rows} rows. Ask for fewer, or allow more time."
                raise Refused(504, words, "explain", retry_after=1.0)
            found.append(explain_row(opened.model, table.take([place])))
        return found
    except FathomError as error:
        raise Refused(422, str(error), "explain") from None


def _written(table: Table, kind: str) -> bytes:
    sink = io.BytesIO()
    if kind == "text/csv":
        arrow_csv.write_csv(table.arrow, sink)
    else:
        with ipc.new_stream(sink, table.arrow.schema) as writer:
            writer.write_table(table.arrow)
    return sink.getvalue()
