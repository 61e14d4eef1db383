"""A function in a process of its own: what it tells, what it gives, and every way in which it can end."""

import os
import signal
import sys
import threading
import time

import pytest

from foundation import errors
from foundation.child import Child
from foundation.errors import ChildError


def child(name, /, *, memory_bytes=None, nice=0, **arguments):
    return Child(f"jobs_in_child:{name}", arguments, memory_bytes=memory_bytes, nice=nice)


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def waiting(check, seconds=20):
    end = time.monotonic() + seconds
    while not check() and time.monotonic() < end:
        time.sleep(0.02)
    assert check()


def test_what_is_told_and_the_result():
    with child("add", first=2, second=0.5) as adding:
        assert list(adding.messages()) == [{"phase": "adding", "share": n / 3} for n in range(3)]
        assert adding.result() == {"sum": 2.5}
        assert adding.result() == {"sum": 2.5}
    with child("add", first="a", second="ß") as adding:
        assert adding.result() == {"sum": "aß"}  # without looking at what is told


def test_messages_of_several_threads_come_whole():
    with child("tell_from_threads", count=4) as telling:
        assert list(telling.messages()) == ["x" * 5000] * 80


def test_what_libraries_print_is_no_message_and_fills_no_pipe():
    with child("print_much") as printing:
        assert printing.result(timeout_s=60) == "quiet"


@pytest.mark.parametrize(
    ("kind", "error", "text"),
    [
        ("later", errors.EngineError, "the GPU\nis gone"),
        ("usage", errors.UsageError, "asked wrongly"),
        ("memory", MemoryError, ""),
        ("value", ChildError, "ValueError: no number"),
    ],
)
def test_what_it_raises_is_raised_here(kind, error, text):
    with child("fail", kind=kind) as failing, pytest.raises(error) as caught:
        failing.result()
    assert type(caught.value) is error
    assert str(caught.value) == text
    if error is ChildError:
        assert caught.value.exception == "ValueError"


def test_what_is_not_there_is_told():
    with Child("jobs_in_child:nothing", {}) as missing, pytest.raises(ChildError, match=r"AttributeError: .*nothing"):
        missing.result()
    with Child("no_such_module:f", {}) as missing, pytest.raises(ChildError) as caught:
        missing.result()
    assert caught.value.exception == "ModuleNotFoundError"
    with child("add", third=1) as wrong, pytest.raises(ChildError, match=r"TypeError: .*third"):
        wrong.result()


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("segfault", "its process was ended by SIGSEGV: last words"),
        ("kill", "its process was ended by SIGKILL: last words"),
        ("exit", "last words"),
    ],
)
def test_a_process_that_ends_leaves_its_last_words(how, words):
    with child("end", how=how) as ending:
        for _ in range(2):  # who asks again is told the same
            with pytest.raises(ChildError) as caught:
                ending.result(timeout_s=60)
            assert (str(caught.value), caught.value.exception) == (words, "")


def test_a_process_that_says_nothing_is_told_with_its_code():
    with Child("os:_exit", {}) as ending, pytest.raises(ChildError, match="TypeError"):
        ending.result()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "executable", "/bin/false")
        with child("add") as ending, pytest.raises(ChildError, match=r"^its process ended with code 1$"):
            ending.result()
        patch.setattr(sys, "executable", "/no/such/python")
        with pytest.raises(ChildError, match="its process cannot be started: No such file or directory"):
            child("add")


def test_silence_ends_it():
    with child("hang") as hanging:
        messages = hanging.messages(timeout_s=0.5)
        pid = next(messages)
        with pytest.raises(ChildError, match=r"^it gave no answer within 0\.5 seconds$"):
            next(messages)
        assert not alive(pid)


def test_cancelling_ends_it():
    cancel = threading.Event()
    with child("hang") as hanging:
        messages = hanging.messages(cancel=cancel)
        pid = next(messages)
        threading.Timer(0.2, cancel.set).start()
        with pytest.raises(ChildError, match="it was cancelled"):
            next(messages)
        assert not alive(pid)


def test_a_cancelled_one_tells_nothing_more():
    cancel = threading.Event()
    with child("add", first=1, second=2) as adding:
        messages = adding.messages(cancel=cancel)
        assert next(messages)["share"] == 0
        cancel.set()
        with pytest.raises(ChildError, match="it was cancelled"):
            next(messages)


def test_stopping_ends_it_whatever_it_does():
    with child("hang") as hanging:
        pid = next(hanging.messages())
        assert hanging.pid == pid
    assert not alive(pid)
    hanging.stop()  # again
    with pytest.raises(ChildError, match="SIGKILL"):
        hanging.result()


def test_it_ends_with_its_parent():
    with child("start_another") as outer:
        inner = next(outer.messages(timeout_s=60))
        assert alive(inner)
    waiting(lambda: not alive(inner))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no address space limit")
def test_its_memory_is_limited():
    with child("eat", megabytes=64, memory_bytes=1 << 30) as eating:
        assert eating.result() == 64 << 20
    with child("eat", megabytes=4096, memory_bytes=1 << 30) as eating, pytest.raises(MemoryError):
        eating.result()


def test_its_priority_is_low_and_ctrl_c_is_not_its_business():
    with child("look", nice=3) as looking:
        found = looking.result()
    assert found["nice"] == os.nice(0) + 3
    assert found["interrupt"]
    assert found["first_out_of_memory"] == "1000"
    assert found["command"] == "jobs_in_child:look"  # arguments are nobody's business: they may hold paths


def test_ctrl_c_ends_the_wait_and_the_process():
    with child("hang") as hanging:
        messages = hanging.messages()
        pid = next(messages)
        threading.Timer(0.2, signal.pthread_kill, (threading.main_thread().ident, signal.SIGINT)).start()
        with pytest.raises(KeyboardInterrupt):
            next(messages)
    assert not alive(pid)
