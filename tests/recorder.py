"""What a command and every process below it ask of the network, by native code too: their system calls, by strace."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
STRACE = shutil.which("strace")
CALLS = "connect,sendto,sendmsg,sendmmsg"
INTERNET = re.compile(r'sin6?_port=htons\((\d+)\).*?inet_(?:addr\(|pton\(AF_INET6, )"([^"]+)"')
NAME_SERVICE = re.compile(r'sun_path="[^"]*(resolve|avahi|mdns)')  # that others ask the network for
QUESTION = re.compile(r"\\0\\1\\0\\0\\0\\0\\0")  # one, in the head of a DNS message; a name follows
LOOPBACK = re.compile(r"127\.|::1$|::ffff:127\.")
# what stops a library's reports in a test run, and would let it report on everybody else's machine
SILENCING = re.compile(r"CI$|GITHUB_|TF_BUILD|ORT_|HF_|GRADIO_|DO_NOT_TRACK|XDG_|DOTNET_", re.IGNORECASE)


@dataclass(frozen=True)
class Record:
    """A finished command: its exit code, what it said, system calls beyond this machine, files it left in its home."""

    code: int
    said: str
    beyond: list[str]
    files: list[str]


def record(folder, *command, use=lambda _: None, timeout_s=600, **variables):
    """Run a command in ``folder``/work with the empty home ``folder``/home, without the variables of SILENCING.

    use: is called with the running process; what does not end by itself ends there by ``end``.
    """
    home, work, trace = (folder / name for name in ("home", "work", "trace"))
    home.mkdir(parents=True)
    work.mkdir()
    environment = {name: value for name, value in os.environ.items() if not SILENCING.match(name)}
    environment |= {"HOME": str(home), "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, sys.path)]), **variables}
    # --seccomp-bpf: these calls alone stop the process, which is about as fast as without
    strace = [STRACE, "-f", "--seccomp-bpf", "-qq", "-s", "100", "-e", f"trace={CALLS}", "-o", str(trace)]
    process = subprocess.Popen(
        [*strace, *command], cwd=work, env=environment, start_new_session=True, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    try:
        use(process)
        said, _ = process.communicate(timeout=timeout_s)
    finally:
        end(process, signal.SIGKILL)
    beyond = [line for line in trace.read_text(errors="replace").splitlines() if _beyond(line)]
    files = sorted(str(file.relative_to(home)) for file in home.rglob("*") if not file.is_dir())
    return Record(process.returncode, said, beyond, files)


def end(process, number=signal.SIGTERM):
    """Send a signal to the command and all that it started; strace itself takes SIGKILL alone."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def _beyond(line):
    """Whether a system call leaves this machine, or asks somebody on it who does: a name server."""
    internet = INTERNET.search(line)
    if internet is None:
        return bool(NAME_SERVICE.search(line) or QUESTION.search(line))
    return internet[1] == "53" or not LOOPBACK.match(internet[2])
