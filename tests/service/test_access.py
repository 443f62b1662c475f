"""Who may enter: the whole matrix of tokens, addresses and names."""

import pytest

from fathom.errors import OptionError
from fathom.service.refusing import Refused
from fathom.service.web.access import Access
from tests.service.running import running

ASKS, RULES, OTHER = "a" * 32, "b" * 32, "c" * 32
OPEN = ("/health/live", "/health/ready", "/v2/health/live", "/v2/health/ready")
ASKING = ("/predict", "/models", "/metrics", "/openapi.json", "/v2/models/late", "/nothing")
ADMINISTRATION = ("/admin/models", "/admin/models/late", "/admin")


def status(access, path, token=None, host="localhost:8000"):
    headers = {b"host": host.encode()}
    if token is not None:
        headers[b"authorization"] = token.encode()
    try:
        access.check(path, headers)
    except Refused as refused:
        return refused.status
    return 200


MATRIX = [
    # tokens for asking, for administration; what is sent; expected at open, asking and administration addresses
    ((), (), None, 200, 200, 403),
    ((), (), f"Bearer {OTHER}", 200, 200, 403),
    ((ASKS,), (), None, 200, 401, 403),
    ((ASKS,), (), f"Bearer {OTHER}", 200, 401, 403),
    ((ASKS,), (), f"Bearer {ASKS}", 200, 200, 403),
    ((ASKS,), (), f"bearer {ASKS}", 200, 200, 403),
    ((ASKS,), (), f"Basic {ASKS}", 200, 401, 403),
    ((ASKS,), (), ASKS, 200, 401, 403),
    ((ASKS,), (), f"Bearer {ASKS[:-1]}", 200, 401, 403),
    ((ASKS,), (), "Bearer ", 200, 401, 403),
    ((), (RULES,), None, 200, 200, 401),
    ((), (RULES,), f"Bearer {OTHER}", 200, 200, 401),
    ((), (RULES,), f"Bearer {RULES}", 200, 200, 200),
    ((ASKS,), (RULES,), None, 200, 401, 401),
    ((ASKS,), (RULES,), f"Bearer {OTHER}", 200, 401, 401),
    ((ASKS,), (RULES,), f"Bearer {ASKS}", 200, 200, 403),
    ((ASKS,), (RULES,), f"Bearer {RULES}", 200, 200, 200),
    ((ASKS, OTHER), (RULES,), f"Bearer {OTHER}", 200, 200, 403),
]


@pytest.mark.parametrize("asks, rules, sent, opened, asking, administration", MATRIX)
def test_the_matrix_of_tokens(asks, rules, sent, opened, asking, administration):
    access = Access.of(asks, rules)
    assert {status(access, path, sent) for path in OPEN} == {opened}
    assert {status(access, path, sent) for path in ASKING} == {asking}
    assert {status(access, path, sent) for path in ADMINISTRATION} == {administration}


@pytest.mark.parametrize(
    "host, expected",
    [
        ("localhost", 200),
        ("LOCALHOST:8000", 200),
        ("127.0.0.1:8000", 200),
        ("127.8.0.1", 200),
        ("[::1]:8000", 200),
        ("evil.example:8000", 421),
        ("localhost.evil.example", 421),
        ("127.0.0.1.evil.example", 421),
    ],
)
def test_without_a_token_only_names_of_this_machine_are_answered(host, expected):
    assert status(Access(), "/predict", host=host) == expected
    assert status(Access(loopback=False), "/predict", host=host) == 200
    assert status(Access.of([ASKS]), "/predict", f"Bearer {ASKS}", host=host) == 200


@pytest.mark.parametrize("token", ["short", "with a blank in between", "ünicode" * 4, "line\nbreak" * 4])
def test_a_token_that_can_be_guessed_or_sent_wrongly_is_refused_at_the_start(token):
    with pytest.raises(OptionError, match="A token has 16 letters or more"):
        Access.of([token])


def test_a_server_asks_for_the_token_and_tells_nobody(late_bundle, rows):
    with running({"late": late_bundle}, access=Access.of([ASKS], [RULES])) as served:
        bearer = {"authorization": f"Bearer {ASKS}"}
        refused = served.predict(rows[0])
        assert (refused.status, refused.headers["www-authenticate"]) == (401, "Bearer")
        assert served.post("/predict", {"rows": rows[:1]}, bearer).status == 200
        assert served.get("/health/ready").status == 200
        assert served.get("/admin/models", bearer).status == 403
        assert served.get("/admin/models", {"authorization": f"Bearer {RULES}"}).status == 200
        said = str(served.log) + served.get("/metrics", bearer).body.decode()
        assert ASKS not in said
        assert RULES not in said
