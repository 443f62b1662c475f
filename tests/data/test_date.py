"""Dates are read as people write them, and become a trend and cycles."""

import datetime
import json
from dataclasses import asdict

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fathom.data.cells import calendars
from fathom.data.cells.calendars import CLOCK, FORMATS, ISO, find_formats, parse
from fathom.data.modalities import date
from fathom.errors import OptionError, TableError

MOMENT = datetime.datetime(2024, 3, 5, 17, 6, 7)
EPOCH = datetime.datetime(1970, 1, 1)
PYTHON = {
    ISO: ("%Y-%m-%d", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S.%f", "%Y/%m/%d %I:%M:%S %p", "%Y-%m-%d %H:%M:%S+00:00"),
    "day.month.year": ("%d.%m.%Y", "%d.%m.%Y %H:%M:%S"),
    "month/day/year": ("%m/%d/%Y", "%m/%d/%Y %I:%M %p"),
    "day/month/year": ("%d/%m/%Y", "%d/%m/%Y, %H:%M"),
    "day-month-year": ("%d-%m-%Y",),
    "month-day-year": ("%m-%d-%Y",),
    "day month-name year": ("%d %b %Y", "%d-%b-%Y", "%d. %B %Y", "%a, %d %b %Y %H:%M:%S GMT"),
    "month-name day year": ("%b %d, %Y", "%B %d %Y", "%B %d, %Y %H:%M"),
    "year month-name": ("%Y %b", "%Y-%B"),
    "year-month": ("%Y-%m",),
    "yearmonthday": ("%Y%m%d",),
    CLOCK: ("%H:%M", "%H:%M:%S", "%I:%M:%S %p"),
}


def test_every_format_is_tried_here() -> None:
    assert set(PYTHON) == set(FORMATS)


@settings(deadline=None, max_examples=40)
@given(moment=st.datetimes(datetime.datetime(1500, 1, 1), datetime.datetime(2199, 12, 31)))
def test_a_date_written_by_python_is_read_to_the_microsecond(moment: datetime.datetime) -> None:
    for name, patterns in PYTHON.items():
        for pattern in patterns:
            text = moment.strftime(pattern)
            known = datetime.datetime.strptime(text, pattern).replace(tzinfo=None)
            if name == CLOCK:
                known = known.replace(year=1970, month=1, day=1)
            expected = ((known - EPOCH) // datetime.timedelta(microseconds=1)) / 86_400e6
            assert parse(pa.array([text]), (name,))[0] == expected, (name, text)


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        ("5.3.24", "day.month.year", datetime.datetime(2024, 3, 5)),
        ("5.3.69", "day.month.year", datetime.datetime(1969, 3, 5)),
        ("2024-3-5 7:05", ISO, datetime.datetime(2024, 3, 5, 7, 5)),
        ("2024-03-05T10:00:00+05:30", ISO, datetime.datetime(2024, 3, 5, 4, 30)),
        ("2024-03-05 10:00-08", ISO, datetime.datetime(2024, 3, 5, 18)),
        ("12:30 am", CLOCK, datetime.datetime(1970, 1, 1, 0, 30)),
        ("12:30 p.m.", CLOCK, datetime.datetime(1970, 1, 1, 12, 30)),
        ("March 5th, 2024", "month-name day year", datetime.datetime(2024, 3, 5)),
        ("29.02.2024", "day.month.year", datetime.datetime(2024, 2, 29)),
    ],
)
def test_a_date_is_read(text: str, name: str, expected: datetime.datetime) -> None:
    assert parse(pa.array([text]), (name,))[0] == (expected - EPOCH) / datetime.timedelta(days=1)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("31.02.2020", "day.month.year"),
        ("29.02.1900", "day.month.year"),
        ("00.01.2020", "day.month.year"),
        ("13/13/2020", "month/day/year"),
        ("24:00", CLOCK),
        ("12:60", CLOCK),
        ("13:00 pm", CLOCK),
        ("7", CLOCK),
        ("2020-01-01x", ISO),
        ("1.2.3", "day.month.year"),
        ("20201301", "yearmonthday"),
        ("", ISO),
    ],
)
def test_what_no_calendar_has_is_no_date(text: str, name: str) -> None:
    assert np.isnan(parse(pa.array([text]), (name,)))[0]


@settings(deadline=None)
@given(moments=st.lists(st.datetimes(datetime.datetime(1, 1, 1)), min_size=1, max_size=9))
def test_the_fast_way_and_the_careful_way_agree_to_the_last_bit(moments: list[datetime.datetime]) -> None:
    text = pa.array([moment.isoformat(" ").rjust(19, "0") for moment in moments])
    fast, careful = parse(text, (ISO,)), parse(pa.concat_arrays([text, pa.array(["soon"])]), (ISO,))
    assert fast.tobytes() == careful[:-1].tobytes() and np.isnan(careful[-1])


