// Two films or pictures in step. One film leads; the other is set right when it strays by more than half a frame.
class Compare {
  constructor(root) {
    this.root = root.querySelector(".compare");
    this.stage = this.root.querySelector(".stage");
    this.panes = [this.root.querySelector(".pane.a"), this.root.querySelector(".pane.b")];
    this.sides = [0, 1];
    this.shown = [null, null];
    this.frame = 0;
    this.given = undefined;
    this.reported = undefined;
    this.listen();
  }

  find(selector) { return this.root.querySelector(selector); }

  listen() {
    for (const button of this.root.querySelectorAll("[data-mode]"))
      if (button !== this.root) button.onclick = () => this.setMode(button.dataset.mode);
    this.find(".split input").oninput = (event) => this.setSplit(+event.target.value);
    this.find(".gain-range").oninput = (event) => {
      this.stage.style.setProperty("--gain", event.target.value);
      this.find(".gain-value").textContent = `${event.target.value}×`;
    };
    this.find(".zoom").onchange = () => this.applyZoom();
    this.find(".left").onchange = (event) => this.put(0, +event.target.value);
    this.find(".right").onchange = (event) => this.put(1, +event.target.value);
    this.find(".play").onclick = () => this.toggle();
    this.find(".back").onclick = () => this.step(-1);
    this.find(".next").onclick = () => this.step(1);
    this.find(".time").oninput = (event) => { this.pause(); this.go(+event.target.value); };
    this.find(".speed").onchange = () => this.applySpeed();
    this.find(".sound").onchange = () => this.applySound();
    this.stage.onkeydown = (event) => this.key(event);
    this.stage.onpointerdown = (event) => this.drag(event);
    this.stage.onpointermove = (event) => { if (event.buttons) this.drag(event); };
  }

  key(event) {
    const acts = { " ": () => this.toggle(), ArrowLeft: () => this.step(-1), ArrowRight: () => this.step(1),
      Home: () => this.go(0), End: () => this.go(this.count() - 1) };
    if (!acts[event.key]) return;
    event.preventDefault();
    acts[event.key]();
  }

  drag(event) {
    if (this.mode !== "slider") return;
    if (event.type === "pointerdown") this.stage.setPointerCapture(event.pointerId);
    const box = this.stage.getBoundingClientRect();
    this.setSplit(Math.min(100, Math.max(0, (100 * (event.clientX - box.left)) / box.width)));
  }

  setSplit(percent) {
    this.stage.style.setProperty("--split", `${percent}%`);
    this.find(".split input").value = percent;
  }

  setMode(mode) {
    this.mode = mode;
    this.root.dataset.mode = mode;
    for (const button of this.root.querySelectorAll("button[data-mode]"))
      button.setAttribute("aria-pressed", String(button.dataset.mode === mode));
    this.find(".gain").hidden = mode !== "difference";
    this.judgeShapes();
  }

  update(data, setTriggerValue) {
    this.setTriggerValue = setTriggerValue;
    const sources = JSON.stringify(data.sources);
    const changed = sources !== this.sources;
    const wasPlaying = this.playing;
    this.data = data;
    if (changed) {
      this.sources = sources;
      this.pause();
      for (const name of [".left", ".right"]) this.find(name).replaceChildren(
        ...data.sources.map((source, number) => new Option(source.label, number)));
      for (const pick of this.root.querySelectorAll(".pick")) pick.hidden = data.sources.length < 3;
      this.find(".face").hidden = !data.sources.some((source) => source.focus);
      this.put(0, 0);
      this.put(1, 1);
    }
    if (!this.mode) this.setMode(data.mode);
    // A frame that Python only repeats is not a wish.
    if (data.frame !== null && data.frame !== this.given && data.frame !== this.reported && data.frame !== this.frame) {
      this.pause();
      this.go(data.frame, false);
    } else if (changed && wasPlaying) this.play();
    this.given = data.frame;
    this.show();
  }

  put(side, number) {
    const playing = this.playing;
    this.pause();
    const source = this.data.sources[number];
    const element = document.createElement(source.film ? "video" : "img");
    if (source.film) {
      Object.assign(element, { muted: true, playsInline: true, preload: "auto" });
      element.onloadedmetadata = () => { this.judgeShapes(); this.seek(element); this.show(); };
      element.onended = () => this.ended();
    } else {
      element.alt = source.label;
      element.onload = () => this.judgeShapes();
    }
    element.onerror = () => this.complain(`${source.label} cannot be shown; reload the page.`);
    element.src = new URL(`.${source.url}`, document.baseURI).href;
    const tag = document.createElement("span");
    tag.className = "tag";
    tag.textContent = source.label;
    this.panes[side].replaceChildren(element, tag);
    this.shown[side] = element;
    this.sides[side] = number;
    this.find(side ? ".right" : ".left").value = number;
    this.find(".transport").hidden = !this.films().length;
    this.applySpeed();
    this.applySound();
    if (playing) this.play();
  }

  complain(text) {
    const place = this.find(".problem");
    place.textContent = text;
    place.hidden = !text;
  }

  films() { return this.shown.filter((element) => element instanceof HTMLVideoElement); }

