const NEAR = 12; // px: how near to a landmark a pointer must be

/** One canvas with its picture, landmarks, mesh and motion. */
class Panel {
  constructor(layout, owner, first) {
    this.layout = layout;
    this.owner = owner;
    this.figure = document.createElement("figure");
    this.canvas = document.createElement("canvas");
    this.canvas.setAttribute("role", "img");
    this.canvas.setAttribute("aria-label", layout.label);
    this.caption = document.createElement("figcaption");
    this.figure.append(this.canvas, this.caption);
    this.writeCaption();
    this.context = this.canvas.getContext("2d", { alpha: false });
    const wake = () => owner.later();
    if (layout.url && layout.film) {
      this.frames = new Frames(owner.address(layout.url), first, owner.rested, wake, (error) => owner.complain(layout.label, error));
    } else if (layout.url) {
      this.still = new Image();
      this.still.onload = wake;
      this.still.onerror = () => owner.complain(layout.label, new Error("the picture cannot be read"));
      this.still.src = owner.address(layout.url);
    }
    this.canvas.onpointermove = (event) => owner.hover(this, event);
    this.canvas.onpointerleave = () => owner.hover(null);
    this.canvas.onclick = (event) => owner.pick(this, event);
  }

  writeCaption() {
    const name = Object.assign(document.createElement("strong"), { textContent: this.layout.label });
    const key = this.layout.tracks.length < 2 ? [] : this.layout.tracks.map((track, number) => {
      const entry = Object.assign(document.createElement("span"), { className: "key" });
      entry.append(Object.assign(document.createElement("i"), { className: number ? "hollow" : "" }), track.label);
      return entry;
    });
    this.caption.replaceChildren(name, ...key);
  }

  /** [x0, y0, x1, y1] in shares of the picture: what is shown of it. */
  view() { return (this.owner.zoom === "face" && this.layout.box) || [0, 0, 1, 1]; }

  fit() {
    const [x0, y0, x1, y1] = this.view();
    const ratio = (this.layout.ratio * (x1 - x0)) / (y1 - y0);
    if (ratio !== this.ratio) this.figure.style.setProperty("--ratio", ratio);
    // Asking for the size makes the browser lay out the page: only when it can have changed.
    if (ratio !== this.ratio || this.owner.resized) this.width = this.canvas.getBoundingClientRect().width;
    this.ratio = ratio;
    const width = this.width;
    const dense = Math.min(window.devicePixelRatio || 1, 2);
    const size = [Math.max(1, Math.round(width * dense)), Math.max(1, Math.round((width / ratio) * dense))];
    if (this.canvas.width !== size[0] || this.canvas.height !== size[1]) [this.canvas.width, this.canvas.height] = size;
    this.dense = dense;
  }

  /** Codes of a track's points in a frame -> positions on the canvas, Float32Array of 2 x 478; NaN where missing. */
  placed(at) {
    const [x0, y0, x1, y1] = this.view();
    const points = this.owner.points;
    const result = new Float32Array(POINTS);
    const step = 2 / (MISSING - 1);
    for (let i = 0; i < 478; i++) {
      const code = points[at + 2 * i];
      result[2 * i] = code === MISSING ? NaN : (code * step - 0.5 - x0) / (x1 - x0) * this.canvas.width;
      result[2 * i + 1] = (points[at + 2 * i + 1] * step - 0.5 - y0) / (y1 - y0) * this.canvas.height;
    }
    return result;
  }

  track(number, frame) {
    const track = this.layout.tracks[number];
    return track && this.placed(track.at + POINTS * Math.min(frame, track.frames - 1));
  }

  draw(frame) {
    this.fit();
    const { context, canvas, owner } = this;
    const { width, height } = canvas;
    context.fillStyle = "#14171c";
    context.fillRect(0, 0, width, height);
    const picture = this.frames ? this.frames.at(frame) : this.still;
    if (picture && owner.layers.picture && (picture.complete ?? true)) {
      const [x0, y0, x1, y1] = this.view();
      const [w, h] = [picture.naturalWidth ?? picture.width, picture.naturalHeight ?? picture.height];
      if (w) context.drawImage(picture, x0 * w, y0 * h, (x1 - x0) * w, (y1 - y0) * h, 0, 0, width, height);
    }
    const places = this.layout.tracks.map((_, number) => this.track(number, frame));
    if (!places.length) return;
    if (owner.layers.mesh) this.drawMesh(places[0]);
    if (owner.layers.motion && this.layout.origin !== null) this.drawMotion(this.placed(this.layout.origin), places[0]);
    if (owner.layers.points) places.forEach((place, number) => this.drawPoints(place, number > 0));
    this.drawChosen(places[0]);
    if (Number.isNaN(places[0][0])) this.write("no face seen");
    this.places = places[0];
  }

