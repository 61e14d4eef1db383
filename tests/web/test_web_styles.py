"""Styles somebody brings: what is taken, and everything that is not."""

import hashlib
import stat
import zipfile

import numpy as np
import onnx
import picture_styles
import pytest
from browsing import new_pictures, start, tab, told, visitor
from onnx import TensorProto, helper
from PIL import Image

from streamtoon import style_folder
from streamtoon.errors import UsageError
from streamtoon.web.style_upload import archive as style_archive
from streamtoon.web.style_upload import memory, trial_drawing

ENGRAVING = style_folder.FOLDER / "engraving"


def style_files(name="mine", network=None):
    """The files of a good style: the shipped engraving under another name."""
    data = (ENGRAVING / "engraving.onnx").read_bytes() if network is None else network
    sha256 = hashlib.sha256(data).hexdigest()
    card = f'name = "{name}"\ntitle = "my own"\nonnx = "{name}.onnx"\nsha256 = "{sha256}"\nmargin = 2.5\n'
    return {
        "style.toml": card.encode(), f"{name}.onnx": data, "CARD.md": b"# mine\n\n<b>A card</b> of mine.\n",
        "preview.webp": (ENGRAVING / "preview.webp").read_bytes(),
    }  # fmt: skip


def zipped(path, files, prefix="mine/"):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        for name, data in files.items():
            out.writestr(name if isinstance(name, zipfile.ZipInfo) else prefix + name, data)
    return path


def network(*nodes, initializer=(), functions=()):
    """A small ONNX file of the given nodes, uint8 pictures in and out."""
    ends = [
        helper.make_tensor_value_info(name, TensorProto.UINT8, [None, 256, 256, depth])
        for name, depth in (("in", 3), ("out", 4))
    ]
    graph = helper.make_graph(list(nodes), "g", ends[:1], ends[1:], initializer=list(initializer))
    return helper.make_model(graph, functions=list(functions)).SerializeToString()


def outside():
    weights = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[4], data_location=TensorProto.EXTERNAL)
    weights.external_data.add(key="location", value="/etc/passwd")
    return weights


def bare():
    """Weights that say they are large and are not there."""
    return TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[1 << 40])


def sides(*lengths, name="s"):
    return helper.make_tensor(name, TensorProto.INT64, [len(lengths)], lengths)


def filled(size, *initializer):
    """A network that fills a tensor of ``size``, a constant or the picture's brightest point, and adds that."""
    node = helper.make_node
    nodes = [
        node("ReduceMax", ["in"], ["m"], keepdims=0), node("Cast", ["m"], ["i"], to=TensorProto.INT64),
        node("Reshape", ["i", "one"], ["n"]), node("ConstantOfShape", [size], ["k"]),
        node("ReduceMax", ["k"], ["f"], keepdims=0), node("Cast", ["f"], ["u"], to=TensorProto.UINT8),
        node("Add", ["in", "u"], ["q"]), node("Slice", ["q", "zero", "one", "three"], ["alpha"]),
        node("Concat", ["q", "alpha"], ["out"], axis=3),
    ]  # fmt: skip
    constants = [sides(value, name=name) for name, value in (("zero", 0), ("one", 1), ("three", 3))]
    return network(*nodes, initializer=[*constants, *initializer])


def branch():
    graph = helper.make_graph([helper.make_node("Identity", ["in"], ["o"])], "b", [], [])
    return helper.make_node("If", ["c"], ["out"], then_branch=graph, else_branch=graph)


def link(name):
    info = zipfile.ZipInfo(name)
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


def checked_style(archive, folder):
    """Unpack and check, as the page and its process for it do."""
    style_archive.unpack(archive, folder)
    return style_archive.check(folder)


def test_a_good_one_is_taken(tmp_path):
    checked = checked_style(zipped(tmp_path / "mine.zip", style_files()), tmp_path / "out")
    assert checked.style.name == "mine"
    assert any("operators" in line for line in checked.found)
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        "CARD.md",
        "mine.onnx",
        "preview.webp",
        "style.toml",
    ]


def card(files, old, new):
    """The same files, with something else in style.toml."""
    return {**files, "style.toml": files["style.toml"].replace(old, new)}


