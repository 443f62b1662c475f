"""Rows go in over HTTP and come out answered as `Model.predict` answers them, whatever form they come in."""

import asyncio
import io
import json
import re

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import csv, ipc

import fathom
from fathom.data.files.writing import write
from fathom.errors import TableError
from fathom.service.refusing import Limits, Refused
from fathom.service.web.access import Access
from fathom.service.web.predicting import reasons
from fathom.service.web.serving import application
from tests.service.running import running

MANY = 40


def inputs(flights, count):
    return flights.take(np.arange(count)).select([name for name in flights.names if name != "late"])


def same(found, expected):
    assert list(found) == list(expected)
    for name, value in expected.items():
        assert found[name] == (pytest.approx(value, abs=1e-6) if isinstance(value, float) else value), name


def test_an_answer_has_the_model_the_version_and_what_predict_returns(late, rows, late_network, flights):
    answer = late.predict(*rows[:MANY])
    found = answer.json()
    assert answer.status == 200
    assert found["model"] == "late"
    assert found["version"] == late.host.models["late"].live.version
    assert found["request"] == answer.headers["x-request-id"]
    for got, expected in zip(found["answers"], late_network.predict(inputs(flights, MANY)).to_pylist(), strict=True):
        same(got, expected)


def test_one_row_in_process_is_answered_as_in_a_table(late_network, rows, flights):
    for row, expected in zip(rows[:MANY], late_network.predict(inputs(flights, MANY)).to_pylist(), strict=True):
        same(late_network.predict_one(row), expected)


def test_csv_arrow_and_a_form_are_answered_as_json_is(late, rows, flights, tmp_path):
    expected = late.predict(*rows[:5]).json()["answers"]
    table = inputs(flights, 5)
    write(table, tmp_path / "some.csv")
    text = late.ask("POST", "/predict", (tmp_path / "some.csv").read_bytes(), {"content-type": "text/csv"})
    sink = io.BytesIO()
    with ipc.new_stream(sink, table.arrow.schema) as writer:
        writer.write_table(table.arrow)
    arrow = late.ask("POST", "/predict", sink.getvalue(), {"content-type": "application/vnd.apache.arrow.stream"})
    for answer in (text, arrow):
        for got, wanted in zip(answer.json()["answers"], expected, strict=True):
            same(got, wanted)
    parts = "".join(
        f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in rows[0].items()
        if value is not None
    )
    form = late.ask(
        "POST", "/predict", (parts + "--x--\r\n").encode(), {"content-type": "multipart/form-data; boundary=x"}
    )
    same(form.json()["answers"][0], expected[0])


@pytest.mark.parametrize("count", [1, 64, 65])
def test_few_rows_of_text_are_answered_and_refused_as_many_are(late, flights, rows, tmp_path, count):
    """Few are encoded one by one, many as columns."""
    kind = {"content-type": "text/csv"}
    table = inputs(flights, count)
    write(table, tmp_path / "some.csv")
    far = [*table.column("distance_miles").to_pylist()[:-1], "far"]
    write(table.with_column("distance_miles", pa.array(far)), tmp_path / "far.csv")
    for got, wanted in zip(
        late.ask("POST", "/predict", (tmp_path / "some.csv").read_bytes(), kind).json()["answers"],
        late.predict(*rows[:count]).json()["answers"],
        strict=True,
    ):
        same(got, wanted)
    answer = late.ask("POST", "/predict", (tmp_path / "far.csv").read_bytes(), kind)
    assert (answer.status, answer.json()["field"]) == (422, f"rows[{count - 1}].distance_miles")
    assert "it is 'far', which is not readable as number" in answer.json()["error"]


def test_answers_come_as_csv_or_arrow_where_they_are_wanted_so(late, rows, late_network, flights):
    expected = late_network.predict(inputs(flights, 3)).to_pylist()
    body = json.dumps({"rows": rows[:3]}).encode()
    asked = {"content-type": "application/json"}
    text = late.ask("POST", "/predict", body, {**asked, "accept": "text/csv"})
    arrow = late.ask("POST", "/predict", body, {**asked, "accept": "application/vnd.apache.arrow.stream"})
    assert text.headers["content-type"] == "text/csv"
    assert text.headers["fathom-version"] == late.host.models["late"].live.version
    for table in (csv.read_csv(io.BytesIO(text.body)), ipc.open_stream(arrow.body).read_all()):
        for got, wanted in zip(table.to_pylist(), expected, strict=True):
            same(got, wanted)


def test_doubt_is_said_where_it_is_asked_for(late, rows, late_network, flights):
    expected = late_network.predict(inputs(flights, 20), doubt=True).to_pylist()
    found = late.predict(*rows[:20], doubt=True).json()["answers"]
    assert [row["late_doubt"] for row in found] == [row["late_doubt"] for row in expected]
    assert "late_doubt" not in late.predict(rows[0]).json()["answers"][0]


