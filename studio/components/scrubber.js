// After after_input.js, scrubber_frames.js and scrubber_panel.js: the time line, the switches, and the talk with Python.
class Scrubber {
  constructor(root) {
    this.root = root.querySelector(".scrubber");
    this.layers = { picture: true, points: true, mesh: false, motion: false };
    this.hidden = new Set();
    this.zoom = "face";
    this.panels = [];
    this.points = new Uint16Array(0);
    this.edges = new Uint16Array(0);
    this.frame = 0;
    this.direction = 1;
    this.draws = 0;
    this.listen();
    this.resized = true;
    this.watch = new ResizeObserver(() => { this.resized = true; this.later(); });
    this.watch.observe(this.root);
  }

  find(selector) { return this.root.querySelector(selector); }

  address(url) { return new URL(`.${url}`, document.baseURI).href; }

  listen() {
    for (const button of this.root.querySelectorAll("[data-layer]")) button.onclick = () => {
      const name = button.dataset.layer;
      this.layers[name] = !this.layers[name];
      button.setAttribute("aria-pressed", String(this.layers[name]));
      this.later();
    };
    this.find(".zoom").onchange = (event) => { this.zoom = event.target.value; this.later(); };
    this.find(".play").onclick = () => this.toggle();
    this.find(".back").onclick = () => this.step(-1);
    this.find(".next").onclick = () => this.step(1);
    this.find(".time").oninput = (event) => { this.pause(false); this.go(+event.target.value); };
    this.root.onkeydown = (event) => this.key(event);
  }

  key(event) {
    const by = event.shiftKey ? 10 : 1;
    const acts = { ArrowLeft: () => this.step(-by), ArrowRight: () => this.step(by), Home: () => this.step(-Infinity),
      End: () => this.step(Infinity), " ": () => this.toggle() };
    const inside = event.target.tagName;
    // A focused button or list has its own use for space and arrows; the time line steps by itself.
    if (!acts[event.key] || inside === "SELECT" || (event.key === " " && inside !== "DIV" && inside !== "CANVAS")) return;
    event.preventDefault();
    acts[event.key]();
  }

  update(data, setTriggerValue) {
    this.setTriggerValue = setTriggerValue;
    const shown = JSON.stringify([data.panels, data.points]);
    const isNew = shown !== this.shown;
    this.data = data;
    if (isNew) this.load(shown);
    if (!this.find(".chips").children.length) this.makeChips();
    this.find(".time").max = data.frames - 1;
    this.showMarks();
    // A frame that Python only repeats is not a wish.
    if (data.frame !== this.given && data.frame !== this.reported && data.frame !== this.frame) {
      this.pause(false);
      this.go(data.frame, false);
    } else if (isNew) this.go(Math.min(this.frame, data.frames - 1), false);
    this.given = data.frame;
    this.hint();
    this.later();
  }

  load(shown) {
    this.pause(false);
    this.shown = shown;
    for (const panel of this.panels) panel.frames?.close();
    this.find(".problem").hidden = true;
    this.sight = globalThis.visiongenFramesSeen = new Promise((done) => { this.seen = done; }); // charts wait for it
    // What was sent along is seen before anything more is fetched; where nothing is drawn, in a tab behind others, a second.
    this.begun = this.data.first ? Promise.race([this.sight, new Promise((done) => setTimeout(done, 1000))]) : Promise.resolve();
    // First what is seen: frames to come are fetched and decoded when the page stands.
    this.ahead = false;
    this.rested = this.begun.then(() => new Promise((done) => {
      window.requestIdleCallback ? requestIdleCallback(done, { timeout: 1000 }) : setTimeout(done, 300);
    })).then(() => { this.ahead = true; this.later(); });
    this.makePanels();
    this.resized = true;
    this.find(".panels").replaceChildren(...this.panels.map((panel) => panel.figure));
    this.begun.then(() => fetch(this.address(this.data.points))).then((response) => {
      if (!response.ok) throw new Error(`the server answered ${response.status}`);
      return response.arrayBuffer();
    }).then((buffer) => {
      if (this.shown !== shown) return;
      this.points = new Uint16Array(buffer);
      this.placedFrame = undefined; // all are
      const { at, length } = this.data.edges;
      this.edges = this.points.subarray(at, at + length);
      this.panels.forEach((panel, number) => {
        Object.assign(panel.layout, this.data.panels[number]);
        panel.writeCaption();
      });
      this.later();
    }).catch((error) => this.complain("The landmarks", error));
  }

