import argparse
from types import SimpleNamespace
from typing import get_args

import pytest

from streamtoon.cli import arguments as flags
from streamtoon.cli import config_file
from streamtoon.cli.arguments import Flag
from streamtoon.cli.main import COMMANDS as OURS
from streamtoon.errors import UsageError
from streamtoon.types import Background, Region


def size(text):
    width, _, height = text.partition("x")
    if not (width.isdigit() and height.isdigit()):
        raise argparse.ArgumentTypeError(f"{text!r} is no size; write 1280x720")
    return int(width), int(height)


BOTH = (
    Flag("style", "", default="ink"),
    Flag("engine", "", default="auto"),
    Flag("config", "", setting=False),
    Flag("dump-config", "", "switch", setting=False),
)
COMMANDS = (
    SimpleNamespace(
        NAME="live",
        HELP="live",
        FLAGS=(
            *BOTH,
            Flag("sink", "", "list"),
            Flag("on-no-face", "", default="hold", choices=("hold", "card", "passthrough")),
            Flag("fps", "", default=30.0, parse=float),
            Flag("threads", "", default=2, parse=int),
            Flag("size", "", default=(1280, 720), parse=size, write=lambda s: f"{s[0]}x{s[1]}"),
            Flag("mirror", "", "yes-no", default=True),
            Flag("quiet", "", "switch", short="q"),
            Flag("paper", "", "list", parse=int),
            Flag("what", "", "positional", default="all", choices=("all", "one")),
        ),
    ),
    SimpleNamespace(
        NAME="convert",
        HELP="convert",
        FLAGS=(*BOTH, Flag("input", "", short="i", required=True), Flag("crf", "", parse=float)),
    ),
)


@pytest.fixture
def file(tmp_path):
    def write(text):
        path = tmp_path / "toon.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def parsed(*arguments):
    return config_file.parse(COMMANDS, [str(a) for a in arguments])


def test_without_a_file_it_is_argparse():
    ours, theirs = vars(parsed("live", "--fps", "25")), vars(flags.parser(COMMANDS).parse_args(["live", "--fps", "25"]))
    assert ours == theirs | {"command": "live"}
    assert ours["size"] == (1280, 720)


@pytest.mark.parametrize("arguments", [[], ["--config"], ["live", "--config"], ["nothing", "--config", "x.toml"]])
def test_what_is_no_command_ends_as_argparse_ends_it(arguments):
    with pytest.raises(SystemExit) as caught:
        parsed(*arguments)
    assert caught.value.code == 2


def test_flag_beats_file_beats_default(file):
    path = file('style = "wash"\nengine = "echo"\n[live]\nfps = 15\nmirror = false\nquiet = true\npaper = [1, 2, 3]')
    args = parsed("live", "--engine", "openvino", "--config", path)
    assert (args.engine, args.style, args.fps, args.mirror, args.quiet) == ("openvino", "wash", 15.0, False, True)
    assert args.paper == [1, 2, 3]
    assert (args.on_no_face, args.threads, args.command) == ("hold", 2, "live")
    assert parsed("live", f"--config={path}", "--mirror", "--fps", "60").mirror is True


def test_a_commands_table_beats_the_keys_above_it(file):
    path = file('style = "wash"\nfps = 24\n[live]\nstyle = "pencil"\n[convert]\nstyle = "comic"')
    assert parsed("live", "--config", path).style == "pencil"
    assert parsed("live", "--config", path).fps == 24.0
    assert parsed("convert", "-i", "x", "--config", path).style == "comic"  # and fps, which it has not, is no error


def test_what_the_file_gives_need_not_be_a_flag(file, capsys):
    assert parsed("convert", "--config", file('[convert]\ninput = "a.mp4"')).input == "a.mp4"
    with pytest.raises(SystemExit) as caught:
        parsed("convert", "--config", file('style = "ink"'))
    assert caught.value.code == 2
    assert "required: -i/--input" in capsys.readouterr().err


def test_a_list_given_as_a_flag_replaces_the_files(file):
    path = file('[live]\nsink = ["virtualcam:", "out.mp4"]')
    assert parsed("live", "--config", path).sink == ["virtualcam:", "out.mp4"]
    assert parsed("live", "--config", path, "--sink", "udp://127.0.0.1:9", "--sink", "window:").sink[-2:] == [
        "udp://127.0.0.1:9",
        "window:",
    ]
    assert "out.mp4" not in parsed("live", "--config", path, "--sink", "window:").sink
    assert parsed("live", "--config", file('[live]\nsink = "window:"')).sink == ["window:"]


