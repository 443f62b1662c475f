"""Labels: each on the disk before the next row is shown, taken back, resumed, joined, and ready for an update; the page by keyboard."""

import http.client
import json
import threading
from contextlib import contextmanager

import numpy as np
import pyarrow as pa
import pytest

import fathom
from fathom.data.files.writing import write
from fathom.data.table import Table
from fathom.errors import OptionError, OutputError, TableError
from fathom.service.label.agreeing import agreement, agreement_of, correlation
from fathom.service.label.choosing import informative_order, margins, random_order
from fathom.service.label.label_page import server_of
from fathom.service.label.labelling import open_session
from fathom.service.label.labels import LabelBook

HOSTILE = "<img src=x onerror=alert(1)>\u202egnp.exe"


@pytest.fixture
def rows():
    return Table.of({"text": [f"row {n}" for n in range(12)], "size": [float(n) for n in range(12)]})


@pytest.fixture
def session(rows, tmp_path):
    return open_session(rows, tmp_path / "labels.csv", target="topic", classes=("a", "b"), labeller="ada")


def label_all(session, say):
    """Label every row that the session asks for, by its number."""
    while (row := session.state()["row"]) is not None:
        session.label(row["key"], say(row["number"]))


def test_every_row_is_asked_for_once_and_each_label_is_on_the_disk_at_once(session, rows, tmp_path):
    seen = []
    while (row := session.state()["row"]) is not None:
        seen.append(row["number"])
        session.label(row["key"], "a")
        assert len((tmp_path / "labels.csv.journal").read_text().splitlines()) == len(seen)
        assert fathom.read(tmp_path / "labels.csv").rows == len(seen)
    assert sorted(seen) == list(range(1, 13)) and seen != sorted(seen)
    found = fathom.read(tmp_path / "labels.csv")
    assert found.names == ("text", "size", "topic") and set(found.column("topic").to_pylist()) == {"a"}


def test_labelling_goes_on_where_it_was_left_even_after_a_line_that_was_cut_off(session, rows, tmp_path):
    for _ in range(5):
        session.label(session.state()["row"]["key"], "b")
    journal = tmp_path / "labels.csv.journal"
    journal.write_bytes(journal.read_bytes() + b'{"what": "lab')
    shuffled = rows.take(np.arange(11, -1, -1))  # a row is known by what it holds, not by its place
    again = open_session(shuffled, tmp_path / "labels.csv", target="topic", classes=("a", "b"), labeller="ada")
    assert again.state()["done"] == 5
    again.label(again.state()["row"]["key"], "a")
    assert again.state()["done"] == 6
    again.undo()
    again.undo()  # also what was given before
    assert again.state()["done"] == 4 and fathom.read(tmp_path / "labels.csv").rows == 4


def test_undo_asks_for_the_row_again_and_skip_puts_it_off(session):
    first = session.state()["row"]["key"]
    session.label(first, "a")
    assert session.state()["row"]["key"] != first
    session.undo()
    assert session.state()["row"]["key"] == first and session.state()["done"] == 0
    session.skip(first)
    assert session.state()["row"]["key"] != first
    asked = []
    while (row := session.state()["row"]) is not None:
        asked.append(row["key"])
        session.label(row["key"], "b")
    assert asked[-1] == first
    session.undo()
    session.undo()
    session.undo()
    assert session.state()["done"] == 9


def test_two_people_label_common_rows_and_their_agreement_is_measured(session, rows, tmp_path):
    label_all(session, lambda number: "ab"[number % 2])
    other = open_session(rows, tmp_path / "labels.csv", target="topic", classes=("a", "b"), labeller="bob")
    label_all(other, lambda number: "a" if number == 1 else "ab"[number % 2])
    (found,) = other.state()["agreement"]
    assert found["other"] == "ada" and found["rows"] == 12 and found["differing"] == 1
    assert found["differ"] == [{"number": 1, "mine": "a", "theirs": "b"}]
    assert found["measure"] == "Cohen's kappa" and found["apart"] is None
    assert found["value"]["value"] == pytest.approx(10 / 12)  # (11/12 - 1/2) / (1 - 1/2)
    assert found["value"]["low"] < found["value"]["value"] <= found["value"]["high"]
    assert fathom.read(tmp_path / "labels.csv").rows == 11  # the row on which they differ is nobody's
    third = open_session(rows, tmp_path / "labels.csv", target="topic", classes=("a", "b"), labeller="cy")
    third.label(third.keys[0], "b")
    assert fathom.read(tmp_path / "labels.csv").rows == 12


