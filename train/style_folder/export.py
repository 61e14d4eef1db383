"""Checkpoint -> style folder: the deployable ONNX in fp32 and fp16, checked against torch before anything is written.

The graph is the engines' contract: uint8 (N, size, size, 3) RGB in, uint8 (N, size, size, 4) RGBA out, N free. Scaling,
the drawing's grey as RGB, the matte as alpha, rounding and clamping are inside.
"""

from __future__ import annotations

import copy
import hashlib
import io
import tempfile
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

import engines.runtimes.openvino
from streamtoon.pipeline.find import Finder
from streamtoon.types import U8
from train.data import prepare
from train.data.degrade_camera import degrade
from train.evaluation import artefacts
from train.methods import checkpoint
from train.methods.checkpoint import BadInput, write_bytes, write_text
from train.networks import munet
from train.networks.munet import DRAWING, MATTE, MUNet

NEED: Final = {"fp32": 55.0, "fp16": 45.0}  # PSNR against torch in dB, over drawings and mattes of the same pictures


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
    photo: Path | None = None
    """picture of a person to draw as preview.webp, before and after"""
    force: bool = False
    """write the folder though an artefact was found"""
    fp16: bool = True
    """keep the half-precision graph in the folder too (TensorRT wants it); it is made and checked either way"""


Colour = tuple[int, int, int]


