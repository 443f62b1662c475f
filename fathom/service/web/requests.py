"""From the bytes of a request to rows: JSON, CSV, Arrow or a form with files, by its content type, each within its limits."""

import io
import struct
import urllib.parse
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import ipc

from fathom.data.files.reading import read
from fathom.data.table import Table
from fathom.errors import FathomError, suggestion
from fathom.service.host.asking import Form
from fathom.service.refusing import Limits, Refused
from fathom.service.web import bodies
from fathom.service.web.parts import parts_of

ARROW = ("application/vnd.apache.arrow.stream", "application/vnd.apache.arrow.file")
KINDS = ("application/json", "text/csv", *ARROW, "multipart/form-data")
OPTIONS = ("doubt", "explain")
COMPRESSED = (b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"PK\x03\x04")
MOST_DECODED = 256 << 20  # bytes of a column whose cells are places in a dictionary

Receive = Callable[[], Awaitable[Any]]
Headers = Mapping[bytes, bytes]


@dataclass(frozen=True)
class Asked:
    """Rows to answer, as objects or as a table, and what is wanted besides."""

    rows: list[dict[str, Any]] | Table
    doubt: bool = False
    explain: bool = False

    @property
    def count(self) -> int:
        """How many rows there are."""
        return self.rows.rows if isinstance(self.rows, Table) else len(self.rows)


async def read_body(headers: Headers, receive: Receive, limits: Limits) -> bytes:
    """Return the body of a request. Raises Refused: 413 when it is too large (unread, where its length is told), 415 when it is compressed, 499 when the client leaves."""
    if b"content-encoding" in headers and headers[b"content-encoding"].lower() != b"identity":
        raise Refused(415, "The body is compressed. Send it as it is, without Content-Encoding.")
    told = headers.get(b"content-length")
    if told is not None and told.isdigit() and int(told) > limits.body:
        raise _too_large(limits)
    message = await receive()
    body: bytes = message.get("body", b"")
    if message["type"] == "http.request" and not message.get("more_body"):
        if len(body) > limits.body:
            raise _too_large(limits)
        return body
    pieces, size = [body], len(body)
    while message["type"] == "http.request" and message.get("more_body"):
        message = await receive()
        pieces.append(message.get("body", b""))
        size += len(pieces[-1])
        if size > limits.body:
            raise _too_large(limits)
    if message["type"] == "http.disconnect":
        raise Refused(499, "The client has left.")
    return b"".join(pieces)


def _too_large(limits: Limits) -> Refused:
    return Refused(413, f"The body is larger than {limits.body:,} bytes. Send fewer rows at a time.")


def asked(headers: Headers, query: bytes, body: bytes, form: Form, limits: Limits) -> Asked:
    """Return the rows of a body, checked against what the model asks for. Raises Refused."""
    whole = headers.get(b"content-type", b"").decode("latin-1")
    kind = whole.partition(";")[0].strip().lower()
    options = _options(query)
    if kind == "application/json":
        return _json(body, options, form, limits)
    if kind == "text/csv":
        return Asked(_checked(_csv(body), limits), **options)
    if kind in ARROW:
        return Asked(_checked(arrow_table(body, limits), limits), **options)
    if kind == "multipart/form-data":
        return _form_data(whole, body, options, form)
    raise Refused(415, f"The content type is {kind[:60]!r}, and one of these is expected: {', '.join(KINDS)}.")


def _options(query: bytes) -> dict[str, bool]:
    found: dict[str, bool] = {}
    if not query:
        return found
    try:
        pairs = urllib.parse.parse_qsl(query.decode("ascii"), keep_blank_values=True, max_num_fields=20)
    except ValueError:
        raise Refused(400, "The query of the address cannot be read.") from None
    for name, value in pairs:
        if name not in OPTIONS:
            raise Refused(422, f"there is no such option.{suggestion(name, OPTIONS)}", name[:60])
        if value not in ("true", "false"):
            raise Refused(422, f"it is {value[:40]!r}, and true or false is expected.", name)
        found[name] = value == "true"
    return found


def _json(body: bytes, options: dict[str, bool], form: Form, limits: Limits) -> Asked:
    if bodies.more_rows_than(limits.rows, body):
        raise _too_many(limits)
    value = bodies.parse(body)
    if value.__class__ is not dict:
        raise Refused(422, 'The body must be an object: {"rows": [{"column": value, …}, …]}.')
    for name in value:
        if name != "rows" and name not in OPTIONS:
            raise Refused(422, f"there is no such key.{suggestion(name, ('rows', *OPTIONS))}", name[:60])
    for name in OPTIONS:
        if name in value:
            if value[name].__class__ is not bool:
                raise Refused(422, "true or false is expected.", name)
            options[name] = value[name]
    rows = value.get("rows")
    if rows.__class__ is list and len(rows) > limits.rows:
        raise _too_many(limits)
    return Asked(form.check(rows), **options)


def _too_many(limits: Limits) -> Refused:
    return Refused(422, f"More than {limits.rows:,} rows. Send fewer at a time.", "rows")


def _checked(table: Table, limits: Limits) -> Table:
    if table.rows > limits.rows:
        raise _too_many(limits)
    return table


def _csv(body: bytes) -> Table:
    if body.startswith(COMPRESSED) or body.startswith((b"PAR1", b"ARROW1")):
        raise Refused(415, "The body is no CSV text. Send it as it is, not compressed.")
    try:
        return read(io.BytesIO(body), delimiter=",", encoding="utf-8", header=True, empty=True)
    except FathomError as error:
        raise Refused(
            422, str(error).replace("<stream>", "The body"), "" if not error.line else f"line {error.line}"
        ) from None


