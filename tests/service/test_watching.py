"""A look at what a service has answered: the same state and the same numbers in Python, on the command line, over HTTP and in the metrics."""

import json
import time
import urllib.error
import urllib.request

import numpy as np
import pyarrow as pa
import pytest

import fathom
from fathom.bundle.answers.reference import NAME, Reference
from fathom.data.files.writing import write
from fathom.errors import BundleError, OptionError, TableError
from fathom.service.contract import Answered
from fathom.service.records import truths
from fathom.service.records.recording import Recorder, Recording
from fathom.service.records.store import open_store
from fathom.service.shelf import places
from fathom.service.watch import alerting, showing
from fathom.service.watch.watching import look, reference_of
from tests.conftest import FLIGHTS
from tests.service.recorded import answered, serving


@pytest.fixture(scope="module")
def late(late_run):
    """The model, in place of the server of that name."""
    return fathom.load(late_run)


@pytest.fixture(scope="module")
def unseen():
    """800 flights that the model has not learned from, as they come over the year, and the same on hotter days."""
    every = fathom.read(FLIGHTS)
    taken = set(np.linspace(0, every.rows - 1, 1_500).astype(int).tolist())
    rest = np.array([row for row in range(every.rows) if row not in taken])
    rows = every.take(rest[np.sort(np.random.default_rng(0).choice(len(rest), 800, replace=False))])
    hot = [cell if cell in ("", None) else str(float(cell) + 20) for cell in rows.column("temperature_f").to_pylist()]
    return rows, rows.with_column("temperature_f", pa.array(hot))


@pytest.fixture
def store(tmp_path):
    return tmp_path / "requests.sqlite"


def record(store, model, rows, **choice):
    recorder = Recorder(store, Recording())
    for one in answered(model, rows, **choice):
        recorder.seen(one)
    assert recorder.flush()
    recorder.close()


def seen(store, model, **choice):
    opened = open_store(store)
    try:
        return look(opened, model, name="late", **choice)
    finally:
        opened.close()


def test_rows_like_those_of_training_are_steady_and_hot_days_are_not(store, late, unseen):
    record(store, late, unseen[0])
    calm = seen(store, late)
    assert (calm.state, calm.rows, calm.labelled) == ("steady", 800, 0)
    record(store, late, unseen[1], first=10_000)
    alarmed = seen(store, late, last=800)
    assert alarmed.state == "alarm"
    (alarm,) = (one for one in alarmed.alarms if one.about == "column")
    assert (alarm.column, alarm.question) == ("temperature_f", "values")
    assert alarm.low < alarm.effect < alarm.high and "temperature_f" in alarmed.headline
    assert seen(store, late, last=800, expected=["temperature_f"]).state != "alarm" or all(
        one.column != "temperature_f" for one in seen(store, late, last=800, expected=["temperature_f"]).alarms
    )


def test_numbers_and_classes_that_are_answered_together_are_watched_together(store, two_targets, flights):
    rows = flights.take(range(0, 1_500, 3))
    inputs = rows.select([name for name in rows.names if name not in ("temperature_f", "origin")])
    recorder = Recorder(store)
    recorder.seen(
        Answered("r", "both", reference_version(two_targets), inputs, two_targets.predict(inputs), time.time(), 0.1)
    )
    recorder.close()
    opened = open_store(store, write=True)
    told = {
        "request": ["r"] * rows.rows,
        "row": list(range(rows.rows)),
        "temperature_f": rows.column("temperature_f"),
        "origin": rows.column("origin"),
    }
    matched, missed = truths.learn(opened, two_targets, fathom.read(told))
    found = look(opened, two_targets)
    opened.close()
    assert missed == 0 and matched > 990 and found.labelled == 500
    asked = {(one.column, one.about, one.question) for one in found.drifts}
    assert {
        ("temperature_f", "answer", "values"),
        ("origin", "answer", "words"),
        ("temperature_f", "answer", "unlike"),
    } <= asked
    assert {
        ("temperature_f", "truth", "loss"),
        ("temperature_f", "truth", "held"),
        ("origin", "truth", "loss"),
    } <= asked
    error = found.scores["temperature_f"]["mae"]
    assert error["low"] < error["value"] < error["high"] and "judged" in error
    assert found.state in ("steady", "alarm")  # these are rows that it has learned from


def test_what_the_shadow_and_other_versions_answered_is_not_looked_at(store, late, unseen):
    record(store, late, unseen[0].take(range(100)))
    record(store, late, unseen[1].take(range(100)), first=10_000, shadow=True)
    found = seen(store, late)
    assert found.rows == 100 and not found.notes
    record(store, late, unseen[0].take(range(60)), shadow=True)
    assert "100.0 % of 60 rows the same 'late'" in seen(store, late).notes[0]


def test_a_few_rows_are_too_few(store, late, unseen):
    record(store, late, unseen[1].take(range(40)))
    found = seen(store, late)
    assert found.state == "too few rows" and not found.alarms


