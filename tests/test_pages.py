"""What README and the pages of docs/ tell people to type is what there is."""

import re
import shlex
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def commands():
    """Every line of the pages' shell blocks that calls streamtoon."""
    for page in PAGES:
        for block in blocks(page, "sh"):
            for line in re.split(r"\n| && ", block.replace("\\\n", " ")):
                if line.startswith("streamtoon "):
                    words = shlex.split(line.partition(" > ")[0], comments=True)[1:]
                    yield pytest.param(words, id=f"{page.name}: {line[:60]}")


@pytest.mark.parametrize("words", list(commands()))
def test_a_command_of_the_pages_is_understood(words, capsys):
    from streamtoon.cli.main import main

    assert main([*words, "--dump-config"]) == 0, capsys.readouterr().err


def test_commands_are_found():
    assert len(list(commands())) > 20


def test_readmes_program_draws(tmp_path, monkeypatch, portrait):
    (program,) = blocks(ROOT / "README.md", "python")
    Image.fromarray(portrait).save(tmp_path / "photo.jpg")
    monkeypatch.chdir(tmp_path)
    exec(program, {})  # noqa: S102 - as somebody would type it
    with Image.open("photo.jpg") as photo, Image.open("drawn.png") as drawn:
        assert drawn.size == photo.size
        assert drawn.tobytes() != photo.tobytes()
