// The page's side of Live: asks for the camera, offers it to the server, shows what comes back.
window.streamtoon = window.streamtoon || {};
(() => {
  const TRY = 20000; // ms until a connection that does not come about is given up
  let camera = null, peer = null, timer = null, mirrored = true;
  const $ = (id) => document.getElementById(id);
  const stage = () => document.querySelector(".stage");
  const show = (state) => { if (stage()) stage().dataset.state = state; };
  const say = (text) => { const line = $("live-notice"); line.textContent = text; line.hidden = !text; };
  const set = (id, text) => { $(id).textContent = text; };

  const free = () => {
    clearTimeout(timer);
    camera?.getTracks().forEach((track) => track.stop());
    peer?.close();
    camera = peer = null;
    const video = $("live-video");
    if (video) video.srcObject = null;
    show("idle");
    for (const id of ["live-fps", "live-latency", "live-dropped", "live-engine"]) set(id, "–");
  };
  const press = (id) => { const it = $(id); (it?.matches("button") ? it : it?.querySelector("button"))?.click(); };
  const fall = (why) => {
    free();
    say(why);
    press("live-stop");
    if (!document.querySelector("#stream-fallback .stream-in")?.offsetParent) {
      document.querySelector("#stream-fallback button")?.click();
    }
  };
  const denied = (error) => ({
    NotAllowedError: "The browser was not allowed to use the camera. Allow it in the address bar and press Start again.",
    NotFoundError: "No camera was found. Plug one in and press Start again.",
    NotReadableError: "Another program uses the camera. Close it there and press Start again.",
  })[error.name] || `The camera cannot be used: ${error.message}`;

  // What the way there and back adds to the server's own part, in ms, and pictures a second as they arrive here. Means
  // since the last look: encoding the camera's picture, the network's round trip, waiting for order, decoding.
  let before = {};
  const way = async (connection) => {
    const found = {};
    for (const row of (await connection.getStats()).values()) {
      if (row.type === "candidate-pair" && row.nominated) found.trip = row.currentRoundTripTime || 0;
      if (row.type === "outbound-rtp") Object.assign(found, { encoding: row.totalEncodeTime, encoded: row.framesEncoded });
      if (row.type === "inbound-rtp") {
        Object.assign(found, { waiting: row.jitterBufferDelay, emitted: row.jitterBufferEmittedCount,
          decoding: row.totalDecodeTime, decoded: row.framesDecoded, at: row.timestamp });
      }
    }
    const since = (what) => (found[what] || 0) - (before[what] || 0);
    const mean = (what, count) => (since(count) > 0 ? since(what) / since(count) : 0);
    const ms = 1000 * ((found.trip || 0) + mean("encoding", "encoded") + mean("waiting", "emitted") + mean("decoding", "decoded"));
    const fps = before.at ? (1000 * since("decoded")) / since("at") : 0;
    before = found;
    return { ms, fps };
  };

  const gathered = (connection) => new Promise((done) => {
    if (connection.iceGatheringState === "complete") return done();
    connection.addEventListener("icegatheringstatechange", () => {
      if (connection.iceGatheringState === "complete") done();
    });
    setTimeout(done, 3000); // a STUN server that does not answer must not hold it up
  });

  streamtoon.offer = async ([, ...chosen]) => {
    const nothing = ["", ...chosen];
    say("");
    if (!navigator.mediaDevices?.getUserMedia) {
      say("This browser gives the camera only to pages on this machine (127.0.0.1) or behind https.");
      return nothing;
    }
    if (!window.RTCPeerConnection) {
      fall("This browser has no WebRTC. The slower picture stream below works without it.");
      return nothing;
    }
    free();
    show("wait");
    try {
      camera = await navigator.mediaDevices.getUserMedia({
        audio: false,
        video: { width: { ideal: 640 }, height: { ideal: 480 }, frameRate: { ideal: 30, max: 30 }, facingMode: "user" },
      });
    } catch (error) {
      free();
      say(denied(error));
      return nothing;
    }
    const track = camera.getVideoTracks()[0], { width, height } = track.getSettings();
    track.contentHint = "motion";
    track.addEventListener("ended", () => { if (camera) { free(); press("live-stop"); say("The camera was unplugged."); } });
    const ice = JSON.parse(document.querySelector("meta[name=streamtoon-ice]")?.content || "[]");
    const mine = peer = new RTCPeerConnection({ iceServers: ice.map((urls) => ({ urls })) });
    const sender = peer.addTrack(track, camera);
    peer.ontrack = ({ track: drawn, receiver }) => {
      receiver.jitterBufferTarget = 0; // newest wins here too
      $("live-video").srcObject = new MediaStream([drawn]);
    };
    peer.onconnectionstatechange = () => {
      if (peer !== mine) return;
      if (peer.connectionState === "connected") { clearTimeout(timer); show("live"); }
      if (peer.connectionState === "failed") {
        fall("The video connection broke or is not possible here, perhaps because of a proxy. The slower picture stream below works without it.");
      }
    };
    const channel = peer.createDataChannel("meter");
    before = {};
    channel.onmessage = async ({ data }) => {
      const now = JSON.parse(data), there = await way(mine);
      if (peer !== mine) return;
      set("live-state", now.state === "drawn" ? "drawn" : now.state === "held" ? "held for a moment" : "card: nobody is seen");
      set("live-fps", there.fps.toFixed(1));
      set("live-latency", now.latency ? `${Math.round(now.latency + there.ms)} ms` : "–");
      $("live-latency").title = `${now.latency} ms of it to draw, at ${now.fps} pictures a second`;
      set("live-dropped", now.dropped);
      set("live-engine", now.engine);
      $("live-engine").title = now.engine;
      say(now.fault);
    };
    channel.onclose = () => { if (peer === mine && camera) { free(); press("live-stop"); } };
    await peer.setLocalDescription(await peer.createOffer());
    await gathered(peer);
    const parameters = sender.getParameters();
    parameters.degradationPreference = "maintain-framerate";
    parameters.encodings.forEach((encoding) => { encoding.maxBitrate = 1500000; encoding.maxFramerate = 30; });
    await sender.setParameters(parameters).catch(() => {}); // a browser that does not know these sends as it likes
    return [JSON.stringify({ sdp: peer.localDescription.sdp, width, height }), ...chosen];
  };

  streamtoon.answer = async (said) => {
    const { sdp, error } = JSON.parse(said || "{}");
    if (error) { free(); say(error); return []; }
    if (!sdp || !peer) return [];
    timer = setTimeout(() => fall(
      "No video connection came about, perhaps because of a proxy. The slower picture stream below works without it."), TRY);
    try { await peer.setRemoteDescription({ type: "answer", sdp }); } catch (problem) { fall(String(problem.message)); }
    return [];
  };

  streamtoon.stop = () => { say(""); free(); };
  streamtoon.mirror = (on) => { mirrored = on; stage().classList.toggle("plain", !on); return []; };
  streamtoon.room = (shown) => { // what the badge promises must hold: a room as it is may hold a face that is missed
    const badge = document.querySelector(".badge.safe");
    badge.classList.toggle("room", shown);
    set("live-safe", shown ? "ROOM SHOWN" : "SAFE");
    badge.title = shown ? "Faces that are found are drawn or covered; your room, and a face that is missed, leave as they are."
      : "Only drawings, or a card, leave the guard: no undrawn picture of you does.";
    return [];
  };
  streamtoon.snapshot = () => {
    const video = $("live-video"), canvas = document.createElement("canvas");
    if (!video.videoWidth) return [];
    [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
    const sheet = canvas.getContext("2d");
    if (mirrored) { sheet.translate(canvas.width, 0); sheet.scale(-1, 1); }
    sheet.drawImage(video, 0, 0);
    canvas.toBlob((blob) => {
      const link = document.createElement("a");
      link.href = URL.createObjectURL(blob);
      link.download = `streamtoon-${new Date().toISOString().slice(0, 19).replaceAll(":", "-")}.png`;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 10000);
      stage().classList.remove("flash"); void stage().offsetWidth; stage().classList.add("flash");
    }, "image/png");
    return [];
  };
  addEventListener("pagehide", () => { camera?.getTracks().forEach((track) => track.stop()); peer?.close(); });
})();