def test_truths_bring_scores_and_a_model_that_has_become_wrong_is_found(store, late, unseen):
    record(store, late, unseen[0])
    told = unseen[0].column("late").to_pylist()
    flipped = [{"yes": "no", "no": "yes"}[cell] for cell in told]
    opened = open_store(store, write=True)
    table = {"request": [f"r{i // 10 * 10}" for i in range(800)], "row": [i % 10 for i in range(800)]}
    assert truths.learn(opened, late, fathom.read({**table, "late": told})) == (800, 0)
    right = look(opened, late)
    assert right.state == "steady" and right.labelled == 800
    score = right.scores["late"]["log_loss"]
    assert score["low"] < score["judged"] < score["high"]
    assert right.scores["late"]["coverage"]["value"] > 0.8
    truths.learn(opened, late, fathom.read({**table, "late": flipped}))
    wrong = look(opened, late)
    opened.close()
    assert {"loss", "held", "words"} <= {one.question for one in wrong.alarms if one.about == "truth"}


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"request": ["r0"], "price": [1.0]}, "none of the targets"),
        ({"request": ["r0"], "row": ["first"], "late": ["yes"]}, "number of the row"),
        ({"request": ["r0"], "late": ["perhaps"]}, "no yes_no"),
        ({"request": ["r0"], "row": [-1], "late": ["yes"]}, "number of the row"),
    ],
)
def test_truths_that_fit_nothing_are_refused_with_a_lesson(store, late, table, words):
    opened = open_store(store, write=True)
    with pytest.raises(TableError, match=words):
        truths.learn(opened, late, fathom.read(table))
    opened.close()


def test_a_look_never_raises_but_says_that_it_is_broken(store, late, unseen):
    recorder = Recorder(store)
    for one in answered(late, unseen[0].take(range(100))):
        recorder.seen(one)
    recorder.seen(
        Answered(
            "x",
            "late",
            reference_version(late),
            fathom.read({"temperature_f": [[1, 2]]}),
            one.answers.take([0]),
            0.0,
            0.0,
        )
    )
    recorder.flush()
    recorder.close()
    found = seen(store, late)
    assert found.state in ("alarm", "steady", "broken")  # whatever it makes of a list in a column of numbers
    opened = open_store(store, write=True)
    with opened.connection.whole():
        opened.connection.change("UPDATE requests SET answer = 'no JSON'")
    found = look(opened, late)
    opened.close()
    assert found.state == "broken" and "cannot be read" in found.headline


def reference_version(model):
    from fathom.bundle.manifest import version

    return version(model.files)


def test_a_bundle_without_a_reference_is_watched_for_what_can_be_known(store, late, unseen):
    record(store, late, unseen[0])
    bare = fathom.Model.of({name: content for name, content in late.files.items() if name != NAME})
    found = seen(store, bare)
    assert not found.drifts and "no reference" in found.notes[0]
    assert found.state != "steady" and "Not measured" in found.headline


@pytest.mark.parametrize(
    "content",
    [
        b"{}",
        b"[]",
        b'{"format": 2}',
        b'{"format": 1, "columns": {"x": {"values": {"kind": "ordered", "rows": 1, "edges": [2, 1], "below": [0, 1], "at": [0, 1]}}}, "answers": {}, "usual": {}}',
    ],
)
def test_a_reference_that_is_none_is_refused(content):
    with pytest.raises(BundleError):
        Reference.from_bytes(content)


def test_a_reference_is_of_fixed_size_and_the_same_each_time(late):
    reference = reference_of(late)
    assert reference.to_bytes() == late.files[NAME] == Reference.from_bytes(late.files[NAME]).to_bytes()
    assert len(late.files[NAME]) < 6_000 * (len(late.columns) + 2)


