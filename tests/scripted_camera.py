"""Cameras that are not here: folders as Linux shows them, and a capture that plays what the test has written."""

import logging
import threading
from contextlib import contextmanager

import cv2
import numpy as np
import pytest

from streamtoon.devices import cameras
from streamtoon.sources import LiveOptions, webcam

STEP = 1 / 30


def picture(index, size=(64, 48)):
    return np.random.default_rng(index).integers(0, 256, (size[1], size[0], 3), np.uint8)


class World:
    """Which camera is plugged in where, what each read gives, and the time."""

    def __init__(self, root):
        self.root = root
        self.now = 100.0
        self.plan = []
        self.asked, self.opened, self.said, self.waits = [], [], Lines(), []
        self.open_now = 0
        self.real = (64, 48, 30.0)
        self.stop = Stop(self)

    def plug(self, number, name, index="0", *, loopback=False):
        folder = self.root / cameras.SYSFS_FOLDER / f"video{number}"
        folder.mkdir(parents=True)
        (folder / "name").write_text(name + "\n")
        (folder / "index").write_text(index + "\n")
        if loopback:
            (folder / "max_openers").write_text("10\n")

    def unplug(self, number):
        for file in (self.root / cameras.SYSFS_FOLDER / f"video{number}").iterdir():
            file.unlink()
        (self.root / cameras.SYSFS_FOLDER / f"video{number}").rmdir()

    def open(self, target="webcam:", **options):
        asked = LiveOptions(stop=self.stop, clock=lambda: self.now, **options)
        return webcam.open_live(target, asked, opener=lambda *at: Scripted(self, *at), system=self.root)

    def play(self, plan, **options):
        """The frames a plan gives; it ends the camera. A plan holds pictures, None, errors and things to do."""
        self.plan = list(plan)
        return list(self.open(**options).frames())


class Lines(list):
    """What the source logs, but for the line that says what was opened."""

    def handle(self, record):
        if not record.msg.startswith("%s: %dx%d"):
            self.append(record.getMessage())


class Scripted:
    """Stands for cv2.VideoCapture."""

    def __init__(self, world, index, backend):
        self.world = world
        world.opened.append((index, backend))
        self.good = (world.root / cameras.SYSFS_FOLDER / f"video{index}").exists()
        world.open_now += self.good

    def isOpened(self):  # noqa: N802 - OpenCV's name
        return self.good

    def set(self, prop, value):
        self.world.asked.append((prop, value))
        return True

    def get(self, prop):
        names = (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT, cv2.CAP_PROP_FPS)
        return self.world.real[names.index(prop)]

    def read(self):
        assert self.good, "read after release"
        self.world.now += STEP
        while self.world.plan:
            step = self.world.plan.pop(0)
            if callable(step):
                step()
                continue
            if isinstance(step, Exception):
                raise step
            return step is not None, step
        self.world.stop.set()
        return False, None

    def release(self):
        self.world.open_now -= self.good
        self.good = False


class Stop(threading.Event):
    """Waiting moves the world's time on."""

    def __init__(self, world):
        super().__init__()
        self.world = world

    def wait(self, timeout=None):
        self.world.waits.append(timeout)
        self.world.now += timeout
        if len(self.world.waits) > 20:  # nothing the test has planned comes back
            self.set()
        return self.is_set()


@contextmanager
def linux_world(root):
    """A World on Linux that hears what the source logs."""
    made = World(root)
    level = webcam.log.level
    webcam.log.setLevel(logging.INFO)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cameras.sys, "platform", "linux")
        patch.setattr(webcam.log, "handle", made.said.handle)
        yield made
    webcam.log.setLevel(level)