def test_kappa_is_that_of_the_textbook_and_says_when_it_is_not_defined():
    # Cohen 1960: agreement 0.7 where chance gives 0.5
    one = {str(n): "a" if n < 25 else "b" for n in range(50)}
    other = {str(n): "a" if n < 20 or n >= 40 else "b" for n in range(50)}
    kappa, rows = agreement(one, other)
    observed, chance = 35 / 50, 0.5 * 0.6 + 0.5 * 0.4
    assert rows == 50 and kappa.value == pytest.approx((observed - chance) / (1 - chance))
    assert np.isnan(agreement({"1": "a"}, {"1": "a"})[0].value) and agreement({}, one)[1] == 0


def test_numbers_are_labelled_with_their_mean_and_agreement_is_an_intraclass_correlation(rows, tmp_path):
    out = tmp_path / "labels.csv"
    ada = open_session(rows, out, target="price", numbers=True, labeller="ada")
    with pytest.raises(OptionError, match=r"'about 3' is no number\. Write digits"):
        ada.label(ada.state()["row"]["key"], "about 3")
    assert ada.state()["classes"] == [] and ada.state()["usual"] is None and not out.exists()
    label_all(ada, lambda number: f"{number}.50")
    bob = open_session(rows, out, target="price", numbers=True, labeller="bob")
    label_all(bob, lambda number: str(number + (0.5 if number < 12 else 2.5)))
    (found,) = bob.state()["agreement"]
    assert found["measure"] == "intraclass correlation" and found["apart"] == pytest.approx(2 / 12)
    assert 0.9 < found["value"]["value"] < 1 and found["differ"] == [{"number": 12, "mine": "14.5", "theirs": "12.5"}]
    told = fathom.read(out).column("price").to_pylist()
    assert sorted(map(float, told)) == [*(number + 0.5 for number in range(1, 12)), 13.5]
    bob.undo()
    assert len(bob.book.of("bob")) == 11 and fathom.read(out).rows == 12


def test_an_intraclass_correlation_is_that_of_the_analysis_of_variance():
    generator = np.random.default_rng(0)
    one = generator.normal(50, 10, 40)
    other = one + generator.normal(3, 4, 40)
    both = np.stack([one, other], 1)
    rows, people = both.mean(1), both.mean(0)
    between = 2 * ((rows - both.mean()) ** 2).sum() / 39
    raters = 40 * ((people - both.mean()) ** 2).sum()
    left = ((both - rows[:, None] - people + both.mean()) ** 2).sum() / 39
    expected = (between - left) / (between + left + 2 * (raters - left) / 40)  # Shrout and Fleiss, ICC(2, 1)
    found = correlation(one + 1e6, other + 1e6)
    assert found.value == pytest.approx(expected, abs=1e-6) and found.low < found.value < found.high
    assert np.isnan(correlation(np.ones(5), np.ones(5)).value) and np.isnan(correlation(one[:1], one[:1]).value)
    assert "Fewer than two" in agreement_of({"1": "2"}, {"1": "3"}, numbers=True).sentence()


def test_what_people_write_meanwhile_is_seen(session, rows, tmp_path):
    other = LabelBook(tmp_path / "labels.csv", "topic", ("a", "b"))
    key = session.keys[3]
    other.label(key, "b", "bob")
    assert session.state()["labelled"] == 1
    assert session.state()["row"]["key"] == key  # a row that bob has labelled comes first
    with pytest.raises(OutputError, match="holds labels of 'topic'"):
        LabelBook(tmp_path / "labels.csv", "else", ("a", "b"))


