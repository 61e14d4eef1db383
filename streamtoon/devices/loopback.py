"""v4l2loopback's devices: virtual cameras under Linux, and the commands that make or repair one."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from streamtoon.devices.cameras import OWN_LABEL, is_loopback, list_devices
from streamtoon.errors import SinkError

SCHEME: Final = "virtualcam:"
MODULE_FOLDER: Final = "sys/module/v4l2loopback"
LOAD_COMMAND: Final = f"sudo modprobe v4l2loopback devices=1 video_nr=10 card_label={OWN_LABEL} exclusive_caps=1"
RELOAD_COMMAND: Final = f"sudo modprobe -r v4l2loopback && {LOAD_COMMAND}"
INSTALL_COMMAND: Final = "sudo apt install v4l2loopback-dkms"
JOIN_GROUP_COMMAND: Final = "sudo usermod -aG video $USER"
PACKAGE_COMMAND: Final = 'pip install "streamtoon[live]"'
OBS_ADVICE: Final = "install OBS Studio and start its virtual camera once"  # elsewhere than under Linux


@dataclass(frozen=True, slots=True)
class Loopback:
    """A device of v4l2loopback's.

    path       as programs open it
    label      as programs show it
    exclusive  whether it shows itself as a camera and nothing else: browsers and Zoom list no other
    writable   whether this process may write to it
    """

    path: str
    label: str
    exclusive: bool
    writable: bool

    def __str__(self) -> str:
        return f"{self.path} ({self.label})"


def list_loopbacks(system: Path = Path("/")) -> list[Loopback]:
    """v4l2loopback's devices, by number; ``system`` is where sys/ and dev/ are."""
    found = [camera for camera, folder in list_devices(system) if is_loopback(folder)]
    flags, numbers = (_parameter(system, name) for name in ("exclusive_caps", "video_nr"))
    made = []
    for place, device in enumerate(found):
        # the flags lie in the order the devices were made in
        at = numbers.index(str(device.index)) if str(device.index) in numbers else place
        exclusive = flags[at] in ("Y", "1") if at < len(flags) else True  # not told
        node = system / device.path[1:]
        made.append(Loopback(device.path, device.name, exclusive, os.access(node, os.R_OK | os.W_OK)))
    return made


def _parameter(system: Path, name: str) -> list[str]:
    """What v4l2loopback was loaded with, an entry a device; empty where it does not tell."""
    try:
        return (system / MODULE_FOLDER / "parameters" / name).read_text(encoding="ascii").strip().split(",")
    except OSError:
        return []


def find_device(target: str, system: Path) -> tuple[str | None, list[str]]:
    """Which device ``virtualcam:...`` is, None for whichever is installed; and what is wrong with it, a line each.

    Raises SinkError where there is none, or none that may be written to.
    """
    wanted = target.removeprefix(SCHEME).strip()
    if not sys.platform.startswith("linux"):
        return wanted or None, []
    found = list_loopbacks(system)
    if not found:
        raise SinkError(f"cannot write {target}: {_nothing_made(system)}")
    chosen = _choose(target, wanted, found)
    if not chosen.writable:
        raise SinkError(
            f"cannot write {target}: no permission for {chosen.path}; run: {JOIN_GROUP_COMMAND}, then log in again"
        )
    if chosen.exclusive:
        return chosen.path, []
    hidden = f"{chosen.path} is loaded without exclusive_caps=1, so browsers and Zoom do not list it"
    if not wanted:
        raise SinkError(
            f"cannot write {target}: {hidden}; run: {RELOAD_COMMAND}, "
            f"or name it to use it as it is: {SCHEME}{chosen.path}"
        )
    return chosen.path, [f"{hidden}; run: {RELOAD_COMMAND}"]


def _nothing_made(system: Path) -> str:
    """Why there is no device, and what makes one."""
    if (system / MODULE_FOLDER).exists():
        return f"v4l2loopback has made no device; run: {RELOAD_COMMAND}"
    return f"v4l2loopback is not loaded; run: {LOAD_COMMAND} (where it is not installed: {INSTALL_COMMAND})"


def _choose(target: str, wanted: str, found: list[Loopback]) -> Loopback:
    name = (wanted or OWN_LABEL).casefold()
    for device in found:
        if wanted == device.path or name == device.label.casefold():
            return device
    parts = [d for d in found if name in d.label.casefold()] or (found if not wanted else [])
    if len(parts) == 1:
        return parts[0]
    names = ", ".join(map(str, found))
    if wanted and not parts:
        raise SinkError(f"cannot write {target}: it is no device of v4l2loopback's; choose one of {names}")
    raise SinkError(f"cannot write {target}: it may be any of {names}; name one: {SCHEME}{found[0].path}")
