"""The description for programs says what the server takes and gives, no more and no less."""

from fathom.service.web.describing import document
from fathom.service.web.requests import OPTIONS


def test_every_option_and_every_key_of_an_answer_is_described(late, rows):
    described = late.get("/openapi.json").json()
    assert described == document(late.host)
    for address in ("/predict", "/predict/late"):
        asked = described["paths"][address]["post"]
        question = asked["requestBody"]["content"]["application/json"]["schema"]
        assert set(question["properties"]) == {"rows", *OPTIONS}
        answer = asked["responses"]["200"]["content"]["application/json"]["schema"]
        for options in ({}, {"doubt": True, "explain": True}):
            found = late.post(address, {"rows": [rows[0]], **options}).json()
            assert set(answer["required"]) <= set(found) <= set(answer["properties"])
            row = described["components"]["schemas"]["Answer-late"]
            assert set(row["required"]) <= set(found["answers"][0]) <= set(row["properties"])
