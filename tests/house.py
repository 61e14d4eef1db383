"""The house as the code has it: its rooms, and who imports whom. The code is read, not imported.

A room is a package of the first level, or a folder or a module of ``streamtoon`` or ``train``.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGES = ("foundation", "engines", "trt_build", "streamtoon", "train")
# a module's name, or one function of it; an f-string's piece may end in a full stop
OURS = re.compile(rf"((?:{'|'.join(PACKAGES)})(?:\.\w+)*)\.?(?::\w+)?")

FRONT = {("streamtoon", "api"), ("train", "__main__")}  # one room with their package's __init__


def files(root: Path = ROOT) -> list[Path]:
    return [file for package in PACKAGES for file in sorted((root / package).rglob("*.py"))]


def module(file: Path, root: Path = ROOT) -> tuple[str, ...]:
    """foundation/files.py -> ("foundation", "files"); a package's ``__init__`` is the package itself."""
    parts = file.relative_to(root).with_suffix("").parts
    return parts[:-1] if parts[-1] == "__init__" else parts


def room(name: tuple[str, ...], root: Path = ROOT) -> str:
    """The room of a module, or of what is in one: ("streamtoon", "film", "reader", "Film") -> "streamtoon/film"."""
    package, *rest = name
    if name == ("streamtoon", "__main__"):
        return "streamtoon/cli"  # the command line under another name
    if package not in {"streamtoon", "train"} or not rest or name[:2] in FRONT:
        return package
    inside = root / package / rest[0]
    if inside.is_dir():
        return f"{package}/{rest[0]}"
    return f"{package}/{rest[0]}.py" if inside.with_suffix(".py").is_file() else package


