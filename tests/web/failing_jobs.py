"""Jobs for test_web_worker.py, called in a child process."""

import os
import signal
import time

from streamtoon.errors import SourceError


def limits(_tell):
    import resource

    return {"memory": resource.getrlimit(resource.RLIMIT_AS)[0], "nice": os.nice(0)}


trial_drawing = limits


def refuse(_tell):
    raise SourceError("cannot read a.mp4: it is none")


def fail(_tell):
    raise ZeroDivisionError("/srv/secret")


def eat(_tell):
    bytearray(1 << 40)


def die(_tell):
    os.kill(os.getpid(), signal.SIGKILL)


def hang(_tell):
    time.sleep(600)
