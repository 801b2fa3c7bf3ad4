// Camera pictures to the server, moved portraits back. At most two are on their way, so that the delay stays short; where
// the machine is slower than the camera, pictures in between are left out.
const ON_THE_WAY = 2, SEND_WIDTH = 320, QUALITY = 0.8, HEADER = 12, MOVED_HEADER = 20;
const MIRROR_EVERY = 4;  // camera pictures: shown whole, the camera's own picture takes a fifth of the moved one's rate
const VISIBLE = 1, CALIBRATED = 2, DROPPED = 4;
const PLANES = [0x59, 0x55], PLANES_HEADER = 6;  // "YU", width, height: see studio/live_protocol.py

// One plane of a picture, (h, w) bytes from src[at] on, at half the size into dst[to] on: the mean of four pixels each.
function halved(src, at, w, h, dst, to) {
  for (let y = 0; y < h; y += 2) {
    let p = at + y * w;
    for (let x = 0; x < w; x += 2, p += 2) dst[to++] = (src[p] + src[p + 1] + src[p + w] + src[p + w + 1] + 2) >> 2;
  }
}

// Width and height of a player's or a frame's picture, px.
function sides(picture) {
  return [picture.videoWidth ?? picture.displayWidth, picture.videoHeight ?? picture.displayHeight];
}

class Live {
  constructor(root) {
    this.root = root.querySelector(".live");
    this.out = this.find(".out").getContext("2d");
    this.video = this.find(".in");
    this.mirror = this.find(".mirror").getContext("2d");
    this.pictures = 0;
    this.small = document.createElement("canvas");
    this.waiting = new Map();
    this.shown = [];
    this.delays = [];
    this.number = 0;
    this.find(".start").onclick = () => (this.stream ? this.stop() : this.start());
    this.find(".calibrate").onclick = () => this.tell({ do: "calibrate" });
    this.find(".record").onclick = () => this.toggleRecording();
    this.find(".device").onchange = () => this.openCamera(this.find(".device").value).catch((e) => this.fail(cameraProblem(e)));
    this.root.onkeydown = (event) => this.key(event);
  }