  /** As far as the page has been told: with the first frame where it was, which is seen before anything is fetched. */
  makePanels() {
    const { first, panels } = this.data;
    this.points = new Uint16Array(first ? bytesOf(first.points).buffer : 0);
    this.placedFrame = first ? first.frame : -1;
    let at = 0;
    const place = (track) => ({ ...track, frames: 1, at: (at += POINTS) - POINTS });
    this.panels = panels.map((layout, number) => new Panel(
      { ...layout, tracks: first ? layout.tracks.map(place) : [], origin: null }, this,
      first?.pictures[number] && { frame: first.frame, jpeg: bytesOf(first.pictures[number]) },
    ));
  }

  complain(what, error) {
    this.seen();
    const place = this.find(".problem");
    place.textContent = `${what} cannot be shown (${error.message}); reload the page.`;
    place.hidden = false;
  }

  makeChips() {
    this.find(".chips").replaceChildren(...this.data.regions.map((region) => {
      const chip = Object.assign(document.createElement("button"), { type: "button", textContent: region.label });
      chip.style.setProperty("--own", region.colour);
      chip.setAttribute("aria-pressed", "true");
      chip.onclick = () => {
        const hide = !this.hidden.has(region.name);
        hide ? this.hidden.add(region.name) : this.hidden.delete(region.name);
        chip.setAttribute("aria-pressed", String(!hide));
        this.later();
      };
      return chip;
    }));
  }

  showMarks() {
    const last = Math.max(this.data.frames - 1, 1);
    this.find(".marks").replaceChildren(...this.data.marks.map((mark) => {
      const place = document.createElement("button");
      place.type = "button";
      place.style.left = `${(100 * mark.first) / last}%`;
      place.style.width = `${(100 * (mark.last - mark.first)) / last}%`;
      place.style.opacity = 0.45 + 0.55 * mark.severity;
      place.title = `${mark.label}: frames ${mark.first} to ${mark.last}`;
      place.setAttribute("aria-label", `Go to ${mark.label}, frame ${mark.first}`);
      place.onclick = () => { this.pause(false); this.go(mark.first); };
      return place;
    }));
  }

  go(frame, report = true) {
    const to = Math.min(this.data.frames - 1, Math.max(0, Math.round(frame)));
    this.direction = to < this.frame ? -1 : 1;
    this.frame = to;
    this.later();
    if (report) this.report();
  }

  step(by) {
    this.pause(false);
    this.go(Math.min(this.data.frames, Math.max(-1, this.frame + by)));
  }

  toggle() { this.playing ? this.pause(true) : this.play(); }

