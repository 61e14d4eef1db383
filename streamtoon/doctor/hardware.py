"""What doctor finds about the machine itself: CPU, memory, GPU, cameras, virtual camera, display.

``root`` is where /sys, /dev, /proc and /lib are.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Final, Literal

from foundation.cores import available_cores
from streamtoon.devices import v4l2

X86_FLAGS: Final = {
    "avx2": "AVX2", "avx512f": "AVX-512", "avx512_bf16": "bf16", "amx_bf16": "AMX", "avx512_vnni": "VNNI",
    "avx_vnni": "AVX-VNNI",
}  # fmt: skip
ARM_FLAGS: Final = {"asimd": "NEON", "asimddp": "dot product", "i8mm": "i8mm", "bf16": "bf16"}
LIVE_MEMORY_BYTES: Final = 1_000_000_000  # bytes that should be free: live with the default style and its libraries
NVIDIA_VENDOR_ID: Final = "0x10de"
NVIDIA_SMI_TIMEOUT_S: Final = 10.0
SIZES_TOLD: Final = 6  # of each format of a camera

State = Literal["ok", "missing", "broken"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    what    what was found, or what is the matter
    fix     lines to run or to follow, one each; empty where nothing is to be done
    needed  whether live cannot work as long as it is not "ok"
    """

    name: str
    state: State
    what: str
    fix: str = ""
    needed: bool = False


def cpu(root: Path) -> Iterator[Finding]:
    """Its cores and the instructions that networks gain from."""
    text = _read(root / "proc/cpuinfo")
    model = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    listed = re.search(r"^(?:flags|Features)\s*:\s*(.+)$", text, re.MULTILINE)
    has = set(listed[1].split()) if listed else set()
    known = ARM_FLAGS if "asimd" in has else X86_FLAGS
    name = model[1] if model else platform.processor() or platform.machine()
    words = " ".join(word for flag, word in known.items() if flag in has) or "flags unknown"
    what = f"{name}, {available_cores()} cores, {words}"
    if known is not ARM_FLAGS and has and "avx2" not in has:
        fix = "let a GPU or another computer draw, or ask for less: --fps 15"
        yield Finding("CPU", "missing", f"{what}: without AVX2 drawing takes several times as long", fix)
    else:
        yield Finding("CPU", "ok", what)


def memory(root: Path) -> Iterator[Finding]:
    """Whether live has room."""
    kib = dict(re.findall(r"^(MemTotal|MemAvailable):\s*(\d+) kB", _read(root / "proc/meminfo"), re.MULTILINE))
    if len(kib) < 2:
        yield Finding("memory", "ok", "this system does not say how much there is")
        return
    total, free = (int(kib[key]) * 1024 for key in ("MemTotal", "MemAvailable"))
    what = f"{free / 1e9:.1f} of {total / 1e9:.1f} GB free"
    if free < LIVE_MEMORY_BYTES:
        yield Finding(
            "memory", "missing", f"{what}; live wants {LIVE_MEMORY_BYTES / 1e9:.0f} GB", "close other programs"
        )
    else:
        yield Finding("memory", "ok", what)