def test_the_command_says_what_python_says_and_ends_with_one_on_an_alarm(tmp_path, late, late_run, unseen, command):
    run = tmp_path / "late"
    (run / "bundle").mkdir(parents=True)
    for name, content in late.files.items():
        (run / "bundle" / name).write_bytes(content)
    missing = command("watch", run)
    assert missing.code == 2 and "no store" in missing.err
    record(run / "requests.sqlite", late, unseen[0])
    calm = command("watch", run, "--json", "-")
    assert calm.code == 0 and json.loads(calm.out)["state"] == "steady"
    record(run / "requests.sqlite", late, unseen[1], first=10_000)
    told = unseen[1].column("late")
    write(
        fathom.read(
            {
                "request": [f"r{10_000 + i // 10 * 10}" for i in range(800)],
                "row": [i % 10 for i in range(800)],
                "late": told,
            }
        ),
        "truth.csv",
    )
    outcome = command(
        "watch",
        run / "requests.sqlite",
        "--last",
        800,
        "--truth",
        "truth.csv",
        "--json",
        "look.json",
        "--html",
        "look.html",
        "--webhook",
        "alert.json",
        "--metrics",
        "look.prom",
    )
    assert outcome.code == 1 and "800 truths were matched" in outcome.out
    looked = json.loads((tmp_path / "look.json").read_text())
    same = seen(run / "requests.sqlite", late, last=800)
    assert [one["effect"] for one in looked["drifts"]] == [one.as_json()["effect"] for one in same.drifts]
    alert = json.loads((tmp_path / "alert.json").read_text())
    assert alert["text"].endswith(alert["text"].splitlines()[-1]) and alert["look"]["headline"] in alert["text"]
    assert 'fathom_watch_state{model="late"' in (tmp_path / "look.prom").read_text()
    assert "temperature_f" in (tmp_path / "look.html").read_text()
    assert "temperature_f" in outcome.out and "log loss" in outcome.out
    whole = command("watch", run, "--truth", FLIGHTS, "--expect", "temperature_f")
    assert "on 10,000 rows" in " ".join(whole.out.split())
    typo = command("watch", run, "--expect", "temprature_f")
    assert typo.code == 2 and "Did you mean 'temperature_f'?" in typo.err


def test_moments_and_places_that_are_none_are_refused(tmp_path):
    with pytest.raises(OptionError, match="24h"):
        alerting.moment("yesterday")
    with pytest.raises(OptionError, match="no shelf, no run and no bundle"):
        places.place_of(tmp_path)


def test_a_page_of_a_look_cannot_be_broken_out_of(late):
    from fathom.service.watch.watching import Look

    hostile = '</script><script>alert(1)</script>{data}"'
    page = showing.page_of(Look(hostile, "v", 0.0, "steady", hostile, notes=(hostile,)))
    assert "<script>alert" not in page and page.count("</script>") == 2
    assert 'model="\\"\\n"' in alerting.metrics_text([Look('"\n', "v", 0.0, "steady", "")])


def test_truths_arrive_over_http_and_the_page_shows_what_the_command_says(tmp_path, late, late_run, unseen):
    def asked(address, body=None, kind="application/json"):
        content = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(address, content, {"content-type": kind})
        try:
            with urllib.request.urlopen(request, timeout=20) as reply:
                return reply.status, json.load(reply)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    numbers = [column.name for column in late.columns if column.modality == "number"]
    rows = [
        {
            name: None if cell == "" else float(cell) if name in numbers else cell
            for name, cell in row.items()
            if name != "late"
        }
        for row in unseen[0].take(range(120)).to_pylist()
    ]
    with serving({"late": late_run}, Recording(store=str(tmp_path / "requests.sqlite"))) as (address, _host):
        request = asked(f"{address}/predict/late", {"rows": rows})[1]["request"]
        truth = {
            "truths": [{"request": request, "row": i, "truth": {"late": "no"}} for i in range(100)]
            + [{"request": "who", "truth": {"late": "no"}}]
        }
        assert asked(f"{address}/feedback", truth) == (200, {"model": "late", "matched": 100, "unmatched": 1})
        for wrong in (
            {},
            {"truths": []},
            {"request": request},
            {"request": request, "truth": {}},
            {"request": request, "truth": {"late": [1]}},
            {"request": 7, "truth": {"late": "no"}},
            {"request": request, "truth": {"price": 1}},
            {"request": request, "row": -1, "truth": {"late": "no"}},
            {"request": request, "row": 2**31, "truth": {"late": "no"}},
            {"request": request, "row": 1e30, "truth": {"late": "no"}},
            [],
            5,
        ):
            assert asked(f"{address}/feedback", wrong)[0] == 422, wrong
        status, refused = asked(f"{address}/feedback", b"request,row,late\na,18446744073709551616,no\n", "text/csv")
        assert status == 422 and "from 0 to 2,147,483,647" in refused["error"]  # no database holds such a number
        status, found = asked(f"{address}/watch/late")
        assert status == 200 and (found["rows"], found["labelled"]) == (120, 100)
        assert (found["recorded"], found["unnoted"]) == (120, 0)
        same = seen(tmp_path / "requests.sqlite", late).as_json()
        assert [one["effect"] for one in found["drifts"]] == [one["effect"] for one in same["drifts"]]
        with urllib.request.urlopen(f"{address}/metrics", timeout=20) as reply:
            text = reply.read().decode()
        for one in (drift for drift in found["drifts"] if drift["question"] == "values"):
            line = next(
                line
                for line in text.splitlines()
                if line.startswith("fathom_drift_effect")
                and f'column="{one["column"]}"' in line
                and 'question="values"' in line
            )
            assert float(line.rsplit(" ", 1)[1]) == one["effect"]
        assert asked(f"{address}/watch/nobody")[0] == 404
    with serving({"late": late_run}) as (address, _host):
        assert asked(f"{address}/watch/late")[0] == 404 and asked(f"{address}/feedback", truth)[0] == 404