  play() {
    if (this.frame >= this.data.frames - 1) this.go(0, false);
    clearTimeout(this.reporting);
    this.playing = true;
    this.showPlaying();
    let [before, passed] = [performance.now(), 0];
    const tick = (now) => {
      if (!this.playing) return;
      passed += ((now - before) / 1000) * this.data.fps * +this.find(".speed").value;
      before = now;
      const frames = Math.floor(passed);
      passed -= frames;
      if (frames) {
        const to = this.frame + frames;
        if (to < this.data.frames) this.go(to, false);
        else if (this.find(".loop").checked) this.go(to % this.data.frames, false);
        else { this.go(this.data.frames - 1, false); this.pause(true); return; }
        this.now();
      }
      requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
  }

  pause(report) {
    if (!this.playing) return;
    this.playing = false;
    this.showPlaying();
    if (report) this.report();
  }

  showPlaying() {
    const button = this.find(".play");
    button.setAttribute("aria-label", this.playing ? "Pause" : "Play");
    button.querySelector("path").setAttribute("d", this.playing ? "M6 4.5h4v15H6zM14 4.5h4v15h-4z" : "M7 4.5v15l13-7.5z");
  }

  report() {
    clearTimeout(this.reporting);
    this.reporting = setTimeout(() => afterInput(100, () => {
      if (!this.root.isConnected) return;
      this.reported = this.frame;
      this.setTriggerValue("frame", { frame: this.frame, camera: this.camera() });
    }), 250);
  }

  /** How the chart in space is looked at: the chart of another frame is a new one, and would not know. */
  camera() {
    const chart = this.data.space && document.querySelector(`.st-key-${this.data.space} .js-plotly-plot`);
    return chart?._fullLayout?.scene?.camera ?? null;
  }

  hover(panel, event) {
    const near = panel ? panel.nearest(event) : -1;
    if (near === this.near) return;
    this.near = near;
    if (panel) panel.canvas.style.cursor = near >= 0 && this.data.picks ? "pointer" : "";
    this.hint();
  }

  hint() {
    const region = this.data.regions.find((one) => one.points.includes(this.near));
    this.find(".hint").textContent = region ? `Landmark ${this.near}, ${region.label.toLowerCase()}`
      : this.data.picks ? "Arrow keys step, space plays. Click a landmark to follow it in the charts." : "Arrow keys step, space plays.";
  }

  pick(panel, event) {
    const near = panel.nearest(event);
    if (near >= 0 && this.data.picks) this.setTriggerValue("landmark", near);
  }

  /** Draws with the next screen refresh, once, however often it is asked for. */
  later() { this.waiting ??= requestAnimationFrame(() => { this.waiting = undefined; this.draw(); }); }

  /** Draws in this screen refresh: a film that is played is not one refresh late, and stops at the frame that is seen. */
  now() {
    cancelAnimationFrame(this.waiting);
    this.waiting = undefined;
    this.draw();
  }

  draw() {
    if (!this.data) return;
    for (const panel of this.panels) panel.draw(this.frame);
    this.resized = false;
    for (const panel of this.ahead ? this.panels : []) for (let i = 1; i <= AHEAD && panel.frames; i++)
      if (panel.frames.busy.size < 3) panel.frames.want(this.frame + i * this.direction);
    const range = this.find(".time");
    const seconds = (this.frame / this.data.fps).toFixed(2);
    range.value = this.frame;
    range.setAttribute("aria-valuetext", `frame ${this.frame} of ${this.data.frames}, ${seconds} seconds`);
    this.find(".clock").textContent = `${this.frame} / ${this.data.frames - 1} · ${seconds} s`;
    this.root.dataset.frame = this.frame;
    this.root.dataset.draws = ++this.draws;
    const placed = this.points.length && (this.placedFrame ?? this.frame) === this.frame;
    if (placed && this.panels.every((panel) => panel.frames ? panel.frames.last : panel.still?.complete ?? true)) {
      this.root.dataset.seen = this.frame;
      this.seen();
    }
    const ready = this.placedFrame === undefined && this.panels.every((panel) => panel.frames ? panel.frames.whole : panel.still?.complete ?? true);
    this.root.dataset.state = ready ? "ready" : "loading";
  }

  close() {
    this.seen?.();
    if (globalThis.visiongenFramesSeen === this.sight) globalThis.visiongenFramesSeen = undefined;
    this.playing = false;
    clearTimeout(this.reporting);
    this.watch.disconnect();
    for (const panel of this.panels) panel.frames?.close();
  }
}

const scrubbers = new WeakMap();

export default function ({ parentElement, data, setTriggerValue }) {
  let scrubber = scrubbers.get(parentElement);
  // Streamlit may draw the HTML anew; then the old one's elements are gone.
  if (!scrubber || !parentElement.contains(scrubber.root)) {
    scrubber?.close();
    scrubber = new Scrubber(parentElement);
    scrubbers.set(parentElement, scrubber);
  }
  scrubber.update(data, setTriggerValue);
  return () => { scrubber.close(); scrubbers.delete(parentElement); };
}