def test_the_least_sure_rows_come_first_and_are_unlike_each_other():
    chances = np.full((600, 2), [0.95, 0.05])
    chances[100:200] = [0.51, 0.49]
    places = np.zeros(600, np.int64)
    places[150:200] = np.arange(50)
    order = informative_order(margins(chances), lambda rows: np.eye(50)[places[rows]])
    assert sorted(order.tolist()) == list(range(600))
    assert set(order[:20].tolist()) <= set(range(100, 200))
    assert (
        len(set(places[order[:20]].tolist())) >= 15
    )  # half of the hundred are alike, and a random draw holds ten of them
    assert sorted(random_order(300).tolist()) == list(range(300))


def test_with_a_bundle_the_rows_that_it_is_least_sure_of_come_first(late_network, flights, tmp_path):
    bundle = late_network.save(tmp_path / "bundle")
    some = flights.take(np.arange(200))
    bare = some.select([name for name in some.names if name != "late"])
    session = open_session(bare, tmp_path / "labels.csv", bundle=bundle, labeller="ada")
    assert session.book.target == "late" and session.book.classes == ("no", "yes")
    sure = np.abs(late_network.predict(bare).column("late=yes").to_numpy() - 0.5)
    first = [session.row_of[key] for key in session.order[:20]]
    assert set(first) <= set(np.argsort(sure)[:40].tolist())


def test_with_a_bundle_that_predicts_a_number_its_range_is_known_and_rows_differ(two_targets, flights, tmp_path):
    bundle = two_targets.save(tmp_path / "bundle")
    bare = flights.take(np.arange(100)).select(
        [name for name in flights.names if name not in ("temperature_f", "origin")]
    )
    session = open_session(bare, tmp_path / "labels.csv", bundle=bundle, target="temperature_f", labeller="ada")
    lowest, highest = session.state()["usual"]
    assert -30 < lowest < highest < 130 and sorted(session.order) == sorted(session.keys)
    with pytest.raises(OptionError, match="predicts classes of 'origin'"):
        open_session(bare, tmp_path / "x.csv", bundle=bundle, target="origin", numbers=True, labeller="ada")


def test_files_bytes_and_lists_come_back_as_they_were(tmp_path):
    table = Table.of({"sound": [b"\x00\x01", b"\x02"], "course": [[1.0, 2.0], [3.0]]})
    session = open_session(table, tmp_path / "labels.csv", target="t", classes=("a", "b"), labeller="ada")
    label_all(session, lambda number: "a")
    found = fathom.read(tmp_path / "labels.csv")
    assert found.column("sound").to_pylist() == ["data:;base64,AAE=", "data:;base64,Ag=="]
    assert [json.loads(cell) for cell in found.column("course").to_pylist()] == [[1.0, 2.0], [3.0]]


def test_wrong_use_is_a_lesson(rows, late_network, two_targets, tmp_path):
    out = tmp_path / "labels.csv"
    with pytest.raises(OptionError, match="--target NAME"):
        open_session(rows, out, labeller="ada")
    with pytest.raises(OptionError, match="at least two"):
        open_session(rows, out, target="t", classes=("a",), labeller="ada")
    with pytest.raises(OptionError, match="--labeller"):
        open_session(rows, out, target="t", classes=("a", "b"), labeller=" ")
    with pytest.raises(TableError, match="nothing to do"):
        open_session(Table.of({"x": ["1"], "t": ["a"]}), out, target="t", classes=("a", "b"), labeller="ada")
    bundle = two_targets.save(tmp_path / "bundle")
    with pytest.raises(OptionError, match="classes or numbers, not both"):
        open_session(rows, out, target="t", classes=("a", "b"), numbers=True, labeller="ada")
    partly = Table.of({"x": ["1", "2"], "t": ["about 3", None]})
    with pytest.raises(TableError, match="labels in 't' that are no numbers: 'about 3' is no number"):
        open_session(partly, out, target="t", numbers=True, labeller="ada")
    with pytest.raises(OptionError, match="does not predict 'colour'"):
        open_session(rows, out, bundle=bundle, target="colour", labeller="ada")
    assert not out.exists()