def code(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def strings(tree: ast.AST) -> list[str]:
    """Every string, of an f-string its constant pieces; docstrings aside."""
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    constants = (node for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in docstrings)
    return [node.value for node in constants if isinstance(node.value, str)]


def imports(tree: ast.AST) -> Iterator[str]:
    """What is imported: ``from a.b import c`` gives ``a.b.c``, ``from . import c`` gives ``..c``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ("." * node.level + f"{node.module or ''}.{alias.name}" for alias in node.names)


def named(tree: ast.AST, root: Path = ROOT) -> Iterator[str]:
    """Modules of ours that stand in strings, for a registry or a child process: arrows like any import."""
    for text in strings(tree):
        if (match := OURS.fullmatch(text)) and "." in match[1]:
            place = root.joinpath(*match[1].split("."))
            if place.is_dir() or place.with_suffix(".py").is_file():
                yield match[1]


def arrows(root: Path = ROOT) -> dict[str, set[str]]:
    """Each room, and the other rooms that it imports or names."""
    found: dict[str, set[str]] = {}
    for file in files(root):
        here, tree = room(module(file, root), root), code(file)
        targets = (tuple(name.split(".")) for name in (*imports(tree), *named(tree, root)))
        there = found.setdefault(here, set())
        there |= {room(target, root) for target in targets if target[0] in PACKAGES}
        there.discard(here)
    return found


def floors(graph: dict[str, set[str]]) -> dict[str, int]:
    """The floor of each room, one above the highest it imports. Raises ValueError with the circle where one is."""
    found: dict[str, int] = {}

    def climb(here: str, way: tuple[str, ...]) -> int:
        if here in way:
            raise ValueError(" -> ".join((*way[way.index(here) :], here)))
        if here not in found:
            found[here] = max((climb(there, (*way, here)) + 1 for there in sorted(graph[here])), default=0)
        return found[here]

    for here in sorted(graph):
        climb(here, ())
    return found


LOOK_UP = {"importlib", "inspect", "pkgutil", "runpy"}  # modules that find others by name
LOOK_UP_NAMES = {"__import__", "entry_points", "find_spec", "import_module"}
IMPORT_IN_TEXT = re.compile(rf"\b(from|import)\s+({'|'.join(PACKAGES)})\b")


def by_name(tree: ast.AST) -> list[str]:
    """Modules of ours that a file looks up by name rather than imports, and attributes that tell where one lies."""
    words = LOOK_UP_NAMES | LOOK_UP
    nodes = list(ast.walk(tree))
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in LOOK_UP:
            words |= {alias.asname or alias.name for alias in node.names if alias.name != "metadata"}
    found = [text for text in strings(tree) if IMPORT_IN_TEXT.search(text)]
    for node in nodes:
        match node:
            case ast.Attribute(attr="__file__" | "__path__" | "__spec__" | "__loader__"):
                found.append(ast.unparse(node))
            case ast.Call(func=function) if _looks_up(ast.unparse(function).split("."), words):
                found += _ours_in(tree, *node.args, *node.keywords)
            case ast.Subscript(value=ast.Attribute(value=ast.Name(id="sys"), attr="modules"), slice=key):
                found += _ours_in(tree, key)
    return found


def _looks_up(function: list[str], words: set[str]) -> bool:
    if function[:2] == ["importlib", "metadata"]:
        function = function[2:]  # what is installed, and in which version
    return not words.isdisjoint(function) or function[:2] == ["sys", "modules"]


def _ours_in(tree: ast.AST, *arguments: ast.AST) -> list[str]:
    """Modules of ours among the strings that may be meant: those bound to a name; all, where a caller chooses."""
    texts = [text for node in arguments for text in strings(node)]
    for name in {node.id for argument in arguments for node in ast.walk(argument) if isinstance(node, ast.Name)}:
        bound = list(_bound(tree, name))
        texts += [text for node in bound or [tree] for text in strings(node)]
    return [text for text in texts if OURS.fullmatch(text) and ":" not in text]  # functions are for foundation.child


def _bound(tree: ast.AST, name: str) -> Iterator[ast.AST]:
    """What ``name`` may be: the values assigned to it and, in a loop, what the loop goes over, by name or not."""
    for node in ast.walk(tree):
        match node:
            case ast.Assign(targets=[ast.Name(id=target)], value=value) if target == name:
                yield value
            case ast.AnnAssign(target=ast.Name(id=target), value=ast.AST() as value) if target == name:
                yield value
            case ast.comprehension(target=ast.Name(id=target), iter=several) if target == name:
                yield from _bound(tree, several.id) if isinstance(several, ast.Name) else [several]


def places(file: Path) -> Iterator[Path]:
    """The paths that a file builds from its own ``__file__``, each as far as it can be read off the code.

    Raises ValueError where ``__file__`` is used otherwise than in ``Path(__file__)``.
    """
    tree = code(file)
    known = {id(node): place for node in ast.walk(tree) if (place := _place(node, file)) is not None}
    whole = [node for node in ast.walk(tree) if id(node) in known]
    inner = {id(child) for node in whole for child in ast.walk(node) if child is not node}
    used = [node for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id == "__file__"]
    if any(id(node) not in inner for node in used):
        raise ValueError(f"{file}: __file__ outside of Path(__file__)")
    yield from (known[id(node)] for node in whole if id(node) not in inner)


def _place(node: ast.AST, file: Path) -> Path | None:
    match node:
        case ast.Call(func=ast.Name(id="Path"), args=[ast.Name(id="__file__")]):
            return file
        case ast.Attribute(value=inner, attr="parent"):
            place = _place(inner, file)
            return place and place.parent
        case ast.Subscript(value=ast.Attribute(value=inner, attr="parents"), slice=ast.Constant(value=int(up))):
            place = _place(inner, file)
            return place and place.parents[up]
        case ast.Call(func=ast.Attribute(value=inner, attr="resolve" | "absolute")):
            return _place(inner, file)
        case ast.Call(func=ast.Attribute(value=inner, attr="with_name"), args=[name]):
            place = _place(inner, file)
            return place and _below(place.parent, name)
        case ast.BinOp(left=inner, op=ast.Div(), right=name):
            place = _place(inner, file)
            return place and _below(place, name)
    return None


def _below(folder: Path, name: ast.AST) -> Path:
    return folder / name.value if isinstance(name, ast.Constant) else folder
