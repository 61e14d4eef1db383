"""What Live reaches on this machine, browser and server together: ``python tests/web/measure.py [SECONDS]``.

Prints one line a second look: pictures a second decoded and presented in the page, latency, drops, and at the end the
processor time of server and browser in cores.
"""

import os
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import browsing
from playwright.sync_api import sync_playwright


def processor(pid):
    """Seconds of processor time that a process and its children have used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return sum(int(fields[i]) for i in (11, 12)) / os.sysconf("SC_CLK_TCK")


def family(root):
    """``root`` and every process below it."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(stat.parent.name)] = int(stat.read_text().rsplit(")", 1)[1].split()[1])
        except (OSError, ValueError):
            continue
    found, grown = {root}, True
    while grown:
        more = {pid for pid, parent in parents.items() if parent in found} - found
        found |= more
        grown = bool(more)
    return found


def spent(pids):
    return sum(processor(pid) for pid in pids if Path(f"/proc/{pid}/stat").exists())


def main():
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 20
    with tempfile.TemporaryDirectory() as folder:
        film = browsing.camera(Path(folder) / "portrait.y4m")
        site = browsing.Site(*sys.argv[2:])
        with (
            sync_playwright() as playwright,
            browsing.chromium(playwright, film) as browser,
            browsing.visitor(browser, site.address) as page,
        ):
            browsing.start(page)
            time.sleep(5)
            server = family(site.process.pid)
            browsers = family(os.getpid()) - server - {os.getpid()}
            began, used = time.monotonic(), (spent(server), spent(browsers))
            rates = []
            while time.monotonic() - began < seconds:
                rates.append(browsing.new_pictures(page, 60))
                print(
                    f"presented {rates[-1]:.1f} fps, decoded {page.inner_text('#live-fps')} fps, "
                    f"latency {page.inner_text('#live-latency')} ({page.get_attribute('#live-latency', 'title')}), "
                    f"dropped {page.inner_text('#live-dropped')}"
                )
            wall = time.monotonic() - began
            print(
                f"cores busy: server {(spent(server) - used[0]) / wall:.2f}, "
                f"browser {(spent(browsers) - used[1]) / wall:.2f} of {os.cpu_count()}"
            )
        site.close()


if __name__ == "__main__":
    main()
