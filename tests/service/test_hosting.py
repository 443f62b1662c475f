"""Which version answers: shelves that are followed, a share for one on trial, another in the shadow, and bad bundles that are refused."""

import shutil
import time

import pytest

from fathom.errors import OptionError
from fathom.service.host.sources import named
from fathom.service.shelf.versions import make_shelf
from fathom.service.web.access import Access
from tests.service.running import running


def until(condition, seconds=15):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    assert condition()


def test_a_shelf_is_followed_and_each_answer_says_its_version(two_bundles, tmp_path):
    one, two = two_bundles
    shelf = make_shelf(tmp_path / "shelf", one, who="test")
    first = shelf.state().live
    second = shelf.add(two, who="test")
    with running({"says": shelf.path}) as served:
        answer = served.predict({"x": 4}).json()
        assert (answer["version"], answer["answers"][0]["says"]) == (first, "A")
        shelf.promote(second, who="test")
        until(lambda: served.predict({"x": 4}).json()["version"] == second)
        assert served.predict({"x": 4}).json()["answers"][0]["says"] == "B"
        shelf.undo(who="test")
        until(lambda: served.predict({"x": 4}).json()["version"] == first)


def test_a_damaged_version_is_refused_and_the_one_before_goes_on(two_bundles, tmp_path):
    one, two = two_bundles
    shelf = make_shelf(tmp_path / "shelf", one, who="test")
    first, second = shelf.state().live, shelf.add(two, who="test")
    with running({"says": shelf.path}) as served:
        shelf.promote(second, who="test")
        weights = shelf.folder(second) / "baseline.onnx"
        good = weights.read_bytes()
        weights.write_bytes(good[:-1] + b"x")
        until(lambda: served.host.models["says"].refused or served.host.models["says"].live.version == second)
        if served.host.models["says"].refused:  # else it was opened before it was damaged
            assert served.predict({"x": 4}).json()["version"] == first
            said = [line for line in served.log if line.get("event") == "refused"]
            assert str(tmp_path) not in str(said)
        shutil.rmtree(shelf.path)
        time.sleep(1.2)
        assert served.predict({"x": 4}).status == 200


class Notes:
    """An observer that remembers."""

    def __init__(self):
        self.notes = []

    def seen(self, answered):
        self.notes.append(answered)


class Broken:
    """An observer that raises."""

    def seen(self, answered):
        raise OSError("the disk is full")


def test_a_shadow_answers_too_and_is_not_heard(two_bundles, tmp_path):
    one, two = two_bundles
    shelf = make_shelf(tmp_path / "shelf", one, who="test")
    first, second = shelf.state().live, shelf.add(two, who="test")
    shelf.shadow(second, who="test")
    notes = Notes()
    with running({"says": shelf.path}, observers=(Broken(), notes)) as served:
        answers = [served.predict({"x": place}, {"x": 1}).json() for place in range(5)]
        assert {answer["version"] for answer in answers} == {first}
        until(lambda: len(notes.notes) == 10)
    told = {(note.version, note.shadow, note.answers.column("says")[0].as_py()) for note in notes.notes}
    assert told == {(first, False, "A"), (second, True, "B")}
    assert {note.request for note in notes.notes} == {answer["request"] for answer in answers}
    assert [note.rows.rows for note in notes.notes] == [2] * 10


def test_an_observer_that_fails_is_counted_and_no_client_hears_of_it(two_bundles):
    with running({"says": two_bundles[0]}, observers=(Broken(),)) as served:
        assert served.predict({"x": 4}).status == 200
        until(lambda: served.host.metrics.told("unnoted") == 1)


def test_a_canary_answers_its_share_and_the_same_id_always_hears_the_same(two_bundles, tmp_path):
    one, two = two_bundles
    shelf = make_shelf(tmp_path / "shelf", one, who="test")
    second = shelf.add(two, who="test")
    shelf.canary(second, 0.3, who="test")
    with running({"says": shelf.path}) as served:
        heard = {
            place: served.post("/predict", {"rows": [{"x": 1}]}, {"x-request-id": f"id-{place}"}).json()["version"]
            for place in range(200)
        }
        again = {
            place: served.post("/predict", {"rows": [{"x": 1}]}, {"x-request-id": f"id-{place}"}).json()["version"]
            for place in range(20)
        }
    assert 0.15 < sum(version == second for version in heard.values()) / 200 < 0.45
    assert all(heard[place] == version for place, version in again.items())


def test_the_administrator_promotes_and_undoes_over_http(two_bundles, tmp_path):
    one, two = two_bundles
    shelf = make_shelf(tmp_path / "shelf", one, who="test")
    first, second = shelf.state().live, shelf.add(two, who="test")
    token = {"authorization": "Bearer " + "r" * 32}
    with running({"says": shelf.path, "fixed": one}, access=Access.of((), ["r" * 32])) as served:
        address = "/admin/models/says"
        done = served.post(address, {"step": "promote", "version": second, "who": "Ada", "why": "better"}, token)
        assert done.json()["version"] == second
        assert shelf.log()[-1]["who"] == "Ada"
        assert served.post("/predict/says", {"rows": [{"x": 4}]}).json()["version"] == second
        assert served.post(address, {"step": "undo", "who": "Ada"}, token).json()["version"] == first
        for body, status in (
            ({"step": "promote", "version": "../..", "who": "Ada"}, 409),
            ({"step": "promote", "version": second}, 422),
            ({"step": "explode", "who": "Ada"}, 422),
            ({"step": "undo", "who": "Ada", "path": "/etc"}, 422),
        ):
            assert served.post(address, body, token).status == status
        assert served.post("/admin/models/fixed", {"step": "undo", "who": "Ada"}, token).status == 409
        assert served.post("/admin/models/none", {"step": "undo", "who": "Ada"}, token).status == 404
        assert served.post(address, {"step": "undo", "who": "Ada"}).status == 401


def test_names_come_from_the_path_or_are_given():
    assert list(named(["runs/late-1", "runs/homes-2/bundle", "x=shelf"])) == ["late-1", "homes-2", "x"]
    with pytest.raises(OptionError, match="Two models are named 'late'"):
        named(["a/late", "b/late"])
    with pytest.raises(OptionError, match="cannot be the name of a model"):
        named(["a b=late"])