  find(selector) { return this.root.querySelector(selector); }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.tagName === "SELECT" || !this.ready) return;
    if (event.key === "n") this.tell({ do: "calibrate" });
    if (event.key === "r") this.toggleRecording();
  }

  update(data, setTriggerValue) {
    const before = this.data;
    this.data = data;
    this.setTriggerValue = setTriggerValue;
    if (!before || before.portrait !== data.portrait) this.drawStill();
    if (!before) return;
    if (before.ticket !== data.ticket && this.stream) this.connect();
    else if (before.version !== data.version) this.tell({ do: "settings" });
  }

  drawStill() {
    const picture = new Image();
    picture.onload = () => { if (!this.ready) this.draw(picture); };
    picture.src = this.data.portrait;
  }

  draw(picture) {
    const canvas = this.out.canvas;
    const width = picture.displayWidth ?? picture.width, height = picture.displayHeight ?? picture.height;
    const side = Math.max(width, height);
    if (canvas.width !== side) canvas.width = canvas.height = side;
    if (width !== height) this.out.clearRect(0, 0, side, side);
    this.out.drawImage(picture, (side - width) / 2, (side - height) / 2);
  }

  async start() {
    this.say("");
    this.veil("Waiting for the camera …");
    try {
      await this.openCamera();
    } catch (error) {
      return this.fail(cameraProblem(error));
    }
    this.find(".start").textContent = "Stop camera";
    await this.listCameras();
    this.connect();
  }

  async openCamera(deviceId) {
    if (!navigator.mediaDevices?.getUserMedia) throw new DOMException("", "NotSupportedError");
    this.stream?.getTracks().forEach((track) => track.stop());
    const wanted = { width: { ideal: 640 }, height: { ideal: 480 }, frameRate: { ideal: 30 } };
    if (deviceId) wanted.deviceId = { exact: deviceId };
    this.stream = await navigator.mediaDevices.getUserMedia({ video: wanted, audio: false });
    const track = this.stream.getVideoTracks()[0];
    track.onended = () => this.fail("The camera was switched off. Start it again.");
    this.root.classList.add("on");
    // Where pictures can be taken from the camera itself, no player has to show each of them, also those that are left out.
    if (typeof MediaStreamTrackProcessor === "function") {
      this.reader = new MediaStreamTrackProcessor({ track, maxBufferSize: 1 }).readable.getReader();
      if (this.ready) this.loop();  // another camera was chosen
      return;
    }
    this.video.srcObject = this.stream;
    await this.video.play();
  }

  async listCameras() {
    const cameras = (await navigator.mediaDevices.enumerateDevices()).filter((one) => one.kind === "videoinput");
    const select = this.find(".device");
    select.replaceChildren(...cameras.map((one, i) => new Option(one.label || `Camera ${i + 1}`, one.deviceId)));
    select.value = this.stream.getVideoTracks()[0].getSettings().deviceId ?? "";
    this.find(".pick").hidden = cameras.length < 2;
  }

  connect() {
    this.disconnect();
    this.veil("Loading the network …");
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = new WebSocket(`${scheme}://${location.host}${this.data.path}?ticket=${this.data.ticket}`);
    socket.binaryType = "arraybuffer";
    socket.onmessage = ({ data }) => (typeof data === "string" ? this.hear(JSON.parse(data)) : this.show(data));
    socket.onclose = () => {
      if (this.socket !== socket) return;
      if (!this.failed) this.fail("The connection to the studio was lost. Start the studio with `streamlit run studio/app.py`, reload this page and start the camera again.");
    };
    this.socket = socket;
    this.failed = false;
  }

  hear(event) {
    if (event.event === "ready") {
      this.ready = true;
      this.waiting.clear();
      this.veil("Look straight into the camera, relaxed …");
      this.find(".calibrate").disabled = this.find(".record").disabled = false;
      this.loop();
    } else if (event.event === "error") this.fail(event.message);
    else if (event.event === "recorded") { this.say("Recorded: it is below and in the Gallery."); this.setTriggerValue("recorded", event.run); }
    else if (event.event === "measured") this.setTriggerValue("recorded", event.run);
    else if (event.event === "not-recorded") this.say(event.message, true);
    else if (event.event === "recording-full" && this.recordingSince) this.toggleRecording();
  }

  loop() {
    const socket = this.socket;
    if (this.reader) return this.read(socket, this.reader);
    const next = () => {
      if (this.socket !== socket || !this.ready) return;
      this.send(this.video);
      if (this.video.requestVideoFrameCallback) this.video.requestVideoFrameCallback(next);
      else requestAnimationFrame(next);
    };
    next();
  }

  // The camera's newest picture whenever one may go: what comes in between is never looked at.
  async read(socket, reader) {
    while (this.socket === socket && this.ready && this.reader === reader) {
      if (this.isFull()) {
        await new Promise((free) => { this.free = free; setTimeout(free, 500); });
        continue;
      }
      const { value: frame, done } = await reader.read();
      if (done) return;
      await this.send(frame);
      frame.close();
    }
  }

  isFull() {
    const now = performance.now();
    for (const [number, time] of this.waiting) if (now - time > 4000) this.waiting.delete(number);
    return this.waiting.size >= ON_THE_WAY || this.encoding;
  }

  // Who sits before the camera, small and a few times a second: enough to sit right, and cheap.
  // Planes that were sent are drawn in a quarter of the time of the camera's own.
  reflect(picture, packet) {
    const small = packet[HEADER] === PLANES[0] && this.frame(packet);
    const { canvas } = this.mirror, [width, height] = sides(picture);
    const high = Math.round((canvas.width * height) / width);
    if (canvas.height !== high) canvas.height = high;
    this.mirror.drawImage(small || picture, 0, 0, canvas.width, high);
    if (small) small.close();
  }

  frame(packet) {
    const view = new DataView(packet.buffer), { colorSpace } = this;
    return new VideoFrame(packet.subarray(HEADER + PLANES_HEADER), {
      format: "I420", codedWidth: view.getUint16(HEADER + 2), codedHeight: view.getUint16(HEADER + 4), timestamp: 0, colorSpace,
    });
  }

  // A picture: the player, or a frame, which may be closed once this is done.
  send(picture) {
    if (this.isFull() || !sides(picture)[0]) { this.again = true; return; }
    this.again = false;
    const now = performance.now(), number = ++this.number, socket = this.socket;
    this.waiting.set(number, now);
    this.encoding = true;
    const lost = () => { this.encoding = false; this.waiting.delete(number); };
    const done = (packet) => {
      this.encoding = false;
      if (this.pictures++ % MIRROR_EVERY === 0) this.reflect(picture, packet);
      if (this.socket !== socket || socket.readyState !== WebSocket.OPEN) return;
      const view = new DataView(packet.buffer);
      view.setUint32(0, number);
      view.setFloat64(4, now / 1000);
      socket.send(packet);
    };
    return this.planes(picture).then((packet) => packet ?? this.jpeg(picture)).then(done).catch(lost);
  }

  // The camera's picture as the camera gave it, no wider than it has to be. Drawing and encoding it takes ten times as long,
  // and here the browser shares the processor with the network. null: this browser or camera gives no such planes.
  async planes(picture) {
    if (this.noPlanes || typeof VideoFrame !== "function") return null;
    let frame = null;
    try {
      frame = new VideoFrame(picture);
      let { width: w, height: h } = frame.visibleRect;
      this.colorSpace = frame.colorSpace;
      if (frame.format !== "I420" || w % 16 || h % 16) throw new DOMException(frame.format, "NotSupportedError");
      if (this.raw?.length !== 1.5 * w * h) this.raw = new Uint8Array(1.5 * w * h);
      const strides = [w, w / 2, w / 2], offsets = [0, w * h, 1.25 * w * h];
      await frame.copyTo(this.raw, { layout: offsets.map((offset, i) => ({ offset, stride: strides[i] })) });
      const packet = (count) => new Uint8Array(HEADER + PLANES_HEADER + count);
      let from = this.raw, at = 0, to = packet(1.5 * w * h);
      if (w < 2 * SEND_WIDTH) to.set(from, HEADER + PLANES_HEADER);
      for (; w >= 2 * SEND_WIDTH && !(w % 4 || h % 4); w /= 2, h /= 2, from = to, at = HEADER + PLANES_HEADER) {
        to = packet(0.375 * w * h);
        const begin = HEADER + PLANES_HEADER;
        halved(from, at, w, h, to, begin);
        halved(from, at + w * h, w / 2, h / 2, to, begin + 0.25 * w * h);
        halved(from, at + 1.25 * w * h, w / 2, h / 2, to, begin + 0.3125 * w * h);
      }
      to.set(PLANES, HEADER);
      const view = new DataView(to.buffer);
      view.setUint16(HEADER + 2, w);
      view.setUint16(HEADER + 4, h);
      return to;
    } catch {
      this.noPlanes = true;
      return null;
    } finally {
      frame?.close();
    }
  }

  async jpeg(picture) {
    const small = this.small, [width, height] = sides(picture);
    small.width = SEND_WIDTH;
    small.height = Math.round((SEND_WIDTH * height) / width);
    const context = small.getContext("2d");
    context.setTransform(-1, 0, 0, 1, small.width, 0);  // a mirror: who leans left sees the portrait lean left
    context.drawImage(picture, 0, 0, small.width, small.height);
    const blob = await new Promise((given) => small.toBlob(given, "image/jpeg", QUALITY));
    const packet = new Uint8Array(HEADER + blob.size);
    packet.set(new Uint8Array(await blob.arrayBuffer()), HEADER);
    return packet;
  }

  async show(buffer) {
    const view = new DataView(buffer);
    const number = view.getUint32(0), flags = view.getUint8(4);
    const sent = this.waiting.get(number);
    this.waiting.delete(number);
    if (this.reader) this.free?.();
    else if (this.again) this.send(this.video);  // a picture that was left out may go now: the camera's newest
    if (flags & DROPPED) return;
    const picture = await decoded(new Uint8Array(buffer, MOVED_HEADER));
    if (number && number < this.last) return picture.close();
    this.last = number;
    this.draw(picture);
    picture.close();
    if (sent === undefined) return;
    const now = performance.now();
    this.shown.push(now);
    this.delays.push(now - sent);
    if (this.shown.length > 120) { this.shown.shift(); this.delays.shift(); }
    if (!(flags & VISIBLE)) this.veil("No face in the camera's picture");
    else if (!(flags & CALIBRATED)) this.veil("Look straight into the camera, relaxed …");
    else this.veil("");
    this.measure(now, [8, 12, 16].map((at) => view.getFloat32(at)));
  }

  measure(now, stages) {
    if (this.recordingSince) {
      const seconds = Math.floor((now - this.recordingSince) / 1000);
      this.find(".rec-time").textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
    }
    if (now - (this.measured ?? 0) < 500 || this.shown.length < 5) return;
    this.measured = now;
    const recent = this.shown.filter((time) => now - time < 3000);
    const delays = [...this.delays].sort((a, b) => a - b);
    const fps = recent.length > 1 ? (1000 * (recent.length - 1)) / (recent.at(-1) - recent[0]) : 0;
    this.find(".fps").textContent = `${fps.toFixed(1)} /s`;
    this.find(".p50").textContent = `${Math.round(delays[Math.floor(delays.length / 2)])} ms`;
    this.find(".p95").textContent = `${Math.round(delays[Math.min(delays.length - 1, Math.floor(0.95 * delays.length))])} ms`;
    this.find(".stages").textContent = stages.map((ms) => Math.round(ms)).join(" · ") + " ms";
    Object.assign(this.root.dataset, { fps: fps.toFixed(2), p95: delays[Math.floor(0.95 * (delays.length - 1))].toFixed(1), frames: this.last });
  }

  toggleRecording() {
    const begins = !this.recordingSince;
    this.tell({ do: begins ? "record" : "stop-recording" });
    this.recordingSince = begins ? performance.now() : null;
    this.find(".rec").hidden = !begins;
    this.find(".record").textContent = begins ? "Stop recording" : "Record";
    this.find(".record").setAttribute("aria-pressed", String(begins));
    if (!begins) this.say("Writing the recording …");
  }

  tell(message) {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }

  disconnect() {
    const socket = this.socket;
    this.socket = null;
    this.ready = false;
    socket?.close();
    this.waiting.clear();
    this.shown = [];
    this.delays = [];
    this.last = 0;
    this.find(".calibrate").disabled = this.find(".record").disabled = true;
    if (this.recordingSince) {
      this.recordingSince = null;
      this.find(".rec").hidden = true;
      this.find(".record").textContent = "Record";
      this.find(".record").setAttribute("aria-pressed", "false");
    }
  }

  stop() {
    // The studio writes what was recorded until now; this page learns of it a moment later.
    const wasRecording = Boolean(this.recordingSince);
    if (wasRecording) {
      this.toggleRecording();
      setTimeout(() => this.setTriggerValue("recorded", "stopped"), 600);
    }
    this.disconnect();
    this.stream?.getTracks().forEach((track) => { track.onended = null; track.stop(); });
    this.stream = this.reader = null;
    this.video.srcObject = null;
    this.root.classList.remove("on");
    this.find(".start").textContent = "Start camera";
    this.veil("");
    if (wasRecording) this.say("The recording is written and appears below.");
    this.drawStill();
  }

  fail(message) {
    this.failed = true;
    this.stop();
    this.say(message, true);
  }

  say(text, isProblem = false) {
    const hint = this.find(".hint");
    hint.textContent = text;
    hint.classList.toggle("problem", isProblem);
  }

  veil(text) {
    const veil = this.find(".veil");
    if (veil.textContent !== text) veil.textContent = text;
  }
}

