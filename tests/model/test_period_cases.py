"""The model's periods: by hand, and as tests/data/periods.json has them, which the C unit test reads
(tests/unit/views/test_period.c). `python3 tests/model/test_period_cases.py` writes that file anew."""

import datetime
import json
import pathlib

import pytest

import model

CASES = pathlib.Path(__file__).resolve().parents[1] / "data" / "periods.json"
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
EDGES = [  # year ends with week 1, 52 and 53; leap days; months; the epoch; the first and last years of the calendar
    *((year, 12, day) for year in (1970, 2015, 2020, 2024, 2025, 2026, 2027, 2032) for day in (27, 28, 29, 30, 31)),
    *((year, 1, day) for year in (1970, 2016, 2021, 2026, 2027, 2028, 2033) for day in (1, 2, 3, 4, 5)),
    *((year, 2, 28) for year in (1900, 2000, 2024, 2026, 2028, 2100)),
    *((year, 3, 1) for year in (1900, 2000, 2024, 2026, 2028, 2100)),
    (1, 1, 1), (1969, 12, 31), (9994, 1, 1), (2026, 11, 29), (2026, 4, 30), (2026, 5, 1),
]  # fmt: skip


def case(time_ms):
    event = model.Event("s:1", model.PURCHASE, "lamp", "c", time_ms)
    title = (EPOCH + datetime.timedelta(milliseconds=time_ms)).isoformat()
    return {"title": title, "time": time_ms, "periods": model.periods(event)}


def cases():
    """The first and the last millisecond of each day."""
    for date in EDGES:
        start = round((datetime.datetime(*date, tzinfo=datetime.timezone.utc) - EPOCH) / datetime.timedelta(milliseconds=1))
        yield case(start)
        yield case(start + model.DAY_MS - 1)


def test_the_case_file_is_the_models():
    assert json.loads(CASES.read_text()) == json.loads(json.dumps(list(cases())))


@pytest.mark.parametrize(
    "date, expected",
    [
        ((2026, 11, 29), ("2026-11-29T00", "2026-11-29", "2026-W48", "2026-11")),
        ((2021, 1, 3), ("2021-01-03T00", "2021-01-03", "2020-W53", "2021-01")),
        ((2024, 12, 30), ("2024-12-30T00", "2024-12-30", "2025-W01", "2024-12")),
    ],
)
def test_periods_are_named_as_iso_8601_does(date, expected):
    time_ms = round((datetime.datetime(*date, tzinfo=datetime.timezone.utc) - EPOCH).total_seconds() * 1000)
    assert tuple(name for name, _ in case(time_ms)["periods"].values()) == expected


def test_a_periods_row_expires_so_long_after_its_end():
    time_ms = round((datetime.datetime(2024, 2, 29, 12, tzinfo=datetime.timezone.utc) - EPOCH).total_seconds() * 1000)
    expires = {kind: datetime.datetime.fromtimestamp(s, datetime.timezone.utc) for kind, (_, s) in case(time_ms)["periods"].items()}
    assert {kind: f"{time:%Y-%m-%d %H:%M}" for kind, time in expires.items()} == {
        "hour": "2024-03-07 13:00",  # 7 days
        "day": "2025-04-05 00:00",  # 400 days
        "week": "2025-04-28 00:00",  # 60 weeks after 2024-03-04
        "month": "2029-03-01 00:00",  # 60 months
    }


@pytest.mark.parametrize(
    "late_ms, counts",
    [(None, "happened"), (0, "happened"), (3_600_000, "happened"), (3_600_001, "arrived"), (-1, "arrived")],
)
def test_an_event_counts_when_it_happened_if_it_arrived_within_the_hour_after(late_ms, counts):
    arrived = None if late_ms is None else 10**12 + late_ms
    event = model.Event("s:1", model.PURCHASE, "lamp", "c", 10**12, arrived)
    assert model.period_time(event) == (10**12 if counts == "happened" else arrived)


if __name__ == "__main__":
    CASES.write_text("[\n" + ",\n".join(json.dumps(one) for one in cases()) + "\n]\n")