BAD = {
    "a path upwards": (lambda f: {**f, "../../evil.txt": b"x"}, "leads out"),
    "an absolute path": (lambda f: {zipfile.ZipInfo("/etc/evil.txt"): b"x", **f}, "leads out"),
    "a backslash": (lambda f: {**f, "..\\evil.txt": b"x"}, "leads out|folders"),
    "a link": (lambda f: {link("mine/preview.png"): b"/etc/passwd", **f}, "link"),
    "a pickle": (lambda f: {**f, "weights.pkl": b"\x80\x04."}, "never code"),
    "a checkpoint": (lambda f: {**f, "checkpoint.pt": b"PK"}, "never code"),
    "code": (lambda f: {**f, "style.py": b"import os"}, "never code"),
    "a nested folder": (lambda f: {**f, "a/b/c.txt": b"x"}, "folders"),
    "a bomb": (lambda f: {**f, "NOTES.txt": bytes(50_000_000)}, "unpacks to more"),
    "too many files": (lambda f: {**f, **{f"{i}.txt": b"x" for i in range(40)}}, "files"),
    "no card": (lambda f: {k: v for k, v in f.items() if k != "style.toml"}, "no style.toml"),
    "another hash": (lambda f: {**f, "mine.onnx": f["mine.onnx"] + b"x"}, "sha256"),
    "a broken preview": (lambda f: {**f, "preview.webp": b"no picture"}, "no picture"),
    "a name that is taken": (lambda _: style_files("engraving"), "already"),
    "a name that is a path": (lambda f: card(f, b'name = "mine"', b'name = "../x"'), "letters"),
    "a network elsewhere": (lambda f: card(f, b'"mine.onnx"', b'"../../wash/wash.onnx"'), "not in the folder"),
    "no network": (lambda _: style_files(network=b"this is no network"), "no ONNX|holds no network"),
    "a foreign operator": (
        lambda _: style_files(network=network(helper.make_node("Run", ["in"], ["out"], domain="evil"))), "evil.Run"),
    "a loop": (lambda _: style_files(network=network(branch())), "'If'"),
    "a text that is none": (lambda f: {**f, "CARD.md": b"\xff\xfe\x00"}, "no plain text"),
    "a text too long": (lambda f: {**f, "CARD.md": bytes(200_000)}, "unpacks to more"),
    "sizes beyond bounds": (lambda _: style_files(network=filled("s", sides(1 << 20, 1 << 20))), "MB a picture"),
    "sizes that the picture decides": (lambda _: style_files(network=filled("n")), "what is in the picture"),
    "sizes that do not fit": (
        lambda _: style_files(network=network(helper.make_node("Add", ["in", "w"], ["out"]), initializer=[bare()])),
        "do not fit"),
    "weights in another file": (
        lambda _: style_files(network=network(helper.make_node("Identity", ["in"], ["out"]), initializer=[outside()])),
        "another file"),
}  # fmt: skip


@pytest.mark.parametrize("spoil", BAD)
def test_a_bad_one_is_refused(tmp_path, spoil):
    change, message = BAD[spoil]
    archive = zipped(tmp_path / "bad.zip", change(style_files()))
    with pytest.raises(UsageError, match=message) as error:
        checked_style(archive, tmp_path / "out")
    assert "\n" not in str(error.value)
    assert sorted(p.name for p in tmp_path.rglob("evil*")) == []