def test_a_row_is_explained_where_it_is_asked_for(late, rows):
    (reasons,) = late.predict(rows[0], explain=True).json()["reasons"]
    assert {part["column"] for part in reasons["parts"]} <= set(rows[0])
    assert late.predict(*rows[:20], explain=True).status == 422  # as the schema has it


def test_reasons_end_with_the_time_of_the_request_and_for_a_client_that_has_left(late, rows):
    """Each row takes as long as thousands of answers, so that a busy server once explained for longer than any client waits."""
    opened = late.host.models["late"].live
    for until, gone, status in ((0.0, False, 504), (float("inf"), True, 499)):
        with pytest.raises(Refused) as refused:
            reasons(opened, rows[:2], until, lambda: gone)  # noqa: B023
        assert refused.value.status == status


def test_no_rows_have_no_answers(late, rows):
    """A job that found nothing to ask tonight has not failed; a column that is lacking is told as ever."""
    for options in ({}, {"doubt": True}, {"explain": True}):
        found = late.predict(**options)
        assert (found.status, found.json()["answers"], found.json().get("reasons", [])) == (200, [], [])
    header = ",".join(rows[0]).encode()
    told = late.ask("POST", "/predict?doubt=true", header + b"\n", {"content-type": "text/csv", "accept": "text/csv"})
    assert (told.status, told.body) == (200, b'"late","late_probability","late=no","late=yes","late_doubt"\n')
    kind = "application/vnd.apache.arrow.stream"
    body = arrow_body(**{name: pa.nulls(0) for name in rows[0]})
    found = late.ask("POST", "/predict", body, {"content-type": kind, "accept": kind})
    assert found.status == 200 and ipc.open_stream(found.body).read_all().num_rows == 0
    lacking = late.ask("POST", "/predict", header.partition(b",")[2] + b"\n", {"content-type": "text/csv"})
    assert lacking.status == 422 and lacking.json()["field"] == next(iter(rows[0]))


def test_cells_of_several_types_in_one_column_are_doubted_and_explained_as_well(late, rows):
    """JSON lets words be numbers or true; what looks at many rows as a table once took them for one type."""
    several = [{**rows[0], "airline": cell, "distance_miles": number, "late": 10**30} for cell, number in ((True, 1), (2.5, 0.5), ("x", 10**30), (10**30, None))]  # fmt: skip
    answer = late.predict(*several, doubt=True, explain=True)
    assert answer.status == 200
    assert len(answer.json()["reasons"]) == len(several)
    for row, found in zip(several, answer.json()["answers"], strict=True):
        same(late.predict(row, doubt=True).json()["answers"][0], found)


REFUSED = {
    "no object": (b"[1]", 422, ""),
    "no rows": (b"{}", 422, "rows"),
    "a row that is none": (b'{"rows": [3]}', 422, "rows[0]"),
    "an unknown key": (b'{"row": []}', 422, "row"),
    "a word for doubt": (b'{"rows": [{}], "doubt": "yes"}', 422, "doubt"),
    "no JSON": (b'{"rows": [}', 400, ""),
    "NaN": (b'{"rows": [{"x": NaN}]}', 400, ""),
    "infinity by its digits": (b'{"rows": [{"x": 1e999}]}', 400, ""),
    "a key twice": (b'{"rows": [], "rows": []}', 400, ""),
    "half a character": (b'{"rows": [{"x": "\\ud800"}]}', 400, ""),
    "no UTF-8": (b'{"rows": "\xff"}', 400, ""),
    "a mark of the byte order": (b'\xef\xbb\xbf{"rows": []}', 400, ""),
    "deep lists": (b"[" * 100_000, 400, ""),
    "a long number": (b'{"rows": ' + b"1" * 10_000 + b"}", 400, ""),
    "nothing": (b"", 400, ""),
}


@pytest.mark.parametrize("body, status, field", REFUSED.values(), ids=REFUSED)
def test_a_bad_body_is_refused_in_json_with_its_place(late, body, status, field):
    answer = late.post("/predict", body)
    assert answer.status == status
    assert answer.json()["error"]
    assert answer.json().get("field", "") == field
    assert answer.json()["request"] == answer.headers["x-request-id"]


@pytest.mark.parametrize(
    "name, value, words",
    [
        ("distance_miles", "far", "it is a string, and a number or null is expected"),
        ("distance_miles", True, "it is true or false"),
        ("distance_miles", [1], "it is a list"),
        ("distance_miles", 10**400, "which no column can hold"),
        ("departure", "soon", "which is not readable as date"),
        ("departure", 7, "it is a number, and a string or null is expected"),
        ("holiday", "perhaps", "'no', 'yes'"),
        ("airline", {"path": "/etc/passwd", "folder": "/"}, "it is an object"),
        ("distance", 3, "the model has no such column. Did you mean 'distance_miles'?"),
    ],
)
def test_a_cell_that_is_not_what_the_column_held_is_refused_with_its_place(late, rows, name, value, words):
    answer = late.predict(rows[0], {**rows[1], name: value})
    assert answer.status == 422
    assert answer.json()["field"] == f"rows[1].{name}"
    assert words in answer.json()["error"]


