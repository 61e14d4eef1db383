"""What belongs to the process is as it was when a toon is done, and others can use it meanwhile."""

import os
import subprocess
import sys
import threading
import time

import cv2
from calls import Ink

from streamtoon.pipeline.mediapipe_tasks import quiet
from streamtoon.pipeline.toon import Toon

ABSL = "W0000 00:00:1795823884.681521   25287 inference_runner.cc:1418] Input tensor memory is not aligned"
LITERT = "INFO: [environment.cc:36] Creating environment"


def test_opencv_has_its_threads_again(style):
    before = cv2.getNumThreads()
    cv2.setNumThreads(3)
    try:
        first, second = Toon(style, Ink()), Toon(style, Ink())
        assert cv2.getNumThreads() == 1
        first.close()
        assert cv2.getNumThreads() == 1  # one is still at work
        second.close()
        assert cv2.getNumThreads() == 3
        second.close()
        assert cv2.getNumThreads() == 3
    finally:
        cv2.setNumThreads(before)


def test_a_line_of_another_thread_arrives_while_detectors_are_made(style, capfd):
    """And MediaPipe's own lines do not."""
    stop, written = threading.Event(), []

    def write():
        while not stop.wait(0.002):
            written.append(f"line {len(written)} of another thread")
            os.write(2, f"{written[-1]}\n".encode())

    thread = threading.Thread(target=write)
    thread.start()
    Toon(style, Ink()).close()
    stop.set()
    thread.join()
    print("afterwards", file=sys.stderr)
    assert len(written) > 5
    assert capfd.readouterr().err.splitlines() == [*written, "afterwards"]


def test_only_information_of_mediapipe_is_kept_back(capfd):
    errors = ["E0000 00:00:1795823884.681521   25287 graph.cc:12] it is broken", "INFO: of somebody else", ""]
    with quiet(), quiet():
        for line in (ABSL, errors[0], LITERT, *errors[1:]):
            os.write(2, f"{line}\n".encode())
        os.write(2, b"no end of line")
    assert capfd.readouterr().err == "\n".join([*errors, "no end of line"])


def test_lines_in_pieces_are_told_apart_though_threads_mix(capfd):
    """LiteRT writes a line in three pieces, and so does print in two."""
    with quiet():
        for piece in ("INFO: ", "mine", LITERT.removeprefix("INFO: "), "\n", "\n", "next\n"):
            os.write(2, piece.encode())
            time.sleep(0.01)
    assert capfd.readouterr().err == "mine\nnext\n"


def test_users_that_overlap_leave_standard_error_as_it_was(capfd):
    entered, leave = threading.Event(), threading.Event()

    def other():
        with quiet():
            entered.set()
            leave.wait(5)

    thread = threading.Thread(target=other)
    with quiet():
        thread.start()
        entered.wait(5)
    os.write(2, f"{ABSL}\nbetween\n".encode())
    leave.set()
    thread.join()
    os.write(2, b"after\n")
    assert capfd.readouterr().err.splitlines() == ["between", "after"]


def test_a_child_process_started_meanwhile_keeps_a_standard_error(capfd):
    code = "import sys, time; time.sleep(0.3); print('child', file=sys.stderr)"
    with quiet():
        child = subprocess.Popen([sys.executable, "-c", code])
    assert child.wait() == 0
    deadline = threading.Event()
    err = ""
    for _ in range(50):
        err += capfd.readouterr().err
        if err:
            break
        deadline.wait(0.02)
    assert err.splitlines() == ["child"]


def test_a_process_without_standard_error(style_folder):
    code = (
        "import os; os.close(2)\n"
        "from streamtoon.pipeline.mediapipe_tasks import quiet\n"
        "with quiet(): pass\n"
        "print('well')"
    )
    run = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=True)
    assert run.stdout == "well\n"