@pytest.mark.parametrize("data", [b"", b"no zip", b"PK\x03\x04" + bytes(100)])
def test_what_is_no_zip(tmp_path, data):
    (tmp_path / "bad.zip").write_bytes(data)
    with pytest.raises(UsageError, match="no zip"):
        style_archive.unpack(tmp_path / "bad.zip", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_sizes_in_headers_are_not_believed(tmp_path):
    """An entry that says it is small and is not."""
    files = {**style_files(), "NOTES.txt": bytes(5_000_000)}
    data = zipped(tmp_path / "liar.zip", files).read_bytes()
    lied = data.replace((5_000_000).to_bytes(4, "little"), (1000).to_bytes(4, "little"))
    assert lied != data
    (tmp_path / "liar.zip").write_bytes(lied)
    with pytest.raises(UsageError, match=r"unpacks to more|no zip"):
        style_archive.unpack(tmp_path / "liar.zip", tmp_path / "out")


def test_every_shipped_network_passes():
    from streamtoon.web.style_upload import operators

    for name in style_folder.names():
        for file in (style_folder.FOLDER / name).glob("*.onnx"):
            assert operators.check_operators(file).parameters > 100_000
    assert onnx.__version__


def test_a_picture_style_is_taken(tmp_path):
    folder = picture_styles.write(tmp_path / "mine")
    checked = style_archive.check(folder)
    assert any("operators" in line for line in checked.found)
    done = trial_drawing.draw(str(folder), "openvino", 1)
    assert done["ms"] > 0
    with Image.open(folder / trial_drawing.PREVIEW_NAME) as preview:
        assert preview.size == (1024, 512)


@pytest.mark.parametrize("what", ["the photo", "an empty sheet"])
def test_a_picture_style_that_hides_nobody_is_refused(tmp_path, monkeypatch, what):
    if what == "an empty sheet":
        sheet = np.full((768 * 3 // 2, 768), 128, np.uint8)
        monkeypatch.setattr(trial_drawing, "_timed", lambda *_: (sheet, 1.0))
    with pytest.raises(UsageError, match="empty or still the photo"):
        trial_drawing.draw(str(picture_styles.write(tmp_path / "mine")), "echo", 1)


def test_the_memory_of_a_picture_style_is_bounded_at_every_shape(tmp_path):
    style = style_folder.load(str(picture_styles.write(tmp_path / "mine")))
    needed = memory.check_memory(style.onnx, style)
    assert 50e6 < needed < 500e6
    large = style_folder.load(str(picture_styles.write(tmp_path / "large", lines=2160)))
    with pytest.raises(UsageError, match=r"computes 1,\d+ MB a picture; 1,000 MB is the limit"):
        memory.check_memory(large.onnx, large)


def test_a_drawing_that_covers_too_little_of_the_face_is_refused(tmp_path, monkeypatch):
    """A narrow square with a wide soft border leaves the camera on the face, whatever the network draws."""
    bare = style_folder.load("engraving")
    for name, value in (("margin", 1.0), ("feather", 0.5)):  # past the card's own check
        object.__setattr__(bare, name, value)
    monkeypatch.setattr(style_folder, "load", lambda _: bare)
    with pytest.raises(UsageError, match="shows through"):
        trial_drawing.draw(str(tmp_path), "auto", 1)


def test_in_the_browser(page, tmp_path):
    tab(page, "Styles")
    assert page.locator("#style-cards article").count() == len(style_folder.names())
    bad = zipped(tmp_path / "bad.zip", {**style_files(), "evil.py": b"import os"})
    page.set_input_files("#style-in input[type=file]", bad)
    told(page, "never code")
    page.wait_for_selector("#style-report .bad")
    page.wait_for_selector("#style-in input[type=file]", state="attached")  # free for another
    page.set_input_files("#style-in input[type=file]", zipped(tmp_path / "good.zip", style_files()))
    page.wait_for_selector("#style-report .checks li", timeout=60_000)
    report = page.inner_text("#style-report")
    assert "hides the face" in report
    page.wait_for_selector("#style-cards article:has-text('my own')")
    assert page.locator("#style-cards b").count() == 0  # a card's HTML is shown as text
    tab(page, "Live")
    page.click("#live-style input")
    page.get_by_role("option", name="mine (yours)").click()
    start(page)
    new_pictures(page, 5)


def test_a_style_that_draws_nothing_is_refused(site, browser, tmp_path):
    """It passes every check of its files; the portrait drawn with it shows what it is."""
    channels = helper.make_node("Concat", ["in", "one"], ["out"], axis=3)
    last = helper.make_node("Slice", ["in", "a", "b", "c"], ["one"])
    starts = [helper.make_tensor(n, TensorProto.INT64, [1], [v]) for n, v in (("a", 0), ("b", 1), ("c", 3))]
    data = network(last, channels, initializer=starts)
    with visitor(browser, site.address) as page:
        tab(page, "Styles")
        page.set_input_files("#style-in input[type=file]", zipped(tmp_path / "echo.zip", style_files("echo2", data)))
        assert "/" not in told(page, "still the photo")
