// Light and dark: the system's choice until somebody chooses.
window.streamtoon = window.streamtoon || {};
(() => {
  const key = "streamtoon-theme";
  const asked = new URLSearchParams(location.search).get("__theme");
  const system = matchMedia("(prefers-color-scheme: dark)");
  let stored = null;
  try { stored = localStorage.getItem(key); } catch { /* no storage in this browser: the choice lasts as long as the page */ }
  const show = (dark) => {
    document.body.classList.toggle("dark", dark);
    document.querySelector("#theme-toggle")?.setAttribute("aria-pressed", String(dark));
  };
  streamtoon.theme = () => {
    const dark = !document.body.classList.contains("dark");
    try { localStorage.setItem(key, dark ? "dark" : "light"); } catch { /* as above */ }
    show(dark);
  };
  streamtoon.loaded = (call) => { // Gradio may run these scripts long after the page was read
    if (document.readyState === "loading") addEventListener("DOMContentLoaded", call);
    else call();
  };
  streamtoon.loaded(() => {
    document.documentElement.lang = "en";
    if (!asked) show(stored ? stored === "dark" : system.matches);
  });
  addEventListener("click", (event) => { if (event.target.closest?.("#theme-toggle")) streamtoon.theme(); });
})();
