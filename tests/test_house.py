"""ARCHITECTURE.md's rooms and arrows and README's tree are the code's, and the house keeps its measures."""

import re

import house
import pytest

ROOT = house.ROOT
GRAPH = house.arrows()
FLOORS_OF_OLD = 12
LINES = 300
WRITTEN = [
    file
    for folder in (*house.PACKAGES, "tests", "docs", "examples")
    for kind in ("py", "js", "css", "html")
    for file in sorted((ROOT / folder).rglob(f"*.{kind}"))
]


def text(name):
    return (ROOT / name).read_text(encoding="utf-8")


def rows(page):
    """Each room in the page's table: its floor, and the rooms it may import."""
    found = {}
    for line in page.splitlines():
        if cells := re.fullmatch(r"\| (\d+) \| `([^`]+)` \| [^|]+ \| ([^|]*) \|", line):
            package = cells[2].partition("/")[0]
            beside = {name for name in GRAPH if name.startswith(f"{package}/")}
            there = {f"{package}/{name}" if f"{package}/{name}" in beside else name for name in cells[3].split()}
            found[cells[2]] = int(cells[1]), there
    return found


def row(room, floor, there):
    """A row as the page should have it; a room of the same package goes by its short name."""
    package = room.partition("/")[0]
    names = sorted(name.removeprefix(f"{package}/") for name in there)
    return f"| {floor} | `{room}` | ... | {' '.join(names)} |"


def test_architecture_has_the_rooms_and_arrows_of_the_code():
    floors = house.floors(GRAPH)
    code = {row(room, floors[room], there) for room, there in GRAPH.items()}
    page = {row(room, floor, there) for room, (floor, there) in rows(text("ARCHITECTURE.md")).items()}
    assert page - code == set(), "ARCHITECTURE.md has rows that are not the code's"
    assert code - page == set(), "ARCHITECTURE.md lacks rows"


def test_a_row_is_read():
    line = "| 3 | `streamtoon/film` | films, read | errors.py foundation types.py |"
    there = {"foundation", "streamtoon/errors.py", "streamtoon/types.py"}
    assert rows(f"before\n{line}\n") == {"streamtoon/film": (3, there)}
    assert row("streamtoon/film", 3, there) == line.replace("films, read", "...")


def test_there_are_fewer_floors():
    assert max(house.floors(GRAPH).values()) + 1 < FLOORS_OF_OLD


def test_a_room_an_arrow_and_a_circle_are_seen(tmp_path):
    for name, code in {
        "foundation/errors.py": "",
        "streamtoon/__init__.py": "def draw():\n    from streamtoon.film import reader",
        "streamtoon/__main__.py": "import streamtoon.cli.main",
        "streamtoon/cli/main.py": "from streamtoon import __version__",
        "streamtoon/film/reader.py": "from streamtoon.types import Frame\nfrom streamtoon import types, errors",
        "streamtoon/types.py": "",
        "streamtoon/errors.py": "import foundation.errors",
        "train/run.py": "Child('streamtoon.film.reader:read', {})",
    }.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(code, encoding="utf-8")
    graph = house.arrows(tmp_path)
    assert graph == {
        "foundation": set(),
        "streamtoon": {"streamtoon/film"},
        "streamtoon/cli": {"streamtoon"},
        "streamtoon/errors.py": {"foundation"},
        "streamtoon/film": {"streamtoon/types.py", "streamtoon/errors.py"},
        "streamtoon/types.py": set(),
        "train/run.py": {"streamtoon/film"},
    }
    assert house.floors(graph)["streamtoon/cli"] == 4
    graph["streamtoon/types.py"] = {"streamtoon/film"}
    with pytest.raises(ValueError, match=r"film -> streamtoon/types\.py -> streamtoon/film"):
        house.floors(graph)


def tree(page):
    """What a page's tree names: lines ``name  words``, indented below the folder they lie in."""
    found, way = [], []
    block = page.partition("## What is where\n\n```\n")[2].partition("```")[0]
    for line in block.splitlines():
        depth = (len(line) - len(line.lstrip())) // 2
        way[depth:] = [line.split()[0].rstrip("/")]
        found.append("/".join(way))
    return found


def test_readme_has_the_tree():
    named = tree(text("README.md"))
    assert len(named) == len(set(named))
    assert [name for name in named if not (ROOT / name).exists()] == []
    assert set(GRAPH) - set(named) == set(), "README's tree lacks rooms"


def test_the_site_has_a_reference_of_every_room():
    pages = "\n".join(page.read_text(encoding="utf-8") for page in (ROOT / "docs" / "reference").glob("*.md"))
    told = set(re.findall(r"^::: (\S+)", pages, re.MULTILINE))
    rooms = {room.removesuffix(".py").replace("/", ".") for room in GRAPH}
    whole = told - {"streamtoon"}  # with all that is in them
    assert {room for room in rooms - told if room.partition(".")[0] not in whole} == set()


def test_files_fit_a_few_screens():
    lines = {file.relative_to(ROOT).as_posix(): len(file.read_text(encoding="utf-8").splitlines()) for file in WRITTEN}
    assert {name: count for name, count in lines.items() if count > LINES} == {}


def test_a_function_that_is_long_says_why():
    excused = [line for file in WRITTEN for line in file.read_text(encoding="utf-8").splitlines() if "C901" in line]
    assert [line for line in excused if "# noqa" in line and not re.search(r"# noqa: [A-Z\d, ]+ - \w", line)] == []
