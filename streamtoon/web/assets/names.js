// Names and keys for what Gradio leaves without: the line between before and after, players, groups of choices.
(() => {
  const NAMES = { "play-pause-replay-button": "Play or pause", "full-screen": "Full screen" };
  const STEP = 24; // px that an arrow key moves the line

  const drag = (grip, dx) => { // as a mouse would: Gradio's line knows nothing else
    const { left, top, width, height } = grip.getBoundingClientRect();
    const at = (x) => ({ bubbles: true, cancelable: true, view: window, clientX: left + width / 2 + x, clientY: top + height / 2 });
    grip.dispatchEvent(new MouseEvent("mousedown", at(0)));
    window.dispatchEvent(new MouseEvent("mousemove", at(dx)));
    window.dispatchEvent(new MouseEvent("mouseup", at(dx)));
  };
  const value = (pair, grip) => {
    const whole = pair.querySelector(".slider-wrap").getBoundingClientRect(), line = grip.getBoundingClientRect();
    grip.setAttribute("aria-valuenow", Math.round((100 * (line.left + line.width / 2 - whole.left)) / (whole.width || 1)));
  };
  const slider = (pair) => {
    const grip = pair.querySelector("[data-testid=slider]");
    pair.querySelectorAll("img").forEach((image, i) => { image.alt = i ? "After: the drawing" : "Before: your photo"; });
    if (!grip || grip.tabIndex === 0) return;
    grip.tabIndex = 0;
    for (const [name, text] of [["role", "slider"], ["aria-label", "Line between before and after"], ["aria-valuemin", 0], ["aria-valuemax", 100]]) {
      grip.setAttribute(name, text);
    }
    value(pair, grip);
    grip.addEventListener("keydown", (event) => {
      const to = { ArrowLeft: -STEP, ArrowRight: STEP }[event.key];
      if (!to) return;
      event.preventDefault();
      drag(grip, to);
      requestAnimationFrame(() => value(pair, grip));
    });
  };
  const name = () => {
    for (const [old, text] of Object.entries(NAMES)) {
      document.querySelectorAll(`[aria-label="${old}"]`).forEach((it) => it.setAttribute("aria-label", text));
    }
    document.querySelectorAll("fieldset:not([aria-label])").forEach((it) => {
      const title = it.querySelector("[data-testid=block-info]");
      if (title) it.setAttribute("aria-label", title.textContent.trim());
    });
    document.getElementById("theme-toggle")?.setAttribute("aria-pressed", document.body.classList.contains("dark"));
    const pair = document.getElementById("photo-pair");
    if (pair) slider(pair);
  };
  let asked = false;
  const soon = () => { if (!asked) { asked = true; requestAnimationFrame(() => { asked = false; name(); }); } };
  streamtoon.loaded(() => { new MutationObserver(soon).observe(document.body, { childList: true, subtree: true }); soon(); });
})();