def gpu(root: Path) -> Iterator[Finding]:
    """NVIDIA's, and the driver: TensorRT runs on no other. Without any the CPU draws."""
    tool = shutil.which("nvidia-smi")
    module = re.search(r"Kernel Module.*?(\d+\.\d+[.\d]*)", _read(root / "proc/driver/nvidia/version"))
    cards = [
        device.parent.name
        for device in (root / "sys/bus/pci/devices").glob("*/vendor")
        if _read(device) == NVIDIA_VENDOR_ID and _read(device.parent / "class").startswith("0x03")
    ]
    if tool:
        query = [tool, "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]
        run = subprocess.run(
            query, capture_output=True, text=True, errors="replace", timeout=NVIDIA_SMI_TIMEOUT_S, check=False
        )
        rows = [[part.strip() for part in line.split(",")] for line in run.stdout.splitlines() if line.count(",") == 2]
        if run.returncode or not rows:
            why = " ".join((run.stdout + run.stderr).split()) or "nvidia-smi says nothing"
            yield Finding("GPU", "broken", why, "sudo reboot  # after an update the old driver is still loaded")
            return
        yield from (Finding("GPU", "ok", f"{name}, {memory}") for name, _, memory in rows)
        yield Finding("driver", "ok", f"NVIDIA {rows[0][1]}")
    elif module or cards:
        yield Finding("GPU", "ok", f"NVIDIA, PCI {', '.join(cards) or 'device not told'}")
        what = f"NVIDIA {module[1]} is loaded, nvidia-smi is not there" if module else "no NVIDIA driver is loaded"
        fix = "sudo ubuntu-drivers install  # or the one for this system from https://www.nvidia.com/drivers"
        yield Finding("driver", "broken" if module else "missing", what, fix)
    else:
        note = "nothing has to be done: the CPU draws; an NVIDIA GPU, once fitted, draws faster"
        yield Finding("GPU", "missing", "no NVIDIA GPU", note)
        yield Finding("driver", "missing", "no NVIDIA driver, and no GPU that would want one", note)


def cameras(root: Path) -> Iterator[Finding]:
    """Those that live would take, with what they offer."""
    from streamtoon.devices.cameras import list_cameras

    if sys.platform != "linux":
        what = f"{platform.system()} tells no camera without switching it on"
        yield Finding("camera", "missing", what, "streamtoon live --source webcam:0  # tries the first")
        return
    found = list_cameras(root)
    for camera in found:
        node = root / camera.path[1:]
        name = f"{camera.path}, {camera.name}"
        try:
            offers = _modes(v4l2.modes(node))
        except OSError as error:
            fix = _way_in(node) or "unplug it and plug it in again, or close the program that holds it"
            yield Finding("camera", "broken", f"{name}: {error.strerror}", fix)
        else:
            yield Finding("camera", "ok", f"{name}: {offers or 'it lists no modes'}")
    if not found:
        fix = "plug one in, or let live read something else: --source clip.mp4 or --source rtsp://..."
        yield Finding("camera", "missing", "no camera", fix)


def _modes(modes: list[v4l2.Mode]) -> str:
    """The largest sizes of each format, with their rates."""
    texts = []
    for code in dict.fromkeys(m.code for m in modes):
        sizes = sorted((m for m in modes if m.code == code), key=lambda m: -m.width * m.height)
        few = " ".join(f"{m.width}x{m.height}" + (f"@{m.fps:.4g}" if m.fps else "") for m in sizes[:SIZES_TOLD])
        texts.append(f"{code} {few}" + (f" and {len(sizes) - SIZES_TOLD} smaller" if len(sizes) > SIZES_TOLD else ""))
    return "; ".join(texts)


def virtual_camera(root: Path) -> Iterator[Finding]:
    """pyvirtualcam, and the devices it could write to."""
    from streamtoon.devices import loopback

    if importlib.util.find_spec("pyvirtualcam"):
        yield Finding("pyvirtualcam", "ok", metadata.version("pyvirtualcam"))
    else:
        yield Finding("pyvirtualcam", "missing", "it is not installed", loopback.PACKAGE_COMMAND)
    if sys.platform != "linux":
        what = f"OBS Studio brings it on {platform.system()}; whether it is there cannot be seen"
        yield Finding("virtual camera", "missing", what, loopback.OBS_ADVICE)
        return
    again = loopback.RELOAD_COMMAND.replace(" && ", "\n")
    found = loopback.list_loopbacks(root)
    if not found and (root / loopback.MODULE_FOLDER).is_dir():
        yield Finding("virtual camera", "missing", "v4l2loopback is loaded and has no device", again)
    elif not found:
        listed = "/v4l2loopback.ko" in _read(root / "lib/modules" / platform.release() / "modules.dep")
        what = f"v4l2loopback is not {'loaded' if listed else 'installed'}"
        fix = loopback.LOAD_COMMAND if listed else f"{loopback.INSTALL_COMMAND}\n{loopback.LOAD_COMMAND}"
        yield Finding("virtual camera", "missing", what, fix)
    for device in found:
        if not device.writable:
            way = _way_in(root / device.path[1:])
            yield Finding("virtual camera", "broken", f"{device}: it may not be written to", way)
        elif not device.exclusive:
            what = f"{device}: without exclusive_caps browsers and call programs do not list it"
            yield Finding("virtual camera", "broken", what, again)
        else:
            yield Finding("virtual camera", "ok", str(device))


def _way_in(node: Path) -> str:
    """What opens a device's node for us; empty where it is open."""
    from streamtoon.devices import loopback

    if not node.exists():  # a container sees the devices of its host, but not their nodes
        return f"docker run --device /dev/{node.name} ...  # hands it into the container"
    return "" if os.access(node, os.R_OK | os.W_OK) else f"{loopback.JOIN_GROUP_COMMAND}  # then log in again"


def display() -> Iterator[Finding]:
    """Where a preview or a window sink would open."""
    if sys.platform != "linux":
        yield Finding("display", "ok", platform.system())
        return
    named = [f"{key}={os.environ[key]}" for key in ("WAYLAND_DISPLAY", "DISPLAY") if os.environ.get(key)]
    if named:
        yield Finding("display", "ok", ", ".join(named))
    else:
        fix = "start it from a desktop's terminal or over `ssh -X`, or go without a window: --no-preview"
        yield Finding("display", "missing", "neither DISPLAY nor WAYLAND_DISPLAY is set: no window, no preview", fix)


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