  shape(element) {
    const [width, height] = [element?.videoWidth ?? element?.naturalWidth, element?.videoHeight ?? element?.naturalHeight];
    return width && height ? width / height : 0;
  }

  judgeShapes() {
    const [left, right] = this.shown.map((element) => this.shape(element));
    if (right || left) this.root.style.setProperty("--ratio", right || left);
    const comparable = !left || !right || Math.abs(left / right - 1) < 0.02;
    const button = this.find('button[data-mode="difference"]');
    button.disabled = !comparable;
    button.title = comparable ? "Brightness where the two differ" : "Only for two of the same shape";
    if (!comparable && this.mode === "difference") this.setMode("side");
    this.applyZoom();
  }

  applyZoom() {
    const ratio = this.shape(this.shown[1]) || this.shape(this.shown[0]) || 1;
    this.shown.forEach((element, side) => {
      const focus = this.find(".zoom").checked && this.data.sources[this.sides[side]].focus;
      if (!focus) { element.style.transform = ""; return; }
      // The picture lies centred in its box, which has the shape of the right one.
      const own = this.shape(element) || ratio;
      const [x, y] = [0.5 - focus[0], 0.5 - focus[1]].map((part, axis) =>
        100 * part * (axis ? Math.min(1, ratio / own) : Math.min(1, own / ratio)));
      element.style.transform = `scale(${focus[2]}) translate(${x}%, ${y}%)`;
    });
  }

  count() {
    if (this.data.frames) return this.data.frames;
    const lengths = this.films().map((film) => film.duration).filter(Number.isFinite);
    return lengths.length ? Math.max(1, Math.round(Math.min(...lengths) * this.data.fps)) : 1;
  }

  seek(film) { film.currentTime = (this.frame + 0.5) / this.data.fps; }

  go(frame, report = true) {
    this.frame = Math.min(this.count() - 1, Math.max(0, Math.round(frame)));
    for (const film of this.films()) this.seek(film);
    this.show();
    if (report) this.report();
  }

  step(by) { this.pause(); this.go(this.frame + by); }

  toggle() { this.playing ? this.pause(true) : this.play(); }

  play() {
    const films = this.films();
    if (!films.length) return;
    if (this.frame >= this.count() - 1) this.go(0, false);
    this.playing = true;
    for (const film of films) film.play().catch(() => this.pause());
    this.follow();
    this.showPlaying();
  }

  pause(report = false) {
    if (!this.playing) return;
    this.playing = false;
    for (const film of this.films()) film.pause();
    cancelAnimationFrame(this.ticking);
    this.go(this.frame, report);
    this.showPlaying();
  }

  ended() {
    if (!this.playing) return;
    if (!this.find(".loop").checked) { this.pause(true); return; }
    for (const film of this.films()) { film.currentTime = 0; film.play().catch(() => this.pause()); }
  }

  follow() {
    const tick = () => {
      if (!this.playing) return;
      const [lead, other] = this.films();
      if (other && !other.seeking && Math.abs(lead.currentTime - other.currentTime) > 0.75 / this.data.fps)
        other.currentTime = lead.currentTime;
      this.frame = Math.min(this.count() - 1, Math.floor(lead.currentTime * this.data.fps + 1e-3));
      this.show();
      this.ticking = requestAnimationFrame(tick);
    };
    this.ticking = requestAnimationFrame(tick);
  }

  applySpeed() { for (const film of this.films()) film.playbackRate = +this.find(".speed").value; }

  applySound() {
    const films = this.films();
    for (const film of films) film.muted = !(this.find(".sound").checked && film === films[films.length - 1]);
  }

  showPlaying() {
    const button = this.find(".play");
    button.setAttribute("aria-label", this.playing ? "Pause" : "Play");
    button.querySelector("path").setAttribute("d", this.playing ? "M6 4.5h4v15H6zM14 4.5h4v15h-4z" : "M7 4.5v15l13-7.5z");
  }

  show() {
    const count = this.count();
    const range = this.find(".time");
    if (+range.max !== count - 1) range.max = count - 1;
    range.value = this.frame;
    const seconds = (this.frame / this.data.fps).toFixed(2);
    range.setAttribute("aria-valuetext", `frame ${this.frame} of ${count}, ${seconds} seconds`);
    this.find(".clock").textContent = `${this.frame} / ${count - 1} · ${seconds} s`;
  }

  report() {
    if (!this.data.report) return;
    clearTimeout(this.reporting);
    this.reporting = setTimeout(() => {
      this.reported = this.frame;
      this.setTriggerValue("frame", this.frame);
    }, 250);
  }

  close() {
    this.pause();
    clearTimeout(this.reporting);
  }
}

const players = new WeakMap();

export default function ({ parentElement, data, setTriggerValue }) {
  let player = players.get(parentElement);
  // Streamlit may draw the HTML anew; then the old player's elements are gone.
  if (!player || !parentElement.contains(player.root)) {
    player?.close();
    player = new Compare(parentElement);
    players.set(parentElement, player);
  }
  player.update(data, setTriggerValue);
  return () => { player.close(); players.delete(parentElement); };
}