class DeployedPicture(nn.Module):
    """A network that gives a whole picture: uint8 RGB in, uint8 RGBA out, alpha 255, BatchNorm folded."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net: nn.Module = fold(copy.deepcopy(net).eval())
        for weight in self.net.parameters():
            weight.data = weight.data.half().float()

    def forward(self, crops: Tensor) -> Tensor:
        """(N, h, w, 3) uint8 RGB -> (N, h, w, 4) uint8 RGBA."""
        x = crops.to(next(self.net.parameters()).dtype).permute(0, 3, 1, 2)
        rgb = ((munet.picture(self.net(x * (1 / 127.5) - 1)) + 1) * 127.5).round().clamp(0, 255)
        rgba = torch.cat([rgb, torch.full_like(rgb[:, :1], 255)], dim=1)
        return rgba.permute(0, 2, 3, 1).to(torch.uint8)


class Deployed(nn.Module):
    """The network as engines run it: uint8 RGB in, uint8 RGBA out, BatchNorm folded."""

    gain: Tensor
    shift: Tensor
    base: Tensor
    span: Tensor

    def __init__(self, net: MUNet, ink: Colour = (0, 0, 0), paper: Colour = (255, 255, 255)) -> None:
        super().__init__()
        self.net: MUNet = fold(copy.deepcopy(net).eval())
        # the last convolution gives drawing, drawing, drawing, matte: RGBA without copying whole planes afterwards
        heads = (DRAWING, DRAWING, DRAWING, MATTE)
        rows = [4 * head + part for head in heads for part in range(4)]  # four sub-pixels each
        last = self.net.out
        self.net.out = nn.Conv2d(last.in_channels, len(rows), 3, padding=1)
        self.net.out.weight.data = last.weight.data[rows]
        self.net.out.bias.data = last.bias.data[rows]
        for name, values in (
            ("gain", [munet.REACH[h][0] for h in heads]), ("shift", [munet.REACH[h][1] for h in heads]),
            ("base", [*ink, 0]), ("span", [p - i for p, i in zip(paper, ink, strict=True)] + [255]),
        ):  # fmt: skip
            self.register_buffer(name, torch.tensor(values).float().view(1, 4, 1, 1))
        for weight in self.net.parameters():  # exactly what half precision can hold: the file needs no more
            weight.data = weight.data.half().float()

    def forward(self, crops: Tensor) -> Tensor:
        """(N, h, w, 3) uint8 RGB -> (N, h, w, 4) uint8 RGBA. A cast truncates, so it comes after Round and Clip."""
        x = crops.to(self.net.out.weight.dtype).permute(0, 3, 1, 2)
        logits = self.net(x * (1 / 127.5) - 1)
        unit = (torch.sigmoid(logits) * self.gain + self.shift).clamp(0, 1)
        rgba = (unit * self.span + self.base).round().clamp(0, 255)
        return rgba.permute(0, 2, 3, 1).to(torch.uint8)


def fold(net: nn.Module) -> Any:
    """Every convolution followed by BatchNorm becomes one convolution; changes ``net``."""
    for name, child in net.named_children():
        if isinstance(child, nn.Sequential):
            layers = list(child)
            for i in range(len(layers) - 1):
                first, second = layers[i], layers[i + 1]
                if isinstance(first, nn.Conv2d) and isinstance(second, nn.BatchNorm2d):
                    layers[i], layers[i + 1] = fuse_conv_bn_eval(first, second), nn.Identity()
            setattr(net, name, nn.Sequential(*(x for x in layers if not isinstance(x, nn.Identity))))
        fold(getattr(net, name))
    return net


def to_onnx(deployed: nn.Module, size: int) -> bytes:
    """The ONNX file of a deployed network, N free from 1 to 8."""
    buffer = io.BytesIO()
    sink: Any = buffer  # its stubs know file names only
    example = torch.zeros(2, size, size, 3, dtype=torch.uint8)
    with warnings.catch_warnings(), np.errstate(invalid="ignore"):
        warnings.simplefilter("ignore")
        torch.onnx.export(
            deployed, (example,), sink, input_names=["crops"], output_names=["drawn"], opset_version=17, dynamo=False,
            dynamic_axes={"crops": {0: "n"}, "drawn": {0: "n"}},
            do_constant_folding=False,  # the hatch texture stays in bytes: a quarter of the size
        )  # fmt: skip
    return compact(buffer.getvalue())


def compact(data: bytes) -> bytes:
    """The same graph with its large constants stored in fewer bytes and cast back at load: half, or uint8 texture."""
    import onnx
    from onnx import helper, numpy_helper

    model = onnx.load_from_string(data)
    graph, casts = model.graph, []
    for node in [n for n in graph.node if n.op_type == "Constant"]:  # constants become initialisers: one case, not two
        value = node.attribute[0].t
        if len(value.raw_data) > 4096:
            value.name = node.output[0]
            graph.initializer.append(value)
            graph.node.remove(node)
    for tensor in graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype not in (np.float32, np.float16) or values.size < 64:
            continue
        whole = np.array_equal(values, values.astype(np.uint8))
        halves = values.dtype == np.float32 and np.array_equal(values, values.astype(np.float16))
        if not whole and not halves:
            continue
        small = numpy_helper.from_array(values.astype(np.uint8 if whole else np.float16), f"{tensor.name}.small")
        casts.append(helper.make_node("Cast", [small.name], [tensor.name], to=tensor.data_type))
        tensor.CopyFrom(small)
    for cast in reversed(casts):
        graph.node.insert(0, cast)
    names = [t.name for t in graph.initializer] + [o for node in graph.node for o in node.output]
    ends = {graph.input[0].name, graph.output[0].name}
    short = {name: f"t{n}" for n, name in enumerate(names) if name not in ends}  # names were a twentieth of the file
    for node in graph.node:
        node.name = ""
        node.input[:] = [short.get(name, name) for name in node.input]
        node.output[:] = [short.get(name, name) for name in node.output]
    for tensor in graph.initializer:
        tensor.name = short[tensor.name]
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def run_onnx(data: bytes, crops: U8) -> U8:
    """What the file draws in full precision, (N, h, w, 4) uint8: by the embedded engine, as users run it."""
    with tempfile.NamedTemporaryFile(suffix=".onnx") as file:
        file.write(data)
        file.flush()
        engine = engines.runtimes.openvino.load(Path(file.name), precision="f32")
    try:
        return engine(crops)
    finally:
        engine.close()


def psnr(a: U8, b: U8) -> float:
    """PSNR in dB between two uint8 arrays; 99 where they are equal."""
    error = float(np.mean((a.astype(np.float64) - b) ** 2))
    return 99.0 if error == 0 else float(10 * np.log10(255**2 / error))


def trial(size: int, count: int = 2) -> U8:
    """(count, size, size, 3) uint8 pictures to compare on: clouds of colour in every light, made from a seed."""
    import cv2

    rng = np.random.default_rng(1)
    cells = [rng.uniform(0, 1, (n, n, 3)) for n in (5, 9, 17, 33)]
    clouds = [cv2.resize(c, (size, size), interpolation=cv2.INTER_CUBIC) for c in cells]
    pictures = [np.asarray(np.clip(c * 255, 0, 255), np.uint8) for c in clouds]
    return np.stack([degrade(rng, pictures[i % 4]) for i in range(count)])


def deploy(state: dict[str, Any], args: Args) -> Deployed | DeployedPicture:
    """The exportable network of a checkpoint: its moving average, of the direction asked for."""
    known, there = state["args"], args.direction == "to-drawing"
    if not there and "ema_back" not in state:
        raise BadInput("the checkpoint has learned one direction only; leave --direction out")
    heads = 3 if "method" in known else 2  # cyclegan and pix2pix give pictures
    try:
        net = munet.build(known["net"], size_of(state, args), hatch=known.get("hatch", there), heads=heads)
        net.load_state_dict(state["ema" if there else "ema_back"])
    except (KeyError, RuntimeError) as error:
        raise BadInput(f"the checkpoint does not fit its net: {str(error).splitlines()[0]}") from None
    return Deployed(net, args.ink, args.paper).eval() if isinstance(net, MUNet) and heads == 2 else DeployedPicture(net)


def size_of(state: dict[str, Any], args: Args) -> int:
    """Side of a crop: the one trained at, where the checkpoint says so."""
    return int(state["args"].get("size", args.size))


def graphs(state: dict[str, Any], args: Args) -> tuple[dict[str, bytes], dict[str, float]]:
    """ONNX files by precision, and their PSNR against torch in dB. Raises BadInput where one is too far off."""
    size = size_of(state, args)
    deployed, crops = deploy(state, args).eval(), trial(size)
    half = copy.deepcopy(deployed).half()
    files = {"fp32": to_onnx(deployed, size), "fp16": to_onnx(half, size)}
    with torch.no_grad():
        reference, halved = (net(torch.from_numpy(crops)).numpy() for net in (deployed, half))
    parity = {name: psnr(run_onnx(data, crops), reference) for name, data in files.items()}
    parity["fp16"] = min(parity["fp16"], psnr(halved, reference))  # the file's weights, and half arithmetic itself
    for name, found in parity.items():
        if found < NEED[name]:
            raise BadInput(f"{name} ONNX is {found:.1f} dB from torch, not {NEED[name]:.0f}; nothing was written")
    return files, parity


def before_and_after(state: dict[str, Any], args: Args) -> bytes:
    """A WebP of the photo's crop and its drawing on paper, side by side, (224, 448)."""
    import cv2

    photo = None if args.photo is None or not args.photo.is_file() else prepare.read_rgb(args.photo)
    with Finder() as finder:
        found = None if photo is None else prepare.canvas_of(photo, finder, args.margin)
    if found is None:
        raise BadInput(f"photo {args.photo} is not a picture with a face")
    crop = prepare.middle(found[0])
    size = size_of(state, args)
    crop = np.asarray(cv2.resize(crop, (size, size), interpolation=cv2.INTER_AREA), np.uint8)
    with torch.no_grad():
        drawn = deploy(state, args)(torch.from_numpy(crop[None])).numpy()[0]
    alpha = drawn[..., 3:].astype(np.float32) / 255
    paper = drawn[..., :3] * alpha + np.array(args.paper) * (1 - alpha)
    both = np.hstack([crop, np.asarray(paper + 0.5, np.uint8)])
    both = cv2.resize(both, (448, 224), interpolation=cv2.INTER_AREA)
    return cv2.imencode(".webp", both[:, :, ::-1], [cv2.IMWRITE_WEBP_QUALITY, 50])[1].tobytes()


