"""Checkpoint -> style folder: the deployable ONNX in fp32 and fp16, checked against torch before anything is written.

The graph is the engines' contract: uint8 (N, size, size, 3) RGB in, uint8 (N, size, size, 4) RGBA out, N free; of whole
pictures uint8 (N, h, w, 3) in, uint8 (N, 3h, 2w) planes out, h and w free too. Scaling, the drawing's grey as RGB, the
matte as alpha, rounding and clamping are inside.
"""

from __future__ import annotations

import copy
import hashlib
import logging
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal

import cv2
import numpy as np
import tomli_w
import torch

from engines.compare import psnr
from foundation import files
from foundation.errors import UsageError
from streamtoon.pipeline.find import Finder
from streamtoon.types import U8
from train import networks
from train.data import photo_files, picture_pairs, prepare
from train.data.degrade_camera import degrade
from train.networks.munet import MUNet
from train.networks.picture import PictureNet
from train.run import checkpoint
from train.style_folder import artefacts
from train.style_folder.deployed import Deployed, DeployedPicture, DeployedPlanes, rgb_of
from train.style_folder.onnx_file import run_onnx, to_onnx

log = logging.getLogger(__name__)
# least PSNR against torch by precision, over drawings and mattes of the same pictures
MIN_PARITY_DB: Final = {"fp32": 55.0, "fp16": 45.0}


@dataclass
class Args:
    """Checkpoint -> style folder: style.toml, NAME.onnx, NAME.fp16.onnx. Refuses where ONNX and torch differ."""

    checkpoint: Path
    """checkpoint.pt or best.safetensors that a method wrote; its moving average is exported"""
    out: Path
    """style folder to write"""
    direction: Literal["to-drawing", "to-photo"] = "to-drawing"
    """which of the two generators of a method that learns both"""
    name: str = ""
    """name of the style; the folder's by default"""
    title: str = ""
    """one line for lists and menus"""
    size: int = 256
    """side of a crop in px"""
    margin: float = 2.5
    """side of a crop in face sizes; a little above `prepare`'s, so that big hair stays whole"""
    ink: tuple[int, int, int] = (0, 0, 0)
    """RGB of the darkest stroke, where the network draws in one colour"""
    paper: tuple[int, int, int] = (255, 255, 255)
    """RGB of the empty sheet"""
    lines: int = 720
    """of a network of whole pictures: height in px of the 16:9 picture that has as many px as it draws"""
    region: Literal["frame", "person"] = "frame"
    """of a network of whole pictures: what is drawn when nothing else is asked for"""
    background: Literal["keep", "paper", "blur"] = "keep"
    """of a network of whole pictures: what becomes of the rest when nothing else is asked for"""
    grey: bool = False
    """of a network of whole pictures: its drawings have no colour"""
    photo: Path | None = None
    """picture of a person to draw as preview.webp, before and after"""
    force: bool = False
    """write the folder though an artefact was found"""
    fp16: bool = True
    """keep the half-precision graph in the folder too (TensorRT wants it); it is made and checked either way"""


def trial(size: int, count: int = 2) -> U8:
    """(count, size, size, 3) uint8 pictures to compare on: clouds of colour in every light, made from a seed."""
    rng = np.random.default_rng(1)
    cells = [rng.uniform(0, 1, (n, n, 3)) for n in (5, 9, 17, 33)]
    clouds = [cv2.resize(c, (size, size), interpolation=cv2.INTER_CUBIC) for c in cells]
    pictures = [np.asarray(np.clip(c * 255, 0, 255), np.uint8) for c in clouds]
    return np.stack([degrade(rng, pictures[i % 4]) for i in range(count)])


def deploy(state: dict[str, Any], args: Args) -> Deployed | DeployedPicture | DeployedPlanes:
    """The exportable network of a checkpoint: its moving average, of the direction asked for."""
    known, there = state["args"], args.direction == "to-drawing"
    if not there and "ema_back" not in state:
        raise UsageError("the checkpoint has learned one direction only; leave --direction out")
    heads = 3 if "method" in known else 2  # cyclegan and pix2pix give pictures
    try:
        net = networks.build(known["net"], size_of(state, args), hatch=known.get("hatch", there), heads=heads)
        net.load_state_dict(state["ema" if there else "ema_back"])
    except (KeyError, RuntimeError) as error:
        raise UsageError(f"the checkpoint does not fit its net: {str(error).splitlines()[0]}") from None
    if isinstance(net, PictureNet):
        return DeployedPlanes(net, grey=args.grey, tones=known.get("tones", 0)).eval()
    return Deployed(net, args.ink, args.paper).eval() if isinstance(net, MUNet) and heads == 2 else DeployedPicture(net)


def size_of(state: dict[str, Any], args: Args) -> int:
    """Side of a crop: the one trained at, where the checkpoint says so."""
    return int(state["args"].get("size", args.size))


