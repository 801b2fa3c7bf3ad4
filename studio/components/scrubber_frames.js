// Frame by frame through films with landmarks over them. Frames arrive as one file of JPEGs (see frame_pack.py) and are
// decoded when they are wanted; points arrive as uint16 codes (see scrubber.py).
const MISSING = 65535;
const POINTS = 2 * 478; // codes of a face
const KEPT = 48; // decoded frames of a film, about 0.9 MB each
const AHEAD = 5;
// What was fetched last: a page that is opened again shows it at once. Not of this script, of which every page has its own.
const FILMS = 4;
const films = (globalThis.visiongenFilms ??= new Map()); // address -> JPEGs

const bytesOf = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));

/** The frames of one film, decoded when wanted; `changed` is called when one is ready. `first` is known
 * already, and the others are fetched when the page has `rested`. */
class Frames {
  constructor(url, first, rested, changed, failed) {
    this.arrived = 0;
    this.jpegs = []; // a Blob is made of one when it is wanted: of all of them at once, it takes as long as drawing a page
    this.decoded = new Map();
    this.busy = new Set();
    this.changed = changed;
    this.stop = new AbortController();
    const known = films.get(url);
    if (known) {
      [this.jpegs, this.arrived, this.whole] = [known, known.length, true];
      changed();
      return;
    }
    if (first) {
      this.jpegs[first.frame] = first.jpeg;
      this.want(first.frame);
    }
    (first ? rested : Promise.resolve()).then(() => this.read(url)).catch((error) => { if (error.name !== "AbortError") failed(error); });
  }

  async read(url) {
    const response = await fetch(url, { signal: this.stop.signal });
    if (!response.ok) throw new Error(`the server answered ${response.status}`);
    const reader = response.body.getReader();
    let rest = new Uint8Array(0);
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      const bytes = new Uint8Array(rest.length + value.length);
      bytes.set(rest);
      bytes.set(value, rest.length);
      let at = 0;
      const view = new DataView(bytes.buffer);
      while (at + 4 <= bytes.length && at + 4 + view.getUint32(at, true) <= bytes.length) {
        const length = view.getUint32(at, true);
        this.jpegs[this.arrived++] = bytes.subarray(at + 4, at + 4 + length);
        at += 4 + length;
      }
      rest = bytes.slice(at);
      this.changed();
    }
    this.whole = true;
    films.set(url, this.jpegs);
    if (films.size > FILMS) films.delete(films.keys().next().value);
    this.changed();
  }

  /** The frame as a picture, or what was shown last until it is decoded; until it has come, the last one that has. */
  at(wanted) {
    const frame = this.jpegs[wanted] ? wanted : Math.min(wanted, Math.max(this.arrived - 1, 0));
    const found = this.decoded.get(frame);
    if (found) {
      this.decoded.delete(frame);
      this.decoded.set(frame, found);
      this.last = found;
    } else this.want(frame);
    return found ?? this.last;
  }

  want(frame) {
    if (!this.jpegs[frame] || this.decoded.has(frame) || this.busy.has(frame)) return;
    if (this.busy.size > 3) { this.next = frame; return; } // the newest wish waits, older ones are forgotten
    this.busy.add(frame);
    createImageBitmap(new Blob([this.jpegs[frame]], { type: "image/jpeg" })).then((picture) => {
      this.decoded.set(frame, picture);
      for (const [old, bitmap] of this.decoded) {
        if (this.decoded.size <= KEPT) break;
        if (bitmap === this.last) continue;
        this.decoded.delete(old);
        bitmap.close();
      }
    }, () => {}).finally(() => {
      this.busy.delete(frame);
      const next = this.next;
      this.next = undefined;
      if (next !== undefined) this.want(next);
      this.changed();
    });
  }

  close() {
    this.stop.abort();
    for (const bitmap of this.decoded.values()) bitmap.close();
    this.decoded.clear();
    this.jpegs = [];
  }
}

