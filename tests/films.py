"""Small films made here and read back with PyAV alone, so that sources and sinks are judged by something else."""

import hashlib
from fractions import Fraction

import av
import numpy as np

from streamtoon.privacy.guard import Guard
from streamtoon.workflows.convert import Options, convert

LOSSLESS = {"qp": "0", "preset": "ultrafast"}  # libx264
NTSC = Fraction(1001, 30000)
CONVERT_LOSSLESS = {"encoder": "libx264", "crf": 0, "preset": "ultrafast"}
QUARTER_TURN = (0, 65536, 0, -65536, 0, 0, 48 << 16, 0, 1 << 30)  # a display matrix


def picture(index, width, height, depth=8):
    """(3 * h / 2, w) samples of a moving ramp, as yuv420p or, with depth 10, yuv420p10le; any size."""
    y, x = np.mgrid[:height, :width]
    top = (1 << depth) - 40
    luma = 16 + (3 * x + 5 * y + 11 * index) % (top - 16)
    y, x = np.mgrid[: (height + 1) // 2, : (width + 1) // 2]
    return luma, 40 + (2 * x + y + index) % (top - 80), 60 + (x + 3 * y + 2 * index) % (top - 100)


def film(  # noqa: C901 - every option of a film is a branch
        path, ticks=range(12), *, time_base=Fraction(1, 25), rate=None, size=(64, 48), codec="libx264", options=None,
        pix_fmt="yuv420p", matrix=None, aspect=None, colour=None, sound=(), text=(), chapters=(), tags=None,
        container_options=None, cover=False, second=False):  # fmt: skip
    """Write a film of ``picture`` i at tick i, with tracks beside it.

    colour is (range, matrix, primaries, transfer); sound holds codec names, text (start, end, line) in milliseconds.
    """
    ticks = list(ticks)
    movie = {"movie_timescale": str(time_base.denominator), "video_track_timescale": str(time_base.denominator)}
    movie = movie if str(path).endswith((".mp4", ".mov")) else {"avoid_negative_ts": "disabled"}
    with av.open(str(path), "w", container_options={**movie, **(container_options or {})}) as out:
        films = [out.add_stream(codec, rate=rate or 1 / time_base) for _ in range(1 + second)]
        for stream in films:
            stream.width, stream.height, stream.pix_fmt = *size, pix_fmt
            stream.codec_context.time_base = stream.time_base = time_base
            stream.codec_context.flags |= 1 << 8  # the packets last as long as the frames
            stream.options = dict(LOSSLESS if codec == "libx264" and options is None else options or {})
            if aspect:
                stream.codec_context.sample_aspect_ratio = aspect
            if colour:
                ctx = stream.codec_context
                ctx.color_range, ctx.colorspace, ctx.color_primaries, ctx.color_trc = colour
            if matrix:
                stream.set_display_matrix(matrix)
        voices = [voice(out, name, i) for i, name in enumerate(sound)]
        subtitles = out.add_stream("srt" if str(path).endswith(".mkv") else "mov_text") if text else None
        if subtitles:
            subtitles.codec_context.subtitle_header = ASS
            subtitles.codec_context.time_base = Fraction(1, 1000)
            subtitles.metadata["language"] = "fre"
        if cover:
            face = out.add_stream("mjpeg", rate=1, options={"strict": "unofficial"})
            face.width, face.height, face.pix_fmt = 32, 32, "yuv420p"
            face.disposition = av.stream.Disposition.attached_pic
        out.metadata.update(tags or {})
        out.set_chapters(
            [
                {"id": i, "start": start, "end": end, "time_base": Fraction(1, 1000), "metadata": {"title": title}}
                for i, (start, end, title) in enumerate(chapters)
            ]
        )
        out.start_encoding()
        if cover:
            out.mux(face.encode(frame(0, (32, 32), "yuv420p")))
            out.mux(face.encode(None))
        for i, tick in enumerate(ticks):
            shown = ticks[i + 1] - tick if i + 1 < len(ticks) else tick - ticks[i - 1] or 1
            for n, stream in enumerate(films):
                out.mux(stream.encode(frame(i + 100 * n, size, pix_fmt, tick=tick, time_base=time_base, shown=shown)))
            for _, speak in voices:
                out.mux(speak(float((tick + shown) * time_base)))
        for start, end, line in text:
            entry = av.subtitles.subtitle.SubtitleSet.create(
                text=f"{start},0,Default,,0,0,0,,{line}".encode(), start=0, end=end - start
            )
            packet = subtitles.codec_context.encode_subtitle(entry)
            packet.pts = packet.dts = start
            packet.duration, packet.time_base, packet.stream = end - start, Fraction(1, 1000), subtitles
            out.mux(packet)
        for stream in films:
            out.mux(stream.encode(None))
        for stream, _ in voices:
            out.mux(stream.encode(None))
    return path


ASS = (
    b"[Script Info]\r\nScriptType: v4.00+\r\nPlayResX: 384\r\nPlayResY: 288\r\n\r\n[V4+ Styles]\r\n"
    b"Format: Name, Fontname, Fontsize, PrimaryColour, SecondaryColour, OutlineColour, BackColour, Bold, Italic, "
    b"Underline, StrikeOut, ScaleX, ScaleY, Spacing, Angle, BorderStyle, Outline, Shadow, Alignment, MarginL, MarginR, "
    b"MarginV, Encoding\r\n"
    b"Style: Default,Arial,16,&Hffffff,&Hffffff,&H0,&H0,0,0,0,0,100,100,0,0,1,1,0,2,10,10,10,1\r\n\r\n"
    b"[Events]\r\nFormat: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\r\n"
)


def frame(index, size, pix_fmt, *, tick=0, time_base=Fraction(1, 25), shown=1):
    """One picture as an av frame."""
    made = av.VideoFrame(*size, pix_fmt if pix_fmt in PLAIN else "yuv420p")
    depth = 10 if pix_fmt == "yuv420p10le" else 8
    for samples, plane in zip(picture(index, *size, depth), made.planes, strict=True):
        kind = np.uint16 if depth > 8 else np.uint8
        rows = np.frombuffer(memoryview(plane), kind).reshape(plane.height, -1)
        rows[:, : plane.width] = samples
    made.pts, made.time_base, made.duration = tick, time_base, shown
    return made


PLAIN = ("yuv420p", "yuvj420p", "yuv420p10le")


def voice(out, codec, number):
    """A tone in its own language, and what encodes it up to a second."""
    stream = out.add_stream(codec, rate=48000)
    stream.layout = "mono"
    stream.metadata["language"] = ("eng", "ger")[number % 2]
    done = [0]

    def speak(until):
        packets = []
        while done[0] < until * 48000:
            t = (np.arange(1024) + done[0]) / 48000
            wave = (8000 * np.sin(2 * np.pi * (300 + 200 * number) * t)).astype(np.int16)[None]
            sound = av.AudioFrame.from_ndarray(wave, "s16", "mono")
            sound.sample_rate, sound.pts, sound.time_base = 48000, done[0], Fraction(1, 48000)
            packets += stream.encode(sound)
            done[0] += 1024
        return packets

    return stream, speak


def times(path, track=0):
    """Exact presentation times of the frames of one video track, seconds."""
    with av.open(str(path)) as c:
        return [f.pts * f.time_base for f in c.decode(video=track)]


def planes(path, track=0):
    """The coded pictures of one video track: for each frame its y, u and v."""
    with av.open(str(path)) as c:
        return [tuple(samples(p) for p in f.planes) for f in c.decode(video=track)]


def samples(plane):
    """A copy of the samples of one plane."""
    return np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, -1)[:, : plane.width].copy()


