"""Draw a film with a progress bar of one's own: ``python examples/film.py [FILM [DRAWN]]``."""

import sys

import streamtoon

film = sys.argv[1] if len(sys.argv) > 1 else "portrait:60@640x360"  # the embedded portrait, moving
drawn = sys.argv[2] if len(sys.argv) > 2 else "drawn.mp4"


def bar(progress: streamtoon.Progress) -> None:
    """Show how far it is; called about four times a second."""
    done = progress.frames / (progress.total or progress.frames)
    print(f"\r[{'#' * round(30 * done):30}] {progress.fps:.0f} frames a second", end="", flush=True)


try:
    summary = streamtoon.convert(film, drawn, style="comic", progress=bar, overwrite=True)
except streamtoon.StreamtoonError as error:
    sys.exit(f"{error}")
print(f"\n{drawn}: {summary.frames} frames, {summary.faces} faces, {summary.seconds:.1f} s")
