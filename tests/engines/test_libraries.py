"""OpenVINO and ONNX Runtime are loaded so that they report to nobody, and nothing of that stays in the process."""

import os
import subprocess
import sys

PACKAGES = {
    "openvino_telemetry": "def report(): pass",
    # as the real one does
    "openvino": "try:\n    from openvino_telemetry import report\nexcept ImportError:\n    report = None",
    "onnxruntime": "import os\nsilent = os.environ.get('ORT_DISABLE_TELEMETRY')",
}
PROGRAM = """
import os
if __import__("sys").argv[1:]:
    import openvino_telemetry
from engines import libraries
import_again = libraries.openvino() is libraries.openvino()
print(libraries.openvino().report, libraries.onnxruntime().silent, os.environ["ORT_DISABLE_TELEMETRY"], import_again)
import openvino_telemetry
print(openvino_telemetry.report.__name__)
"""


def test_each_is_silent_and_the_process_is_as_before(tmp_path):
    for name, code in PACKAGES.items():
        (tmp_path / f"{name}.py").write_text(code, encoding="utf-8")
    paths = os.pathsep.join([str(tmp_path), *sys.path])
    environment = {**os.environ, "PYTHONPATH": paths, "ORT_DISABLE_TELEMETRY": "0"}
    for words in ([], ["the program has its reporter already"]):
        run = subprocess.run(
            [sys.executable, "-c", PROGRAM, *words], env=environment, capture_output=True, text=True, check=True
        )
        assert run.stdout.splitlines() == ["None 1 0 True", "report"]