def test_a_column_that_is_lacking_is_refused_and_one_of_training_that_is_not_read_is_taken(late, rows):
    lacking = {name: value for name, value in rows[0].items() if name != "origin"}
    answer = late.predict({**lacking, "orgin": "JFK"})
    assert answer.json()["field"] == "rows[0].origin"
    assert "Did you mean 'orgin'?" in answer.json()["error"]
    assert late.predict({**rows[0], "late": "no"}).status == 200


def test_a_body_that_is_too_large_or_compressed_is_refused_unread(late_bundle, rows):
    with running({"late": late_bundle}, Limits(body=2_000, rows=3, linger=0.05)) as small:
        assert small.post("/predict", b'{"rows": "' + b"x" * 3_000_000 + b'"}').status == 413
        assert small.predict(rows[0], rows[1], rows[2], rows[3]).status == 422
        assert small.predict(rows[0]).status == 200
        assert small.post("/predict", b"", {"content-encoding": "gzip"}).status == 415
        assert small.post("/predict", b"\x1f\x8b", {"content-type": "text/csv"}).status == 415


def test_other_content_types_addresses_and_methods_are_refused_in_json(late):
    for answer, status in (
        (late.ask("POST", "/predict", b"x", {"content-type": "text/plain"}), 415),
        (late.ask("POST", "/predict", b"x", {}), 415),
        (late.get("/predict"), 405),
        (late.ask("DELETE", "/models", None, {}), 405),
        (late.post("/predict/other", {}), 404),
        (late.get("/../../etc/passwd"), 404),
    ):
        assert answer.status == status
        assert answer.json()["error"]
    assert late.get("/predict").headers["allow"] == "POST"
    assert late.get("/predict").json()["error"] == "This address does not take GET, but POST."
    assert "/openapi.json" in late.get("/predcit").json()["error"]


def arrow_body(**columns):
    table = pa.table(columns)
    sink = io.BytesIO()
    with ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def test_an_arrow_body_is_taken_only_where_it_is_plain_and_sound(late, flights):
    kind = {"content-type": "application/vnd.apache.arrow.stream"}
    table = inputs(flights, 20).arrow
    sink = io.BytesIO()
    with ipc.new_stream(sink, table.schema, options=ipc.IpcWriteOptions(compression="zstd")) as writer:
        writer.write_table(table)
    assert late.ask("POST", "/predict", sink.getvalue(), kind).status == 415
    path = pa.array(
        [{"path": "passwd", "folder": "/etc"}], pa.struct([("path", pa.large_string()), ("folder", pa.large_string())])
    )
    assert late.ask("POST", "/predict", arrow_body(airline=path), kind).status == 422
    long = pa.DictionaryArray.from_arrays(pa.array(np.zeros(9_000, np.int32)), pa.array(["x" * 100_000]))
    assert late.ask("POST", "/predict", arrow_body(airline=long), kind).status == 413
    whole = arrow_body(**{name: table[name] for name in table.column_names})
    generator = np.random.default_rng(0)
    for _ in range(60):
        broken = bytearray(whole)
        for place in generator.integers(0, len(broken), 3):
            broken[place] = int(generator.integers(0, 256))
        assert late.ask("POST", "/predict", bytes(broken), kind).status in (200, 413, 415, 422)


def test_several_models_each_have_an_address(late_bundle, rows):
    with running({"one": late_bundle, "two": late_bundle}) as several:
        answer = several.predict(rows[0])
        assert answer.status == 404
        assert (
            answer.json()["error"]
            == "model: several models are served, and the address must name one. There are: one, two."
        )
        assert several.post("/predict/two", {"rows": rows[:1]}).json()["model"] == "two"
        assert {one["name"] for one in several.get("/models").json()["models"]} == {"one", "two"}


@pytest.mark.parametrize(
    "method, address",
    [
        ("POST", "/predict/{}"),
        ("POST", "/feedback/{}"),
        ("GET", "/watch/{}"),
        ("GET", "/v2/models/{}"),
        ("GET", "/v2/models/{}/ready"),
        ("POST", "/v2/models/{}/infer"),
        ("POST", "/v2/models/{}/versions/1/infer"),
        ("POST", "/admin/models/{}"),
    ],
)
def test_a_model_that_is_not_served_is_refused_with_those_that_are_and_the_nearest(administered, method, address):
    for name, words in (("homse", "model: 'homse' is not served here. Did you mean 'homes'? There are: late, homes."), ("x", "model: 'x' is not served here. There are: late, homes.")):  # fmt: skip
        answer = administered.ask(method, address.format(name), b"{}", {"authorization": "Bearer " + "r" * 32})
        assert (answer.status, answer.json()["field"]) == (404, "model")
        assert answer.json()["error"] == words
        assert answer.json()["request"] == answer.headers["x-request-id"]