def artefacts_of(state: dict[str, Any], args: Args) -> dict[str, float]:
    """What artefacts.py finds in the network's drawings of trial pictures."""

    def drawer(way: Args) -> artefacts.Draw:
        net = deploy(state, way).eval()

        @torch.no_grad()
        def draw(pictures: U8) -> U8:
            return np.asarray(net(torch.from_numpy(np.ascontiguousarray(pictures)))[..., :3], np.uint8)

        return draw

    other = replace(args, direction="to-photo" if args.direction == "to-drawing" else "to-drawing")
    back = drawer(other) if "ema_back" in state else None
    return artefacts.find(drawer(args), trial(size_of(state, args), 4), back)


def export(args: Args) -> dict[str, float]:
    """Write the style folder; returns parity in dB by precision."""
    state = checkpoint.load(args.checkpoint)
    name = args.name or args.out.resolve().name
    picture = None if args.photo is None else before_and_after(state, args)
    files, parity = graphs(state, args)
    failing = artefacts.failing(artefacts_of(state, args))
    if failing and not args.force:
        raise BadInput(f"the drawings show {', '.join(failing)}; nothing was written; look at them, then give --force")
    write_bytes(args.out / f"{name}.onnx", files["fp32"])
    half = args.out / f"{name}.fp16.onnx"
    if args.fp16:
        write_bytes(half, files["fp16"])
    else:
        half.unlink(missing_ok=True)
    digests = {precision: hashlib.sha256(data).hexdigest() for precision, data in files.items()}
    lines = {
        "name": name, "title": args.title or name, "onnx": f"{name}.onnx", "sha256": digests["fp32"],
        **({"fp16": half.name, "fp16_sha256": digests["fp16"]} if args.fp16 else {}),
        "size": size_of(state, args), "region": "head", "background": "keep",
        "matte": "model" if isinstance(deploy(state, args), DeployedPicture) else "net", "margin": args.margin,
        "feather": 0.08, "paper": list(args.paper), "licence": "Apache-2.0",
    }  # fmt: skip
    text = "".join(f'{k} = "{v}"\n' if isinstance(v, str) else f"{k} = {v}\n" for k, v in lines.items())
    write_text(args.out / "style.toml", text)
    if picture is not None:
        write_bytes(args.out / "preview.webp", picture)
    sizes = {k: len(v) // 1024 for k, v in files.items()}
    print(f"{args.out}: " + ", ".join(f"{k} {sizes[k]} kB, {parity[k]:.1f} dB from torch" for k in files))
    return parity
