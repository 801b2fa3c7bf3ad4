// After plotly_once.js: one chart, drawn by plotly.js. It stays mounted from frame to frame, and is drawn once for each.
const LARGER = { width: 24, height: 24, path: "M4 4h6v2H6v4H4zM14 4h6v6h-2V6h-4zM4 14h2v4h4v2H4zM18 14h2v6h-6v-2h4z" };

/** Colours and letters of the page as a template of Plotly's. */
function template(place) {
  const style = getComputedStyle(place);
  const of = (name) => style.getPropertyValue(`--st-${name}`).trim();
  const [text, ground, line, main] = ["text-color", "background-color", "border-color", "primary-color"].map(of);
  const axis = { gridcolor: line, linecolor: line, zerolinecolor: line, tickcolor: line, automargin: true };
  const clear = "rgba(0, 0, 0, 0)";
  return { layout: {
    font: { color: text, family: of("font"), size: 12 },
    paper_bgcolor: clear, plot_bgcolor: clear, xaxis: axis, yaxis: axis,
    hoverlabel: { bgcolor: ground, bordercolor: line, font: { color: text, family: of("font") } },
    modebar: { bgcolor: clear, color: text, activecolor: main },
  } };
}

/** When the frames beside the chart can be seen, see scrubber.js; after a second anyway. */
async function framesSeen() {
  const begun = performance.now();
  while (!globalThis.visiongenFramesSeen && performance.now() - begun < 1000) await new Promise(requestAnimationFrame);
  await Promise.race([globalThis.visiongenFramesSeen, new Promise((done) => setTimeout(done, 1000))]);
  await new Promise((done) => requestAnimationFrame(() => setTimeout(done))); // they are painted now
}

class Chart {
  constructor(root) {
    this.root = root;
    this.plot = root.querySelector(".plot");
    this.said = root.querySelector(".said");
    this.watch = new ResizeObserver(() => this.fit());
    this.watch.observe(root);
    root.onfullscreenchange = () => this.fit();
  }

  update(data, setTriggerValue) {
    this.setTriggerValue = setTriggerValue;
    this.wanted = data;
    this.busy ??= this.work().catch((error) => {
      this.said.textContent = `This chart cannot be shown (${error.message}); reload the page.`;
    }).finally(() => { this.busy = undefined; });
  }

  async work() {
    while (this.wanted && !this.closed) {
      const data = this.wanted; // what was wanted before it and not drawn yet is passed over
      const figure = JSON.parse(data.figure);
      this.height = figure.layout.height;
      this.root.style.minHeight = `${this.height}px`;
      this.root.classList.toggle("clicks", data.clicks);
      this.root.setAttribute("aria-label", data.label);
      if (globalThis.Plotly) {
        if (data.waits && !this.listens) await framesSeen();
      } else {
        const late = setTimeout(() => { this.said.textContent = "Drawing the chart …"; }, 400);
        fetchPlotly(data.script);
        if (data.waits) await framesSeen();
        await plotly(data.script).finally(() => clearTimeout(late));
      }
      if (data !== this.wanted) continue;
      this.wanted = undefined;
      if (this.closed) return;
      await this.draw(data, figure);
    }
  }

  async draw(data, figure) {
    this.said.textContent = "";
    Object.assign(figure.layout, { template: template(this.root), autosize: true, height: this.tall() });
    const larger = { name: "larger", title: "Full screen", icon: LARGER, click: () => this.larger() };
    // By default plotly.js 4 offers to upload a chart to a service of its makers.
    figure.config = { displaylogo: false, showSendToCloud: false, plotlyServerURL: "", scrollZoom: data.wheel,
      displayModeBar: data.tools && "hover", modeBarButtonsToAdd: [larger] };
    await globalThis.Plotly.react(this.plot, figure);
    if (this.listens) return;
    this.listens = true;
    this.plot.on("plotly_click", ({ points }) => {
      const value = points.map((one) => one.customdata?.[0] ?? one.customdata).find(Number.isFinite);
      if (data.clicks && value !== undefined) this.setTriggerValue("clicked", value);
    });
  }

  tall() { return document.fullscreenElement === this.root ? window.innerHeight : this.height; }

  larger() { document.fullscreenElement ? document.exitFullscreen() : this.root.requestFullscreen(); }

  fit() {
    const now = `${this.root.clientWidth} ${this.tall()}`;
    if (!this.listens || !this.root.clientWidth || now === this.fitted) return;
    const isFirst = this.fitted === undefined && Math.abs(this.plot._fullLayout.width - this.root.clientWidth) < 1;
    this.fitted = now;
    if (!isFirst) globalThis.Plotly.relayout(this.plot, { width: this.root.clientWidth, height: this.tall() });
  }

  close() {
    this.closed = true;
    this.watch.disconnect();
    globalThis.Plotly?.purge(this.plot);
  }
}

const charts = new WeakMap();

export default function ({ parentElement, data, setTriggerValue }) {
  const root = parentElement.querySelector(".vg-chart");
  let chart = charts.get(parentElement);
  if (chart?.root !== root) {
    chart?.close();
    chart = new Chart(root);
    charts.set(parentElement, chart);
  }
  chart.update(data, setTriggerValue);
  return () => { chart.close(); charts.delete(parentElement); };
}