@pytest.mark.parametrize(
    ("cells", "formats", "doubt"),
    [
        (["13/04/2024", "01/02/2020"], ("day/month/year",), ""),
        (["04/13/2024", "01/02/2020"], ("month/day/year",), ""),
        (
            ["03/04/2024"],
            ("month/day/year",),
            "no number above 12 says which is the day, so '03/04/2024' is read as month/day/year",
        ),
        (
            ["03-04-2024"],
            ("day-month-year",),
            "no number above 12 says which is the day, so '03-04-2024' is read as day-month-year",
        ),
        (["1.2.2020", "2.2.2020", "2020-01-01"], ("day.month.year", ISO), ""),
        (["13/04/2024", "14/04/2024", "04/15/2024"], ("day/month/year",), ""),
        (["12:30"], (CLOCK,), ""),
        (["nurse", "cook"], (), ""),
    ],
)
def test_the_formats_of_a_column_are_found(cells: list[str], formats: tuple[str, ...], doubt: str) -> None:
    assert find_formats(pa.array(cells)) == calendars.Found(formats, doubt)


def days(count: int, step_hours: float = 24.0) -> pa.Array:
    return pa.array([EPOCH + datetime.timedelta(days=19_000, hours=step_hours * index) for index in range(count)])


def names(values: pa.Array) -> list[str]:
    return [part.name for part in date.parts(date.learn(values), "day")]


def test_only_cycles_that_the_training_rows_go_round_are_written() -> None:
    year, week, clock = ["year_sin", "year_cos"], ["weekday_sin", "weekday_cos"], ["hour_sin", "hour_cos"]
    assert names(days(100)) == ["trend", *year, *week]
    assert names(days(20)) == ["trend", *week]
    assert names(days(2_000, 1.0)) == ["trend", *year, *week, *clock]
    assert names(pa.array(["12:30", "13:30"])) == ["trend", *clock]
    assert names(pa.array([datetime.time(3), datetime.time(5)])) == ["trend", *clock]
    assert names(pa.array([f"2024-{month:02}" for month in range(1, 13)])) == ["trend", *year]
    assert names(pa.array(["2024-01-01", "2024-01-01"])) == ["trend"]
    assert names(pa.array(["2024-01-01", "", "2024-01-01"])) == ["trend", "missing"]


def test_cycles_close() -> None:
    state = date.learn(days(800))
    codes = date.encode(state, pa.array(["2023-12-31", "2024-01-01", "2023-07-01", "2024-01-08"]))
    at = {part.name: place for place, part in enumerate(date.parts(state, "day"))}
    season = codes[:, [at["year_sin"], at["year_cos"]]]
    assert np.linalg.norm(season[0] - season[1]) < 0.03 < 1.9 < np.linalg.norm(season[0] - season[2])
    weekday = codes[:, [at["weekday_sin"], at["weekday_cos"]]]
    assert weekday[1].tolist() == weekday[3].tolist() == [0.0, 1.0]  # Mondays


def test_the_trend_goes_on_beyond_the_training_rows_but_not_for_ever() -> None:
    state = date.learn(days(1_000))
    trend = date.encode(
        state,
        pa.array([state.first, state.last, state.last + 100, 2e6]).cast(pa.int64()).cast(pa.int32()).cast(pa.date32()),
    )[:, 0]
    assert -1.8 < trend[0] < -1.3 and 1.3 < trend[1] < 1.8
    assert trend[1] < trend[2] < trend[3] == 4.0


def test_one_wrong_century_moves_no_other_code_much() -> None:
    clean = date.learn(days(500))
    dirty = date.learn(pa.concat_arrays([days(500), pa.array([datetime.datetime(1, 1, 1)])]))
    assert np.abs(date.encode(clean, days(500))[:, 0] - date.encode(dirty, days(500))[:, 0]).max() < 0.02


def test_the_same_moment_has_the_same_code_in_every_type() -> None:
    typed = days(100)
    state = date.learn(typed)
    codes = date.encode(state, typed).tobytes()
    for same in (
        typed.cast(pa.date32()),
        typed.cast(pa.date64()),
        typed.cast(pa.timestamp("s")),
        typed.cast(pa.timestamp("ns")),
        typed.cast(pa.string()),
        typed.cast(pa.date32()).cast(pa.string()),
        pa.array([moment.replace(tzinfo=datetime.UTC) for moment in typed.to_pylist()]),
        typed.dictionary_encode(),
    ):
        assert date.encode(state, same).tobytes() == codes, same.type


