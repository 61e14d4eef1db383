"""Machines made of files: what Linux shows of devices under /sys and /dev, and programs to be found on a PATH."""


def write(file, text):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


def device(root, number, name, at="pci0000:00/usb1", *, index=0, node=True):
    folder = root / "sys/devices" / at / "video4linux" / f"video{number}"
    write(folder / "name", f"{name}\n")
    write(folder / "index", f"{index}\n")
    (root / f"sys/class/video4linux/video{number}").symlink_to(folder)
    if node:
        write(root / f"dev/video{number}", "")


def loopback(root, *, exclusive, node=True):
    write(root / "sys/module/v4l2loopback/parameters/video_nr", "10,-1\n")
    write(root / "sys/module/v4l2loopback/parameters/exclusive_caps", f"{exclusive},N\n")
    device(root, 10, "streamtoon", "virtual", node=node)
    write(root / "sys/devices/virtual/video4linux/video10/max_openers", "10\n")


def tool(folder, text):
    folder.mkdir()
    write(folder / "nvidia-smi", f"#!/bin/sh\n{text}\n")
    (folder / "nvidia-smi").chmod(0o755)
    return str(folder)
