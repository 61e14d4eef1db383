"""What Live reaches on this machine, browser and server together: ``python tests/web/measure.py [SECONDS]``.

Prints pictures a second presented and decoded in the page, latency and drops every 60 pictures, then how long a style
change takes to be seen, and the processor time of server and browser in cores.
"""

import os
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import browsing
from playwright.sync_api import sync_playwright

# whether a style's paper stands in the corner of the picture: red and blue differ by 10 in wash, by none in engraving
CORNER = """(red) => { const v = document.getElementById('live-video'), c = document.createElement('canvas');
  c.width = c.height = 20; const s = c.getContext('2d'); s.drawImage(v, 0, 0, 20, 20, 0, 0, 20, 20);
  const d = s.getImageData(8, 8, 1, 1).data; return (d[0] - d[2] > 4) === (red < 255); }"""


def processor(pid):
    """Seconds of processor time that a process and its children have used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return sum(int(fields[i]) for i in (11, 12)) / os.sysconf("SC_CLK_TCK")


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
            server = browsing.family(site.process.pid)
            browsers = browsing.family(os.getpid()) - server - {os.getpid()}
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
            busy = [(spent(pids) - before) / wall for pids, before in zip((server, browsers), used, strict=True)]
            for name, paper in (("Ink wash", 252), ("Wood engraving", 255)) * 2:
                page.click("#live-style input")
                page.get_by_role("option", name=name).click()
                asked = time.monotonic()
                page.wait_for_function(CORNER, arg=paper)
                print(f"{name} shown after {time.monotonic() - asked:.2f} s")
            print(f"cores busy: server {busy[0]:.2f}, browser {busy[1]:.2f} of {os.cpu_count()}")
        site.close()


if __name__ == "__main__":
    main()
