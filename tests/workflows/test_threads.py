import threading
import time

import pytest

from streamtoon.workflows.threads import Latest, every


def test_order_is_kept_and_none_is_dropped():
    assert list(every(range(200), lambda x: x * 2, lambda x: x + 1)) == [2 * i + 1 for i in range(200)]


def test_stages_overlap():
    ahead = threading.Event()

    def first(x):
        if x == 1:
            ahead.set()
        return x

    def second(x):
        return x, ahead.wait(10)  # for item 0: only while the first stage is already at item 1

    assert list(every(range(3), first, second)) == [(0, True), (1, True), (2, True)]


def test_an_error_comes_after_what_came_before_it():
    def third(x):
        if x == 3:
            raise ValueError("three")
        return x

    seen = []
    with pytest.raises(ValueError, match="three"):  # noqa: PT012
        for item in every(range(10), third):
            seen.append(item)  # noqa: PERF402
    assert seen == [0, 1, 2]


def test_an_error_while_reading_comes_through():
    def read():
        yield 1
        raise OSError("unplugged")

    with pytest.raises(OSError, match="unplugged"):
        list(every(read(), lambda x: x))


def test_stopping_early_closes_the_source_and_ends_the_threads():
    closed = []

    def read():
        try:
            i = 0
            while True:
                yield (i := i + 1)
        finally:
            closed.append(True)

    before = threading.active_count()
    flow = every(read(), lambda x: x)
    assert next(flow) == 1
    flow.close()
    assert closed == [True]
    assert threading.active_count() == before


def test_reading_does_not_run_ahead():
    read = []

    def source():
        for i in range(100):
            read.append(i)
            yield i

    flow = every(source(), lambda x: x)
    next(flow)
    time.sleep(0.3)
    assert len(read) <= 8
    flow.close()


@pytest.mark.parametrize("flight", [1, 2])
def test_latest_serves_the_newest_and_lets_few_in(flight):
    inside, most, lock = set(), [], threading.Lock()

    def read():
        for i in range(60):
            time.sleep(0.002)
            yield i

    def first(item):
        with lock:
            inside.add(item)
            most.append(len(inside))
        time.sleep(0.01)
        return item

    def last(item):
        time.sleep(0.01)
        with lock:
            inside.remove(item)
        return item

    with Latest(read(), first, last, flight=flight) as flow:
        done = list(flow)
    assert max(most) == flight
    assert done == sorted(set(done))
    assert done[-1] == 59  # what is newest at the end is not lost
    assert len(done) + flow.dropped == 60
    assert flow.dropped > 0


def test_latest_ends_where_a_stage_hangs():
    stop, hang = threading.Event(), threading.Event()

    def read():
        while not stop.is_set():
            time.sleep(0.005)
            yield 0

    threading.Timer(0.2, stop.set).start()
    with Latest(read(), lambda _: hang.wait(20), lambda x: x, stop=stop) as flow:
        assert list(flow) == []
        hang.set()