def test_shortened_and_repeated_flags_are_seen(file, tmp_path):
    path = file("[live]\nfps = 15")
    other = tmp_path / "other.toml"
    other.write_text("[live]\nfps = 12", encoding="utf-8")
    assert parsed("live", "--conf", path).fps == 15
    assert parsed("live", "--config", other, "--config", path).fps == 15


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('styl = "ink"', "unknown key 'styl'; the nearest known one is 'style'"),
        ("[live]\non_no_face = 1", r"\[live\]: unknown key 'on_no_face'; the nearest known one is 'on-no-face'"),
        ("[convert]\nfps = 1", r"\[convert\]: unknown key 'fps'; the nearest known one is '"),
        ("[live]\nno-mirror = true", "the nearest known one is 'mirror'"),
        ("[liv]\nfps = 1", "unknown table 'liv'; the nearest known one is 'live'"),
        ('[live]\nconfig = "other.toml"', "unknown key 'config'"),
        ("[live]\nhelp = true", "unknown key 'help'"),
        ('[live]\non-no-face = "show"', 'on-no-face is "show"; it must be one of hold, card, passthrough'),
        ('[live]\nmirror = "yes"', 'mirror is "yes"; it must be true or false'),
        ("[live]\nquiet = 1", "quiet is 1; it must be true or false"),
        ("style = true", "style is true; it must be text"),
        ("style = 5", "style is 5; it must be text"),
        ('[live]\nfps = "30"', 'fps is "30"; it must be a number'),
        ("[live]\nthreads = 2.5", "threads is 2.5; it must be a whole number"),
        ('[live]\nsize = "big"', "size: 'big' is no size; write 1280x720"),
        ("[live]\nsink = [1]", "sink is 1; it must be text"),
        ("[live.style]\nname = 1", "style is .*; it must be text"),
        ('[live]\nwhat = "one"', "unknown key 'what'"),
        ("style = ", "is no TOML file: Invalid value"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(file, text, line):
    with pytest.raises(UsageError, match=line) as caught:
        parsed("live", "--config", file(text))
    assert "\n" not in str(caught.value)
    assert "toon.toml" in str(caught.value)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(UsageError, match=r"none.toml cannot be read: No such file"):
        parsed("live", "--config", tmp_path / "none.toml")


@pytest.mark.parametrize(
    "arguments",
    [
        ["live"],
        ["live", "--style", 'a"b\\c\n\t\x7fé 日', "--fps", "1e-7", "--size", "64x48", "--no-mirror", "--quiet"],
        ["live", "--sink", "out.mp4", "--sink", "udp://127.0.0.1:9", "--paper", "1", "--paper", "2", "--threads", "7"],
        ["convert", "-i", "C:\\films\\a.mp4", "--crf", "18.5"],
    ],
)
def test_what_is_dumped_gives_the_same_again(file, arguments):
    first = config_file.parse(COMMANDS, arguments)
    text = config_file.dump(COMMANDS, first)
    again = parsed(arguments[0], "--config", file(text))
    assert vars(again) | {"config": None} == vars(first)
    assert text.startswith(f"[{arguments[0]}]\n")


def test_the_dump_shows_what_is_in_force(file):
    path = file("[live]\nfps = 15\nthreads = 3")
    text = config_file.dump(COMMANDS, config_file.parse(COMMANDS, ["live", "--config", str(path), "--threads", "4"]))
    assert "fps = 15.0\n" in text
    assert "threads = 4\n" in text
    assert 'style = "ink"\n' in text
    assert "# paper is not set\n" in text
    assert "quiet = false\n" in text
    assert "config" not in text


def needs():
    """Every command of ours, with something for each argument it cannot do without."""
    for command in OURS:
        words = [command.NAME]
        for flag in command.FLAGS:
            if flag.required:
                words += [*([] if flag.kind == "positional" else [f"--{flag.name}"]), (flag.choices or "x")[0]]
        yield words


@pytest.mark.parametrize(
    "arguments",
    [*needs(), ["web", "--auth", "me:a:b"], ["live", "--size", "64X48", "--sink", "window:"]],
    ids=lambda a: a[0],
)
def test_every_command_of_ours_gives_the_same_again(file, arguments):
    first = config_file.parse(OURS, arguments)
    path = file(config_file.dump(OURS, first))
    settings = config_file.read(path, OURS, first.command)
    own = next(command for command in OURS if first.command == command.NAME)
    flags = [flag for flag in own.FLAGS if flag.setting and flag.kind != "positional"]
    assert settings == {f.name: getattr(first, f.key) for f in flags if getattr(first, f.key) is not None}


def test_the_choices_are_those_of_the_types():
    assert get_args(Region) == flags.REGIONS
    assert get_args(Background) == flags.BACKGROUNDS