def graphs(state: dict[str, Any], args: Args) -> tuple[dict[str, bytes], dict[str, float]]:
    """ONNX files by precision, and their PSNR against torch in dB. Raises UsageError where one is too far off."""
    size = size_of(state, args)
    deployed, crops = deploy(state, args).eval(), trial(size)
    whole = isinstance(deployed, DeployedPlanes)
    if whole:
        crops = np.ascontiguousarray(crops[:, : size // 16 * 8])
    half = copy.deepcopy(deployed).half()
    made = {"fp32": to_onnx(deployed, size, whole_picture=whole), "fp16": to_onnx(half, size, whole_picture=whole)}
    with torch.no_grad():
        reference, halved = (net(torch.from_numpy(crops)).numpy() for net in (deployed, half))
    parity = {name: psnr(run_onnx(data, crops), reference) for name, data in made.items()}
    parity["fp16"] = min(parity["fp16"], psnr(halved, reference))  # the file's weights, and half arithmetic itself
    for name, found in parity.items():
        if found < MIN_PARITY_DB[name]:
            need = MIN_PARITY_DB[name]
            raise UsageError(f"{name} ONNX is {found:.1f} dB from torch, not {need:.0f}; nothing was written")
    return made, parity


def before_and_after(state: dict[str, Any], args: Args) -> bytes:
    """A WebP of the photo's crop and its drawing on paper, side by side, (224, 448); of the whole photo 448 high."""
    photo = None if args.photo is None or not args.photo.is_file() else photo_files.read_rgb(args.photo)
    deployed = deploy(state, args)
    if isinstance(deployed, DeployedPlanes):
        if photo is None:
            raise UsageError(f"photo {args.photo} is not a picture")
        return webp(np.hstack(drawn_whole(deployed, photo, args.lines)), 448)
    with Finder() as finder:
        found = None if photo is None else prepare.canvas_of(photo, finder, args.margin)
    if found is None:
        raise UsageError(f"photo {args.photo} is not a picture with a face")
    crop = prepare.middle(found[0])
    size = size_of(state, args)
    crop = np.asarray(cv2.resize(crop, (size, size), interpolation=cv2.INTER_AREA), np.uint8)
    with torch.no_grad():
        drawn = deployed(torch.from_numpy(crop[None])).numpy()[0]
    alpha = drawn[..., 3:].astype(np.float32) / 255
    paper = drawn[..., :3] * alpha + np.array(args.paper) * (1 - alpha)
    return webp(np.hstack([crop, np.asarray(paper + 0.5, np.uint8)]), 224)


def webp(picture: U8, height: int) -> bytes:
    """(h, w, 3) RGB reduced to that height, as a small WebP file."""
    width = round(picture.shape[1] * height / picture.shape[0])
    small = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
    return cv2.imencode(".webp", small[:, :, ::-1], [cv2.IMWRITE_WEBP_QUALITY, 50])[1].tobytes()


@torch.no_grad()
def drawn_whole(deployed: DeployedPlanes, photo: U8, lines: int) -> tuple[U8, U8]:
    """A photo as large as the style draws it, and its drawing."""
    h, w = photo.shape[:2]
    scale = min(lines * math.sqrt(16 / 9 / (h * w)), picture_pairs.MAX_ENLARGED)
    photo = picture_pairs.sized(photo, min(h, w) * scale)
    half = cv2.resize(photo, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    return photo, rgb_of(deployed(torch.from_numpy(half[None])).numpy())[0]


def artefacts_of(state: dict[str, Any], args: Args) -> dict[str, float]:
    """What artefacts.py finds in the network's drawings of trial pictures."""

    def drawer(way: Args) -> artefacts.Draw:
        net = deploy(state, way).eval()

        @torch.no_grad()
        def draw(pictures: U8) -> U8:
            drawn: U8 = net(torch.from_numpy(np.ascontiguousarray(pictures))).numpy()
            return rgb_of(drawn) if isinstance(net, DeployedPlanes) else drawn[..., :3]

        return draw

    other = replace(args, direction="to-photo" if args.direction == "to-drawing" else "to-drawing")
    back = drawer(other) if "ema_back" in state else None
    whole = isinstance(deploy(state, args), DeployedPlanes)
    return artefacts.find(drawer(args), trial(size_of(state, args), 4), back, flat_stays_flat=whole)


def card(state: dict[str, Any], args: Args, name: str, made: dict[str, bytes]) -> dict[str, Any]:
    """What style.toml says."""
    digests = {precision: hashlib.sha256(data).hexdigest() for precision, data in made.items()}
    half = {"fp16": f"{name}.fp16.onnx", "fp16_sha256": digests["fp16"]} if args.fp16 else {}
    kind = type(deploy(state, args))
    way: dict[str, Any]
    if kind is DeployedPlanes:
        way = {
            "output": "yuv", "scale": 2, "lines": args.lines, "region": args.region, "background": args.background,
            "matte": "model",
        }  # fmt: skip
    else:
        way = {
            "size": size_of(state, args), "region": "head", "background": "keep", "matte": "model",
            "margin": args.margin, "feather": 0.08,
        }  # fmt: skip
    return {
        "name": name, "title": args.title or name, "onnx": f"{name}.onnx", "sha256": digests["fp32"], **half, **way,
        "paper": list(args.paper), "licence": "Apache-2.0",
    }  # fmt: skip


def export(args: Args) -> dict[str, float]:
    """Write the style folder; returns parity in dB by precision. Raises UsageError, and nothing is written then."""
    state = checkpoint.load(args.checkpoint)
    name = args.name or args.out.resolve().name
    if Path(name).name != name:
        raise UsageError(f"--name is {name!r}; it names the files in the folder, so it may hold no /")
    picture = None if args.photo is None else before_and_after(state, args)
    made, parity = graphs(state, args)
    failing = artefacts.failing(artefacts_of(state, args))
    if failing and not args.force:
        raise UsageError(
            f"the drawings show {', '.join(failing)}; nothing was written; look at them, then give --force"
        )
    files.write(args.out / f"{name}.onnx", made["fp32"])
    half = args.out / f"{name}.fp16.onnx"
    if args.fp16:
        files.write(half, made["fp16"])
    else:
        half.unlink(missing_ok=True)
    files.write_text(args.out / "style.toml", tomli_w.dumps(card(state, args, name, made)))
    if picture is not None:
        files.write(args.out / "preview.webp", picture)
    told = ", ".join(f"{k} {len(made[k]) // 1024} kB, {parity[k]:.1f} dB from torch" for k in made)
    log.info("%s: %s", args.out, told)
    return parity