@contextmanager
def served(session):
    server = server_of(session)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def ask(server, method, path, body=None, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", server.server_address[1], timeout=10)
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def test_nothing_but_the_page_itself_can_read_or_send(session):
    with served(session) as server:
        key, json_kind = session.state()["row"]["key"], {"Content-Type": "application/json"}
        good = json.dumps({"key": key, "label": "a"})
        place = f"/{server.secret}/"
        for path, body, headers, status in (
            ("/label", good, json_kind, 404),  # without the word
            ("/wrong/label", good, json_kind, 404),
            (f"{place}label", good, {"Content-Type": "text/plain"}, 404),  # what a form of another page may send
            (f"{place}label", good, {**json_kind, "Host": "evil.example"}, 404),  # a name that resolves to this machine
            (f"{place}label", good, {**json_kind, "Sec-Fetch-Site": "cross-site"}, 404),
            (f"{place}label", "[" * 4_000, json_kind, 400),
            (f"{place}label", "{}", json_kind, 400),
            (f"{place}label", json.dumps({"key": key, "label": "c"}), json_kind, 409),
            (f"{place}label", json.dumps({"key": "0", "label": "a"}), json_kind, 409),
            (f"{place}label", "x" * 5_000, json_kind, 413),
            (f"{place}else", "{}", json_kind, 404),
        ):
            assert ask(server, "POST", path, body, **headers)[0] == status, (path, headers)
        assert session.state()["done"] == 0
        for path in ("/", "/state", "/wrong/state", f"{place}../labels.csv", f"{place}journal.py"):
            assert ask(server, "GET", path)[0] == 404
        assert ask(server, "POST", f"{place}label", good, **json_kind)[0] == 200
        assert session.state()["done"] == 1 and b"<h1>" in ask(server, "GET", place)[1]


def settled(page, done):
    """Wait until so many rows are labelled and the next is shown."""
    page.locator("#count", has_text=f"{done} of").wait_for()
    page.wait_for_selector("body[aria-busy='false']")


def test_the_page_by_keyboard(visit, tmp_path):
    rows = Table.of({"text": [HOSTILE + str(n) for n in range(6)], "long": ["word " * 60] * 6})
    session = open_session(rows, tmp_path / "labels.csv", target="topic", classes=("yes", HOSTILE), labeller="ada")
    with served(session) as server:
        page = visit(server.address)

        def press(key, done):
            page.keyboard.press(key)
            settled(page, done)

        page.wait_for_selector("#classes button")
        assert page.inner_text("#help").startswith("1–2 label")
        press("1", 1)
        press("2", 2)
        press("u", 1)
        shown = session.state()["row"]["cells"][0]["value"]
        page.keyboard.press(" ")
        page.get_by_text(shown, exact=True).wait_for(state="detached")
        settled(page, 1)
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowRight")
        press("Enter", 2)
        page.keyboard.press("9")  # there is no such class
        page.click("#classes button:first-child")
        settled(page, 3)
        assert page.inner_text("#target") == "topic" and HOSTILE[:20] in page.inner_text("#classes")
        assert page.locator("#row img").count() == 0  # a cell is text, not markup
    labels = session.book.of("ada")
    assert len(labels) == 3 and list(labels.values()).count(HOSTILE) == 1


def test_a_second_labeller_by_keyboard_and_how_far_they_agree(visit, tmp_path):
    """Bob, who is not told what Ada said, says otherwise of his last row; he sees it, takes it back, and the file has what both say."""
    rows, out = Table.of({"text": [f"row {n}" for n in range(4)]}), tmp_path / "labels.csv"
    classes = ("sport", "tech")

    def place(number):
        return number % 2

    def labelled(labeller, says):
        """Label every row by keyboard; returns the page, and the number of the last row."""
        page = visit(server.address)
        page.wait_for_selector("#classes button")
        assert "ada" not in page.inner_text("#row")
        for done in range(4):
            number = labeller.state()["row"]["number"]
            page.keyboard.press(str(1 + says(number, done)))
            settled(page, done + 1)
        assert "Every row has a label" in page.inner_text("#row")
        assert page.locator("#classes button:enabled").count() == 0
        return page, number

    ada = open_session(rows, out, target="topic", classes=classes, labeller="ada")
    with served(ada) as server:
        labelled(ada, lambda number, done: place(number))
    bob = open_session(rows, out, target="topic", classes=classes, labeller="bob")
    with served(bob) as server:
        page, last = labelled(bob, lambda number, done: place(number) ^ (done == 3))
        told = page.inner_text("#agreement")
        assert "You and ada" in told and "Cohen's kappa 0.50" in told
        assert "on 4 rows that both labelled; they differ on 1." in told
        said = [classes[1 - place(last)], classes[place(last)]]
        assert page.locator("#agreement td").all_inner_texts() == [str(last), *said]
        assert fathom.read(out).rows == 3  # what they differ on is left out until more say the same
        page.keyboard.press("u")
        settled(page, 3)
        page.keyboard.press(str(1 + place(last)))
        settled(page, 4)
        assert "Cohen's kappa 1.00" in page.inner_text("#agreement")
    assert fathom.read(out).column("topic").to_pylist() == [classes[place(number)] for number in range(1, 5)]


def test_numbers_by_keyboard(visit, tmp_path):
    rows = Table.of({"text": [f"house {n}" for n in range(5)], "price": [100.0, 250.5, None, None, None]})
    session = open_session(rows, tmp_path / "labels.csv", target="price", numbers=True, labeller="ada")
    other = LabelBook(tmp_path / "labels.csv", "price")
    for place in (2, 3, 4):
        other.label(session.keys[place], "200", "bob")
    with served(session) as server:
        page = visit(server.address)
        page.wait_for_selector("#number:not([hidden])")
        assert page.inner_text("#usual") == "usually 100 to 250.5" and page.locator("#classes button").count() == 0

        def enter(text, done):
            page.keyboard.type(text)
            page.keyboard.press("Enter")
            settled(page, done)

        enter("123.5", 1)
        page.keyboard.press("u")
        settled(page, 0)
        shown = session.state()["row"]["cells"][0]["value"]
        page.keyboard.press(" ")
        page.get_by_text(shown, exact=True).wait_for(state="detached")
        settled(page, 0)
        enter("200", 1)
        page.keyboard.press("Enter")  # nothing was written
        assert "no number" in page.inner_text("#usual")
        enter("-7e3", 1)  # far beyond: asked about once
        assert "Beyond 100 to 250.5" in page.inner_text("#usual")
        page.keyboard.press("Enter")
        settled(page, 2)
        assert "Intraclass correlation" in page.inner_text("#agreement")
    assert sorted(session.book.of("ada").values()) == ["-7000", "200"]


def test_labels_feed_an_update(late_run, flights, tmp_path, command):
    bare = flights.take(np.arange(60))
    write(bare.select([name for name in bare.names if name != "late"]), tmp_path / "bare.csv")
    session = open_session(fathom.read(tmp_path / "bare.csv"), tmp_path / "labels.csv", bundle=late_run, labeller="ada")
    truth = dict(zip(session.keys, bare.column("late").to_pylist(), strict=True))
    while (row := session.state()["row"]) is not None:
        session.label(row["key"], truth[row["key"]])
    found = fathom.read(tmp_path / "labels.csv")
    assert found.select(bare.names).arrow.equals(bare.arrow.cast(found.select(bare.names).arrow.schema))
    outcome = command(
        "label", tmp_path / "bare.csv", "--bundle", late_run, "-o", tmp_path / "labels.csv", "--agreement"
    )
    assert outcome.code == 0 and "Agreement needs two" in outcome.out
    assert pa.types.is_string(found.column("late").type) or pa.types.is_large_string(found.column("late").type)
