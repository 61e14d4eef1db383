import pytest

from streamtoon import style_folder as styles
from streamtoon.errors import UsageError


def test_a_folder_loads(style_folder):
    style = styles.load(str(style_folder(margin=3, paper=[250, 240, 230], background="paper")))
    assert (style.name, style.margin, style.paper, style.background) == ("plain", 3, (250, 240, 230), "paper")


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"sha256": "0" * 64}, "plain.onnx has sha256 .* its card says 000000000000"),
        ({"onnx": "gone.onnx"}, "gone.onnx is not in the folder"),
        ({"onnx": "../plain/plain.onnx"}, "is not in the folder"),
        ({"onnx": None}, "onnx is missing"),
        ({"fether": 0.1}, "unknown key 'fether'; did you mean 'feather'"),
        ({"size": 250}, "size is 250; it must be a multiple of 8"),
        ({"size": "big"}, "size is 'big', of the wrong kind"),
        ({"region": "nose"}, "region is 'nose'; it must be one of face, head, person, frame"),
        ({"paper": [1, 2]}, "paper is"),
    ],
)
def test_a_bad_card_is_one_clear_line(style_folder, change, line):
    with pytest.raises(UsageError, match=line) as caught:
        styles.load(str(style_folder(**change)))
    assert "\n" not in str(caught.value)


def test_what_is_not_toml_is_refused(style_folder):
    folder = style_folder()
    (folder / "style.toml").write_bytes(b"\xff\xfe name = ")
    with pytest.raises(UsageError, match="cannot be read"):
        styles.load(str(folder))


def test_an_unknown_name_tells_the_known_ones():
    with pytest.raises(UsageError, match=r"no style 'comik': it is neither one of .*comic"):
        styles.load("comik")


@pytest.mark.parametrize("name", styles.names())
def test_shipped_styles_are_whole(name):
    style = styles.load(name)
    files = {p.name for p in style.folder.iterdir()}
    assert {"style.toml", "CARD.md", "preview.webp", style.onnx.name} <= files
    assert sum(p.stat().st_size for p in style.folder.iterdir()) < 1.5e6
    card = (style.folder / "CARD.md").read_text(encoding="utf-8")
    assert style.sha256 in card
    assert style.licence