def test_iso_dates_are_read_in_a_column_of_any_format() -> None:
    state = date.learn(pa.array(["13/04/2024", "14/04/2024"]))
    codes = date.encode(state, pa.array(["13/04/2024", "2024-04-13"]))
    assert codes[0].tolist() == codes[1].tolist()
    assert date.unreadable(state, pa.array(["04/14/2024", "soon", "", "2024-04-13"])).tolist() == [
        True,
        True,
        False,
        False,
    ]


def test_missing_dates_are_zero_and_flagged() -> None:
    state = date.learn(pa.array(["2024-01-01", "", "2024-06-01", "2024-12-01"]))
    codes = date.encode(state, pa.array(["", "soon", "2024-06-01"]))
    assert codes[0].tolist() == codes[1].tolist() == [0.0] * (codes.shape[1] - 1) + [1.0]
    assert codes[2, -1] == 0.0


def test_features_are_the_fields_that_vary() -> None:
    state = date.learn(pa.array(["2023-12-30", "2024-03-05 12:00"]))
    made = date.features(state, pa.array(["2024-03-05 18:00", None]))
    assert made.names == ("days", "year", "month", "day", "weekday", "hour")
    assert made.matrix[0].tolist() == [66.75, 2024, 3, 5, 1, 18.0]
    assert np.isnan(made.matrix[1]).all() and made.sizes == (0,) * 6
    assert date.features(date.learn(pa.array(["12:00", "13:30"])), pa.array(["13:30"])).names == ("days", "hour")


@pytest.mark.parametrize(
    ("values", "confidence", "reason"),
    [
        (pa.array(["2024-01-01"] * 3), 0.97, "all 3 cells with a value are dates (year-month-day)"),
        (
            pa.array(["03/04/2024"] * 2),
            0.97,
            "all 2 cells with a value are dates (month/day/year); no number above 12 says which is the day, "
            "so '03/04/2024' is read as month/day/year",
        ),
        (pa.array(["7:30", ""]), 0.97, "all 1 cells with a value are times of the day (hour:minute)"),
        (pa.array(["2024-01-01"] * 9 + ["soon"]), 0.6, "90.0 % of the cells are dates, first other cell: 'soon'"),
        (pa.array(["1999", "2000"]), 0.0, "few cells are dates"),
        (pa.array(["20240101"]), 0.5, "all 1 cells with a value are dates (yearmonthday)"),
        (pa.array([datetime.date(2024, 1, 1)]), 0.99, "values of type date32[day]"),
        (pa.array([1.5]), 0.0, "no cell is a date"),
    ],
)
def test_a_claim_says_how_dates_are_written(values: pa.Array, confidence: float, reason: str) -> None:
    claim = date.claim(values)
    assert (claim.confidence, claim.reason) == (confidence, reason)


def test_a_column_without_dates_cannot_be_learned_and_none_be_predicted() -> None:
    with pytest.raises(TableError) as caught:
        date.learn(pa.array(["soon", "later"]))
    assert str(caught.value) == (
        "None of the 2 training cells is a date: the first is 'soon'. "
        "Read the column as words with --columns NAME=category, or leave it out with --columns NAME=skip."
    )
    message = "A date column cannot be predicted yet. Choose another target, or make it a number first, such as the days until the date."
    for call in (lambda: date.learn(days(2), "target"), lambda: date.decode(date.learn(days(2)), np.zeros(2))):
        with pytest.raises(OptionError) as refused:
            call()
        assert str(refused.value) == message


def test_a_state_survives_json() -> None:
    state = date.learn(days(300))
    assert date.State(**json.loads(json.dumps(asdict(state)))) == state


@pytest.mark.parametrize(
    "values",
    [days(200), days(200).cast(pa.date32()), days(200).cast(pa.date64()), days(200).cast(pa.timestamp("ns", "UTC"))],
    ids=lambda values: str(values.type),
)
def test_corrupt_dates_stay_dates_of_their_type(values: pa.Array) -> None:
    worse = date.corrupt(values, 5, 0)
    assert worse.type == values.type
    moved = date.features(date.learn(values), worse).matrix[:, 0] - np.arange(200)
    assert 3 < np.nanstd(moved) < 120 and 10 < np.isnan(moved).sum() < 60


def test_corrupt_text_dates_and_times_can_be_read() -> None:
    for values in (
        pc.strftime(days(200), "%d.%m.%Y"),
        pc.strftime(days(200, 0.1), "%H:%M"),
        pa.array([20240101 + day for day in range(28)]),
    ):
        state = date.learn(values)
        worse = date.corrupt(values, 4, 0)
        assert not date.unreadable(state, worse).any()


def test_a_date_is_shown_in_iso_form() -> None:
    state = date.learn(days(3))
    shown = [date.show(state, value) for value in (datetime.date(2024, 3, 5), MOMENT, "5.3.2024", None)]
    assert shown == ["2024-03-05", "2024-03-05 17:06:07", "5.3.2024", "missing"]
