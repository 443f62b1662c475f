"""The Open Inference Protocol v2, asked as its clients ask."""

import json
import struct

import numpy as np
import pytest

from fathom.service.web.tensors import KINDS

CATEGORIES = ("departure", "airline", "origin", "destination", "aircraft_maker", "holiday")


def tensors(rows):
    """Return the rows as tensors with their data in JSON."""
    found = []
    for name in rows[0]:
        values = [row[name] for row in rows]
        if name in CATEGORIES:
            found.append({"name": name, "shape": [len(rows)], "datatype": "BYTES", "data": [v or "" for v in values]})
        else:
            found.append({"name": name, "shape": [len(rows), 1], "datatype": "FP64", "data": values})
    return found


def test_health_metadata_and_versions(late):
    version = late.host.models["late"].live.version
    assert late.get("/v2").json()["name"] == "fathom"
    assert late.get("/v2/health/live").json() == {"live": True}
    assert late.get("/v2/health/ready").json() == {"ready": True}
    told = late.get("/v2/models/late").json()
    assert told["versions"] == [version]
    assert {one["name"]: one["datatype"] for one in told["inputs"]}["distance_miles"] == "FP64"
    assert told["outputs"][0] == {"name": "late", "datatype": "BYTES", "shape": [-1]}
    assert late.get(f"/v2/models/late/versions/{version}").json() == told
    assert late.get("/v2/models/late/ready").status == 200
    assert late.get("/v2/models/other").status == 404
    answer = late.get("/v2/models/late/versions/1")
    assert answer.status == 404
    assert answer.json()["error"] == f"version: '1' is not open. There are: {version}."


def test_infer_answers_as_predict_does(late, rows):
    expected = late.predict(*rows[:6]).json()
    version = expected["version"]
    for address in ("/v2/models/late/infer", f"/v2/models/late/versions/{version}/infer"):
        found = late.post(address, {"id": "seven", "inputs": tensors(rows[:6])}).json()
        assert (found["id"], found["model_name"], found["model_version"]) == ("seven", "late", version)
        data = {one["name"]: one["data"] for one in found["outputs"]}
        assert data == {name: [row[name] for row in expected["answers"]] for name in expected["answers"][0]}


def test_the_model_may_be_named_in_the_body_too_as_the_client_of_kserve_does(late, rows):
    answer = late.post("/v2/models/late/infer", {"model_name": "late", "inputs": tensors(rows[:1])})
    assert answer.status == 200


def test_binary_tensors_in_both_directions(late, rows):
    head, behind = [], b""
    for one in tensors(rows[:3]):
        if one["datatype"] == "BYTES":
            content = b"".join(struct.pack("<I", len(v.encode())) + v.encode() for v in one["data"])
        else:
            content = np.array([np.nan if v is None else v for v in one["data"]], "<f8").tobytes()
        del one["data"]
        head.append({**one, "parameters": {"binary_data_size": len(content)}})
        behind += content
    outputs = [{"name": "late", "parameters": {"binary_data": True}}, {"name": "late=yes"}]
    body = json.dumps({"inputs": head, "outputs": outputs}).encode()
    headers = {"inference-header-content-length": str(len(body)), "content-type": "application/octet-stream"}
    answer = late.ask("POST", "/v2/models/late/infer", body + behind, headers)
    length = int(answer.headers["inference-header-content-length"])
    told = json.loads(answer.body[:length])
    expected = late.predict(*rows[:3]).json()["answers"]
    words = [row["late"].encode() for row in expected]
    assert answer.body[length:] == b"".join(struct.pack("<I", len(word)) + word for word in words)
    assert told["outputs"][1]["data"] == [row["late=yes"] for row in expected]


@pytest.mark.parametrize("kind", [*KINDS, "BYTES"])
def test_a_number_comes_in_every_datatype(late, rows, kind):
    row = {**rows[0], "distance_miles": 1.0}
    expected = late.predict(row).json()["answers"][0]
    inputs = tensors([row])
    for one in inputs:
        if one["name"] == "distance_miles":
            data = ["1"] if kind == "BYTES" else [True] if kind == "BOOL" else [1]
            one |= {"datatype": kind, "data": data}
    found = late.post("/v2/models/late/infer", {"inputs": inputs}).json()
    assert {one["name"]: one["data"][0] for one in found["outputs"]} == expected


BROKEN = {
    "no inputs": lambda body: body.pop("inputs"),
    "inputs that are no list": lambda body: body.update(inputs={}),
    "an input twice": lambda body: body["inputs"].append(body["inputs"][0]),
    "an input that is lacking": lambda body: body["inputs"].pop(),
    "an unknown input": lambda body: body["inputs"][0].update(name="other"),
    "no datatype": lambda body: body["inputs"][0].pop("datatype"),
    "an unknown datatype": lambda body: body["inputs"][0].update(datatype="FP8"),
    "a shape of another size": lambda body: body["inputs"][0].update(shape=[7]),
    "huge dimensions": lambda body: body["inputs"][0].update(shape=[2**63]),
    "a negative dimension": lambda body: body["inputs"][0].update(shape=[-1]),
    "a shape of three axes": lambda body: body["inputs"][0].update(shape=[1, 1, 1]),
    "data of another type": lambda body: body["inputs"][4].update(data=["x"]),
    "binary data that is not there": lambda body: body["inputs"][0].update(parameters={"binary_data_size": 5}),
    "an unknown output": lambda body: body.update(outputs=[{"name": "x"}]),
    "an output that is none": lambda body: body.update(outputs=[3]),
    "an unknown key": lambda body: body.update(other=1),
    "an id that is none": lambda body: body.update(id=5),
    "another model than the address names": lambda body: body.update(model_name="other"),
    "a model that is no word": lambda body: body.update(model_name=None),
}


@pytest.mark.parametrize("spoil", BROKEN.values(), ids=BROKEN)
def test_a_bad_request_is_refused_with_a_sentence(late, rows, spoil):
    body = {"inputs": tensors(rows[:1])}
    spoil(body)
    answer = late.post("/v2/models/late/infer", body)
    assert answer.status == 400
    assert isinstance(answer.json()["error"], str)


def test_a_million_inputs_are_refused(late):
    body = b'{"inputs": [' + b",".join([b"{}"] * 300_000) + b"]}"
    assert late.post("/v2/models/late/infer", body).status == 400
