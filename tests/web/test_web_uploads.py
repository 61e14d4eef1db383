"""Nobody reads this machine's files: whatever takes a file takes uploads only, and says nothing of where it looked."""

import json
import os
import urllib.request
from pathlib import Path

import pytest
from PIL import Image

from streamtoon.sources import portrait

FILES = {"image", "video", "file"}
PLACES = {"an absolute path": os.path.abspath, "a relative path": os.path.relpath}


def ask(site, path, data=None, kind="application/json"):
    """The answer to a request, as text; a stream of events up to the one that ends it."""
    body = json.dumps(data).encode() if isinstance(data, dict) else data
    request = urllib.request.Request(site.address + path, body, {"Content-Type": kind})  # noqa: S310 - our own server
    text = ""
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
        for line in answer:
            text += line.decode()
            if "process_completed" in text or "close_stream" in text:
                break
    return text


def given(path):
    return {"path": str(path), "meta": {"_type": "gradio.FileData"}}


def events(site):
    """(number, name, data with None for files) of every event of the page that is given a file."""
    config = json.loads(ask(site, "/config"))
    parts = {part["id"]: part for part in config["components"]}
    for event in config["dependencies"]:
        kinds = [parts[i]["type"] for i in event["inputs"]]
        if FILES & set(kinds):
            values = [
                None if k in FILES else parts[i]["props"].get("value")
                for i, k in zip(event["inputs"], kinds, strict=True)
            ]
            yield event["id"], event["api_name"], values, [k in FILES for k in kinds]


def call(site, name, *data):
    event = json.loads(ask(site, f"/gradio_api/call/{name}", {"data": list(data)}))["event_id"]
    return ask(site, f"/gradio_api/call/{name}/{event}")


@pytest.fixture
def secret(tmp_path):
    file = tmp_path / "secret.png"
    Image.fromarray(portrait.picture()).save(file)
    return file


@pytest.mark.parametrize("place", PLACES)
def test_files_of_this_machine(bare, secret, place):
    path = PLACES[place](secret)
    asked = []
    for number, name, values, files in events(bare):
        data = [given(path) if is_file else value for value, is_file in zip(values, files, strict=True)]
        page = f"page{number}"
        ask(bare, "/gradio_api/queue/join", {"fn_index": number, "data": data, "session_hash": page})
        said = ask(bare, f"/gradio_api/queue/data?session_hash={page}")
        assert '"success":false' in said, (name, said)
        assert [p for p in (str(secret.parent), str(Path.cwd()), str(bare.root)) if p in said] == [], name
        asked.append(name)
    assert {"photo", "film", "one", "bring", "step"} <= set(asked)
    assert [file for file in bare.files() if file.name == secret.name] == []


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", ["photo", "film"])
def test_files_of_this_machine_by_the_api(bare, secret, place, name):
    more = [False] if name == "film" else []
    said = call(bare, name, given(PLACES[place](secret)), "engraving", "head", "keep", *more)
    assert "event: error" in said
    assert [p for p in (str(secret.parent), str(Path.cwd()), str(bare.root)) if p in said] == []
    assert [file for file in bare.files() if file.name == secret.name] == []


def test_what_was_uploaded(bare, secret):
    """It is drawn; what was made of it is no upload."""
    form = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n%b\r\n--x--\r\n'
    body = form % secret.read_bytes()
    (path,) = json.loads(ask(bare, "/gradio_api/upload", body, "multipart/form-data; boundary=x"))
    said = call(bare, "photo", given(path), "engraving", "head", "keep")
    assert "event: complete" in said
    (made,) = json.loads(said.split("data:")[1])
    assert Path(made["path"]).name == "a-engraving.png"
    assert [line for line in bare.said if "openvino" in line] == []  # the console says nothing of each drawing
    said = call(bare, "photo", given(made["path"]), "engraving", "head", "keep")
    assert "upload it again" in said  # our own words are still told
