"""No command asks another host for anything, or leaves a file in its user's home: what it was told to fetch aside."""

import json
import os
import re
import sys
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from recorder import STRACE, end, record

from foundation.cores import available_cores
from streamtoon.pipeline import face_models
from streamtoon.sources import portrait

REQUIRED = os.environ.get("REQUIRE_RECORDER") == "1"
# a list of this machine's: torchmetrics and Gradio load matplotlib where it happens to be installed
FONTS = re.compile(r"\.cache/matplotlib/fontlist-")

# looked up by C code in a grandchild, and a datagram to a host: what no Python hook sees
CONTROL = """
import socket, subprocess, sys
code = "from ctypes import *; CDLL(None).getaddrinfo(b'streamtoon.invalid', b'443', None, byref(c_void_p()))"
subprocess.run([sys.executable, "-c", code], check=True)
socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect(("192.0.2.1", 9))
"""
DRAW = """
import streamtoon
from streamtoon.sources import portrait
streamtoon.draw(portrait.picture()[:256, 96:352], style="engraving")
"""
TRAIN = """
import sys
from pathlib import Path
from PIL import Image
from streamtoon.sources import portrait
from train.__main__ import main
Path("photos").mkdir()
for name in ("0.png", "1.png", "7.png"):
    Image.fromarray(portrait.picture()[40:136, 86:230]).save(f"photos/{name}")
pairs = ["picture-pairs", "--photos", "photos", "--out", "pairs", "--scales", "64", "72", "--workers", "1"]
learn = ["picture", "--pairs", "pairs", "--out", "run", "--net", "picture16", "--steps", "2", "--batch", "1",
         "--crop", "64", "--every", "2", "--warmup", "1", "--threads", "1"]
sys.exit(main(pairs) or main(learn))
"""


def draw_in_browser(process):
    """Fetch the page and have a photo drawn, as a browser does."""
    line = next(line for line in process.stdout if "streamtoon is at " in line)
    address = line.split("streamtoon is at ")[1].split()[0]

    def ask(path, body=None, kind="application/json"):
        request = urllib.request.Request(address + path, body, {"Content-Type": kind})  # noqa: S310 - our own server
        with urllib.request.urlopen(request, timeout=120) as answer:  # noqa: S310
            return answer.read()

    ask("/")
    head = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.webp"\r\n\r\n'
    photo = (Path(portrait.__file__).parents[1] / "assets" / "portrait.webp").read_bytes()
    (path,) = json.loads(ask("/gradio_api/upload", head + photo + b"\r\n--x--\r\n", "multipart/form-data; boundary=x"))
    data = [{"path": path, "meta": {"_type": "gradio.FileData"}}, "engraving", "head", "paper"]
    event = json.loads(ask("/gradio_api/call/photo", json.dumps({"data": data}).encode()))["event_id"]
    drawn = ask(f"/gradio_api/call/photo/{event}")
    end(process)
    assert b"event: complete" in drawn


PROGRAM = (sys.executable, "-m", "streamtoon")
COMMANDS = {  # those that take longest first
    "train": (sys.executable, "-c", TRAIN),
    "web": (*PROGRAM, "web", "--port", "0"),
    "doctor": (*PROGRAM, "doctor"),
    "live": (*PROGRAM, "live", "--source", "portrait:90@320x180", "--no-preview", "--sink", "drawn.mp4"),
    "bench": (*PROGRAM, "bench", "--style", "engraving", "-i"),
    "convert": (*PROGRAM, "convert", "--style", "engraving", "-o", "drawn.mp4", "-i"),
    "import": (sys.executable, "-c", DRAW),
}
USES = {"web": draw_in_browser}
WITH_FILM = ("bench", "convert")


@pytest.fixture(scope="module")
def recorder():
    if STRACE is None:
        (pytest.fail if REQUIRED else pytest.skip)("there is no strace here to record with: apt-get install strace")


@pytest.fixture(scope="module")
def records(recorder, tmp_path_factory, moved_film):
    """Each command's record as a future; they run side by side."""
    (models,) = {str(face_models.path(name).parent) for name in face_models.MODELS}
    folder = tmp_path_factory.mktemp("records")
    with ThreadPoolExecutor(available_cores()) as pool:
        yield {
            name: pool.submit(
                record, folder / name, *command, *[str(moved_film)] * (name in WITH_FILM),
                use=USES.get(name, lambda _: None), STREAMTOON_MODELS=models,
            )
            for name, command in COMMANDS.items()
        }  # fmt: skip


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_asks_this_machine_alone(records, name):
    told = records[name].result()
    assert told.code == (143 if name in USES else 0), told.said
    assert told.beyond == []


@pytest.mark.parametrize("name", COMMANDS)
def test_nothing_is_left_in_the_home_of_who_runs_it(records, name):
    files = [file for file in records[name].result().files if not FONTS.match(file)]
    assert files == []


@pytest.mark.usefixtures("recorder")
def test_the_recorder_sees_what_native_code_of_a_grandchild_asks(tmp_path):
    told = record(tmp_path, sys.executable, "-c", CONTROL)
    assert any("streamtoon" in line and "invalid" in line for line in told.beyond)
    assert any('"192.0.2.1"' in line for line in told.beyond)