// A JPEG to draw; without a detour through the browser's store of blobs where it has a decoder of its own.
async function decoded(data) {
  if (typeof ImageDecoder !== "function") return createImageBitmap(new Blob([data], { type: "image/jpeg" }));
  const decoder = new ImageDecoder({ data, type: "image/jpeg" });
  try {
    return (await decoder.decode()).image;
  } finally {
    decoder.close();
  }
}

function cameraProblem(error) {
  const texts = {
    NotAllowedError: "The browser may not use the camera. Allow it beside the address of this page, then start again.",
    NotFoundError: "No camera was found. Plug one in, then start again.",
    NotReadableError: "The camera is used by another program. Close that one, then start again.",
    OverconstrainedError: "This camera is not there any more. Choose another one.",
    NotSupportedError: "This browser gives the camera only to pages at localhost or https. Open the studio at http://localhost.",
  };
  return texts[error.name] ?? `The camera cannot be used (${error.name}: ${error.message}).`;
}

const sessions = new WeakMap();

export default function ({ parentElement, data, setTriggerValue }) {
  let live = sessions.get(parentElement);
  if (!live || !parentElement.contains(live.root)) {
    live?.stop();
    live = new Live(parentElement);
    sessions.set(parentElement, live);
  }
  live.update(data, setTriggerValue);
  return () => { live.stop(); sessions.delete(parentElement); };
}
