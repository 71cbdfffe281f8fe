"""Reading ahead and writing behind change neither order nor errors, and hold little."""

from __future__ import annotations

import threading
import time

import pytest

from tengri.catalogue.overlap import ahead, behind, fed


def test_ahead_yields_the_same_in_order_from_another_thread():
    makers = []

    def numbers():
        for i in range(5):
            makers.append(threading.current_thread())
            yield i

    assert list(ahead(numbers())) == [0, 1, 2, 3, 4]
    assert threading.main_thread() not in makers
    assert list(ahead([])) == []


def test_no_more_than_one_is_made_ahead():
    made = []

    def numbers():
        for i in range(10):
            made.append(i)
            yield i

    for i in ahead(numbers()):
        time.sleep(0.005)
        assert len(made) <= i + 2


def test_an_error_while_reading_is_raised_where_its_rows_are_asked_for():
    def numbers():
        yield 1
        raise ValueError("row 7")

    source = ahead(numbers())
    assert next(source) == 1
    with pytest.raises(ValueError, match="row 7"):
        next(source)


def test_whoever_stops_early_leaves_no_thread():
    for i in ahead(range(100)):
        if i == 3:
            break
    names = [thread.name for thread in threading.enumerate()]
    assert not [name for name in names if name.startswith("tengri-ahead")]


def test_behind_acts_in_order_and_waits_at_the_end():
    seen = []
    with behind() as later:
        for i in range(5):
            later(lambda i=i: (time.sleep(0.002), seen.append(i)))
    assert seen == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("calls", [1, 2])
def test_an_error_while_writing_is_raised_at_the_next_call_or_the_end(calls):
    def fails():
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"), behind() as later:
        for _ in range(calls):
            later(fails)


def test_a_fed_call_gets_all_that_is_given_in_order():
    seen = []
    with fed(seen.extend) as give:
        for i in range(50):
            give(i)
    assert seen == list(range(50))


@pytest.mark.parametrize("given", [1, 20])
def test_the_error_of_a_fed_call_is_raised_and_nobody_waits_for_ever(given):
    def fails(items):
        next(items)
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"), fed(fails) as give:
        for i in range(given):
            give(i)


def test_a_fed_call_whose_feeder_fails_does_not_end_as_if_it_were_whole():
    ended = []

    def takes_all(items):
        for _ in items:
            pass
        ended.append(True)

    with pytest.raises(ValueError, match="row 7"), fed(takes_all) as give:
        give(1)
        raise ValueError("row 7")
    assert not ended
