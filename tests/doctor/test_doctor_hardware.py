"""GPU, CPU, memory and screen of machines made of files."""

from machines import tool, write

from streamtoon.doctor import hardware


def test_no_gpu(root, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    gpu, driver = hardware.gpu(root)
    assert (gpu.what, gpu.state, driver.state) == ("no NVIDIA GPU", "missing", "missing")
    assert "the CPU draws" in gpu.fix


def test_a_gpu_without_its_driver(root, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    for address, vendor, kind in (
        ("01", "0x10de", "0x030000"),
        ("01.1", "0x10de", "0x040300"),
        ("02", "0x8086", "0x030000"),
    ):
        write(root / f"sys/bus/pci/devices/0000:{address}/vendor", f"{vendor}\n")
        write(root / f"sys/bus/pci/devices/0000:{address}/class", f"{kind}\n")
    gpu, driver = hardware.gpu(root)
    assert (gpu.state, gpu.what) == ("ok", "NVIDIA, PCI 0000:01")
    assert (driver.state, driver.what) == ("missing", "no NVIDIA driver is loaded")
    assert driver.fix.startswith("sudo ubuntu-drivers install")
    kernel = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  570.86.15  Thu Jan 23\nGCC version: gcc 12.3.0"
    write(root / "proc/driver/nvidia/version", kernel)
    _, driver = hardware.gpu(root)
    assert (driver.state, driver.what) == ("broken", "NVIDIA 570.86.15 is loaded, nvidia-smi is not there")


def test_gpus_that_run(root, tmp_path, monkeypatch):
    two = "NVIDIA RTX 4090, 570.86.15, 24564 MiB\\nNVIDIA H200, 570.86.15, 143771 MiB"
    monkeypatch.setenv("PATH", tool(tmp_path / "bin", f"printf '{two}\\n'"))
    found = list(hardware.gpu(root))
    assert [f.what for f in found] == ["NVIDIA RTX 4090, 24564 MiB", "NVIDIA H200, 143771 MiB", "NVIDIA 570.86.15"]
    assert {f.state for f in found} == {"ok"}


def test_a_driver_that_does_not_answer(root, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", tool(tmp_path / "bin", "echo 'Driver/library version mismatch'; exit 18"))
    (gpu,) = hardware.gpu(root)
    assert (gpu.state, gpu.what) == ("broken", "Driver/library version mismatch")
    assert gpu.fix.startswith("sudo reboot")


def test_cpu_and_memory(root):
    write(root / "proc/cpuinfo", "model name\t: Old One\nflags\t\t: fpu sse4_2 avx\n")
    (cpu,) = hardware.cpu(root)
    assert cpu.state == "missing"
    assert cpu.what.startswith("Old One, ")
    write(root / "proc/cpuinfo", "model name\t: New One\nflags\t\t: fpu avx2 avx512f avx512_bf16 avx512_vnni\n")
    (cpu,) = hardware.cpu(root)
    assert (cpu.state, cpu.what.endswith("AVX2 AVX-512 bf16 VNNI")) == ("ok", True)
    (memory,) = hardware.memory(root)
    assert memory.state == "ok"  # nothing is known
    write(root / "proc/meminfo", "MemTotal: 4000000 kB\nMemFree: 1 kB\nMemAvailable: 500000 kB\n")
    (memory,) = hardware.memory(root)
    assert (memory.state, memory.what) == ("missing", "0.5 of 4.1 GB free; live wants 1 GB")


def test_no_screen(monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    (none,) = hardware.display()
    assert (none.state, "--no-preview" in none.fix) == ("missing", True)
    monkeypatch.setenv("DISPLAY", ":7")
    (screen,) = hardware.display()
    assert (screen.state, screen.what) == ("ok", "DISPLAY=:7")