def test_a_name_that_is_long_or_means_harm_is_shortened_and_escaped(administered):
    answer = administered.post("/predict/" + "x" * 5_000, {})
    assert (answer.status, len(answer.body) < 300) == (404, True)
    assert "'\\x00\\u202e'" in administered.post("/predict/%00%E2%80%AE", {}).json()["error"]


@pytest.fixture(scope="module")
def administered(two_bundles):
    """A server of two models that may be administered."""
    with running({"late": two_bundles[0], "homes": two_bundles[1]}, access=Access.of((), ["r" * 32])) as found:
        yield found


def test_two_targets_are_answered_together(two_targets, tmp_path, flights):
    names = [column.name for column in two_targets.columns if column.role == "input"]
    with running({"two": two_targets.save(tmp_path / "two")}) as served:
        row = {column.name: None for column in two_targets.columns if column.role == "input"}
        found = served.predict(row).json()["answers"][0]
        expected = two_targets.predict({name: pa.nulls(1, pa.string()) for name in names}).to_pylist()[0]
        same(found, expected)
        same(two_targets.predict_one(row), expected)
        assert found["temperature_f_low"] < found["temperature_f"] < found["temperature_f_high"]


def test_a_picture_comes_as_a_file_a_data_url_or_base64_and_never_by_its_path(tmp_path):
    from fathom.baselines import constant, linear
    from fathom.data.modalities import image

    pictures = image.sample(60, 0)
    table = {"picture": pictures.to_pylist(), "kind": ["round", "square"] * 30}
    model = fathom.fit(table, "kind", keep="baseline", effort="quick", baselines=(constant, linear))
    known = next(cell for cell in table["picture"] if cell)
    (tmp_path / "secret.png").write_bytes(known)
    import base64

    coded = base64.b64encode(known).decode()
    with running({"shapes": model.save(tmp_path / "shapes")}) as served:
        answers = [
            served.predict({"picture": coded}),
            served.predict({"picture": f"data:image/png;base64,{coded}"}),
            served.ask(
                "POST",
                "/predict",
                b'--x\r\nContent-Disposition: form-data; name="picture"; filename="a.png"\r\n\r\n'
                + known
                + b"\r\n--x--\r\n",
                {"content-type": "multipart/form-data; boundary=x"},
            ),
        ]
        assert [answer.status for answer in answers] == [200] * 3
        assert len({json.dumps(answer.json()["answers"]) for answer in answers}) == 1
        for cell in (
            str(tmp_path / "secret.png"),
            {"path": "secret.png", "folder": str(tmp_path)},
            "file:///etc/passwd",
        ):
            assert served.predict({"picture": cell}).status == 422
        broken = served.predict({"picture": coded}, {"picture": base64.b64encode(b"no picture").decode()})
        assert broken.status == 422
        assert broken.json()["field"] == "rows[1].picture"


def test_one_row_in_process_is_refused_with_its_column(late_network, rows):
    for change, words in (
        ({"distance_miles": [1]}, "Column 'distance_miles': it is [1], and one value is expected"),
        ({"airline": ["a"]}, "Column 'airline': it is ['a'], and one value is expected"),
        ({"departure": "soon"}, "Column 'departure': it is 'soon', which is not readable as date"),
    ):
        with pytest.raises(TableError, match=re.escape(words)):
            late_network.predict_one({**rows[0], **change})
    with pytest.raises(TableError, match="The row has no column 'airline'"):
        late_network.predict_one({name: cell for name, cell in rows[0].items() if name != "airline"})


@pytest.mark.parametrize(("method", "path", "status"), [("POST", "/predict", 499), ("GET", "/health/live", 200)])
def test_nothing_is_read_from_or_written_to_a_client_that_has_left(late, method, path, status):
    """A connection that is closed raises, as uvloop's does until uvicorn hears of it: no mistake of the server's."""

    async def closed(*message):
        raise RuntimeError("the handler is closed")

    scope = {"type": "http", "method": method, "path": path, "headers": [], "query_string": b""}
    before = len(late.log)
    asyncio.run(application(late.host)({**scope, "state": {"fathom.gone": lambda: True}}, closed, closed))
    said = late.log[before:]
    assert [line["status"] for line in said if line.get("path") == path] == [status]
    assert not [line for line in said if line.get("event") == "mistake"]