def same(a, b):
    """Whether two lists of pictures are equal sample by sample."""
    return len(a) == len(b) and all(
        x.shape == y.shape and (x == y).all() for p, q in zip(a, b, strict=True) for x, y in zip(p, q, strict=True)
    )


def tracks(path, kind):
    """For each track of a kind: language, hash of its packets, their exact times."""
    with av.open(str(path)) as c:
        streams = [s for s in c.streams if s.type == kind]
        found = {s.index: (hashlib.sha256(), []) for s in streams}
        for packet in c.demux(streams) if streams else ():
            if packet.size:
                found[packet.stream.index][0].update(bytes(packet))
                found[packet.stream.index][1].append(packet.pts * packet.time_base)
        return [(s.metadata.get("language"), found[s.index][0].hexdigest(), found[s.index][1]) for s in streams]


def keep(frame):
    """The toon that draws nothing."""
    return Guard(private=False)(frame, None, 0)


def square(frame):
    """The toon that draws one square, 16 px wide, at (8, 8), and leaves everything else alone."""
    changed = tuple(p.copy() for p in frame.planes)
    for plane, n in zip(changed, (16, 8, 8), strict=True):
        plane[n // 2 : n // 2 + n, n // 2 : n // 2 + n] = 200
    return Guard(private=False)(frame, changed, 1)


def run(source, target, toon=keep, **options):
    """Convert a film with a toon; the summary."""
    return convert(Options(str(source), str(target), **options), lambda: toon)