def arrow_table(body: bytes, limits: Limits) -> Table:
    """Return the table of an Arrow IPC stream or file; its types must be plain, its buffers uncompressed and sound. Raises Refused."""
    try:
        if body.startswith(b"ARROW1"):
            opened = ipc.open_file(pa.BufferReader(body))
            batches = (opened.get_batch(place) for place in range(opened.num_record_batches))
            messages = body
        else:
            _refuse_compressed(body)
            opened = ipc.open_stream(pa.BufferReader(body))
            batches, messages = iter(opened), b""
        for field in opened.schema:
            if not _is_plain(field.type):
                raise Refused(422, f"a column of type {field.type} is not taken.", field.name)
        if messages:  # a file holds a stream between its magic bytes
            _refuse_compressed(messages[8:])
        kept, rows = [], 0
        for batch in batches:
            rows += batch.num_rows
            if rows > limits.rows:
                raise _too_many(limits)
            batch.validate(full=True)
            kept.append(batch)
        table = pa.Table.from_batches(kept, opened.schema)
        if len(set(table.column_names)) < table.num_columns:
            raise Refused(422, "Two columns have the same name.")
        for name in table.column_names:
            if pa.types.is_dictionary(table[name].type):
                table = table.set_column(table.column_names.index(name), name, _decoded(name, table[name]))
    except (pa.ArrowException, OSError, ValueError, struct.error, IndexError, OverflowError) as error:
        raise Refused(
            422, f"The body is no Arrow table: {str(error).splitlines()[0][:200] if str(error) else 'it is cut off'}."
        ) from None
    return Table(table, name="the request")


def _is_plain(kind: pa.DataType) -> bool:
    types = pa.types
    if types.is_dictionary(kind):
        return bool(types.is_string(kind.value_type) or types.is_large_string(kind.value_type))
    if types.is_list(kind) or types.is_large_list(kind):
        return bool(
            types.is_floating(kind.value_type) or types.is_integer(kind.value_type) or types.is_string(kind.value_type)
        )
    tests = (
        types.is_integer,
        types.is_floating,
        types.is_boolean,
        types.is_string,
        types.is_large_string,
        types.is_binary,
        types.is_large_binary,
        types.is_date,
        types.is_timestamp,
        types.is_time,
        types.is_decimal,
        types.is_null,
    )
    return any(test(kind) for test in tests)


def _decoded(name: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column of places in a dictionary written out, unless that would take too much memory."""
    size = sum((pc.sum(pc.binary_length(chunk.dictionary).take(chunk.indices)).as_py() or 0) for chunk in column.chunks)
    if size > MOST_DECODED:
        raise Refused(413, "the column is too large when it is written out.", name)
    return column.cast(column.type.value_type)


def _refuse_compressed(stream: bytes) -> None:
    """Refuse an IPC stream with compressed buffers, whose size once decompressed nobody knows.

    Reads the messages' own tables of contents (flatbuffers: Message.header, RecordBatch.compression; format/Message.fbs of Apache Arrow).
    """
    start = 0
    while start + 8 <= len(stream):
        marker, size = struct.unpack_from("<Ii", stream, start)
        if marker != 0xFFFFFFFF or size <= 0 or start + 8 + size > len(stream):
            return  # the end, or nothing that Arrow reads either
        table = start + 8
        root = table + struct.unpack_from("<I", stream, table)[0]
        kind_at, header_at, length_at = (_slot(stream, root, slot) for slot in (1, 2, 3))
        kind = stream[kind_at] if kind_at else 0
        if header_at and kind in (2, 3):  # a dictionary batch holds a record batch
            header = header_at + struct.unpack_from("<I", stream, header_at)[0]
            if kind == 2 and (inner := _slot(stream, header, 1)):
                header = inner + struct.unpack_from("<I", stream, inner)[0]
            if _slot(stream, header, 3):
                raise Refused(415, "The body's buffers are compressed. Write the Arrow stream without compression.")
        length = struct.unpack_from("<q", stream, length_at)[0] if length_at else 0
        if length < 0:
            return
        start += 8 + size + length


def _slot(content: bytes, table: int, slot: int) -> int:
    """Return where a field of a flatbuffers table stands, 0 where it is left out."""
    entries = table - struct.unpack_from("<i", content, table)[0]
    if 4 + 2 * slot + 2 > struct.unpack_from("<H", content, entries)[0]:
        return 0
    offset = struct.unpack_from("<H", content, entries + 4 + 2 * slot)[0]
    return table + offset if offset else 0


def _form_data(kind: str, body: bytes, options: dict[str, bool], form: Form) -> Asked:
    """Return the one row of a form: files as they are, text as the column's kind has it."""
    row: dict[str, Any] = {}
    kinds = {field.name: field for field in form.fields}
    for name, content, is_file in parts_of(kind, body):
        if name in row:
            raise Refused(422, "the field comes twice.", name[:60])
        if name in OPTIONS and name not in kinds:
            options[name] = content == b"true"
            continue
        row[name] = content if is_file else _typed(name, content, kinds[name].kind if name in kinds else "")
    for name in kinds:
        row.setdefault(name, None)  # a form leaves out what is empty
    return Asked(form.check([row]), **options)


def _typed(name: str, content: bytes, kind: str) -> Any:
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        raise Refused(422, "it is no text. Send a file with a file name.", name[:60]) from None
    if not text:
        return None
    if kind != "number":
        return text
    try:
        number = float(text)
    except ValueError:
        raise Refused(422, f"it is {text[:40]!r}, and a number is expected.", name[:60]) from None
    if number - number != 0:
        raise Refused(422, "a finite number is expected.", name[:60])
    return number