  drawPoints(place, hollow) {
    // Rectangles on whole pixels, one by one: a path of all of them is many times slower without a graphics card.
    const { context } = this;
    const size = Math.round((hollow ? 5 : 3) * this.dense);
    const half = (size - (hollow ? 1 : 0)) / 2;
    context.lineWidth = 1;
    for (const region of this.owner.data.regions) {
      if (this.owner.hidden.has(region.name)) continue;
      context.fillStyle = context.strokeStyle = region.colour;
      for (const i of region.points) {
        const x = place[2 * i], y = place[2 * i + 1];
        if (x !== x) continue;
        if (hollow) context.strokeRect(Math.round(x - half) + 0.5, Math.round(y - half) + 0.5, size - 1, size - 1);
        else context.fillRect(Math.round(x - half), Math.round(y - half), size, size);
      }
    }
  }

  drawMesh(place) {
    const { edges } = this.owner;
    this.context.strokeStyle = "rgba(255, 255, 255, 0.42)";
    this.context.lineWidth = 0.7 * this.dense;
    this.context.beginPath();
    for (let k = 0; k < edges.length; k += 2) {
      const [a, b] = [2 * edges[k], 2 * edges[k + 1]];
      if (Number.isNaN(place[a]) || Number.isNaN(place[b])) continue;
      this.context.moveTo(place[a], place[a + 1]);
      this.context.lineTo(place[b], place[b + 1]);
    }
    this.context.stroke();
  }

  drawMotion(origin, place) {
    this.context.lineWidth = 1.4 * this.dense;
    for (const region of this.owner.data.regions) {
      if (this.owner.hidden.has(region.name)) continue;
      this.context.strokeStyle = region.colour;
      this.context.beginPath();
      for (const i of region.points) {
        const [x, y] = [place[2 * i], place[2 * i + 1]];
        const [dx, dy] = [x - origin[2 * i], y - origin[2 * i + 1]];
        const length = Math.hypot(dx, dy);
        if (!(length > 1.5 * this.dense)) continue;
        const head = Math.min(0.3 * length, 5 * this.dense) / length;
        this.context.moveTo(x - dx, y - dy);
        this.context.lineTo(x, y);
        this.context.lineTo(x - head * (dx + 0.6 * dy), y - head * (dy - 0.6 * dx));
        this.context.moveTo(x, y);
        this.context.lineTo(x - head * (dx - 0.6 * dy), y - head * (dy + 0.6 * dx));
      }
      this.context.stroke();
    }
  }

  drawChosen(place) {
    const { context, dense } = this;
    context.font = `${12 * dense}px sans-serif`;
    for (const i of this.owner.data.chosen) {
      const [x, y] = [place[2 * i], place[2 * i + 1]];
      if (Number.isNaN(x)) continue;
      for (const [colour, width] of [["#000", 4], ["#fff", 2]]) {
        context.strokeStyle = colour;
        context.lineWidth = width * dense;
        context.beginPath();
        context.arc(x, y, 6 * dense, 0, 7);
        context.stroke();
      }
      this.text(String(i), x + 9 * dense, y + 4 * dense);
    }
  }

  write(text) {
    this.context.font = `${14 * this.dense}px sans-serif`;
    this.text(text, 8 * this.dense, 20 * this.dense);
  }

  text(text, x, y) {
    this.context.lineWidth = 3 * this.dense;
    this.context.strokeStyle = "#000";
    this.context.fillStyle = "#fff";
    this.context.strokeText(text, x, y);
    this.context.fillText(text, x, y);
  }

  /** The landmark nearest to the pointer, -1 where none is near. */
  nearest(event) {
    if (!this.places) return -1;
    const box = this.canvas.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * this.canvas.width;
    const y = ((event.clientY - box.top) / box.height) * this.canvas.height;
    let [best, near] = [-1, NEAR * this.dense];
    for (let i = 0; i < 478; i++) {
      const distance = Math.hypot(this.places[2 * i] - x, this.places[2 * i + 1] - y);
      if (distance < near) [best, near] = [i, distance];
    }
    return best;
  }
}

