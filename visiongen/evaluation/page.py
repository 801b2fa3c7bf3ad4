"""The frame of the HTML report: look and charts; @@NAMES@@ are filled in by `visiongen.evaluation.report`."""

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>@@TITLE@@</title>
<style>
:root {
  color-scheme: light dark;
  --ink: #1c2126; --soft: #5d6873; --line: #d9dee3; --back: #fbfbfa; --card: #ffffff; --best: #e4f0e6;
}
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e9ec; --soft: #98a3ad; --line: #363d44; --back: #15181b; --card: #1d2125; --best: #21392a; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--back); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 1180px; margin: 0 auto; padding: 24px 20px 80px; }
h1 { font-size: 28px; margin: 8px 0 4px; }
h2 { font-size: 20px; margin: 0 0 8px; }
h3 { font-size: 15px; margin: 18px 0 6px; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 18px 20px; margin-top: 18px; }
.note { color: var(--soft); font-size: 13px; margin: 0 0 10px; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 14px; min-width: 420px; }
th, td { text-align: right; padding: 5px 12px 5px 0; border-bottom: 1px solid var(--line); vertical-align: top; }
th:first-child { text-align: left; font-weight: 600; white-space: nowrap; }
thead th { color: var(--soft); font-weight: 600; white-space: nowrap; }
td b { background: var(--best); border-radius: 4px; padding: 1px 5px; display: inline-block; }
td small { display: block; color: var(--soft); font-weight: 400; white-space: nowrap; }
#protocol td, #what-the-scores-mean td { text-align: left; }
#protocol thead { display: none; }
.gallery { display: flex; flex-wrap: wrap; gap: 14px; }
figure { margin: 0; width: 264px; }
figure img { width: 100%; border-radius: 4px; display: block; }
figcaption { color: var(--soft); font-size: 12px; overflow-wrap: anywhere; }
.strip { max-width: 100%; border-radius: 4px; }
details { border-top: 1px solid var(--line); padding: 6px 0; }
details details { border: 0; }
summary { cursor: pointer; padding: 2px 0; overflow-wrap: anywhere; }
select { font: inherit; max-width: 60vw; padding: 3px 6px; }
.chart { width: 100%; min-height: 420px; }
</style>
<script>@@PLOTLY@@</script>
</head>
<body>
<main>
<h1>@@TITLE@@</h1>
<p class="note">@@LEAD@@</p>
@@BODY@@
</main>
<script>
const data = @@DATA@@;
const style = getComputedStyle(document.documentElement);
const shade = name => style.getPropertyValue(name).trim();
let ink, line, plain;
const colours = ["#8a8f94", "#d08a2e", "#2f7fc1", "#7a5bb5", "#3c9a5f", "#c0504d", "#4bacc6", "#946b4a"];
const colour = Object.fromEntries(data.methods.map((m, i) => [m, colours[i % colours.length]]));
function dress() {
  ink = shade("--ink"), line = shade("--line");
  plain = { paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", font: { color: ink, size: 12 } };
}
const quiet = { displaylogo: false, showSendToCloud: false, responsive: true };  // no button that uploads a chart

function overview() {
  const columns = 4, rows = Math.ceil(data.columns.length / columns);
  const layout = { ...plain, grid: { rows, columns, pattern: "independent", ygap: 0.35, xgap: 0.12 }, showlegend: false,
    height: 40 + 230 * rows, margin: { l: 40, r: 10, t: 30, b: 40 }, annotations: [] };
  const traces = [];
  data.columns.forEach((column, i) => {
    const axis = i ? String(i + 1) : "";
    const found = data.methods.filter(m => data.summary[m][column.name]);
    const value = found.map(m => data.summary[m][column.name]);
    traces.push({ x: found, y: value.map(v => v.mean), xaxis: "x" + axis, yaxis: "y" + axis, type: "scatter", mode: "markers",
      marker: { size: 10, color: found.map(m => colour[m]) }, hovertemplate: "%{x}: %{y:.4g}<extra></extra>",
      error_y: { type: "data", symmetric: false, array: value.map(v => v.low === null ? 0 : v.high - v.mean),
        arrayminus: value.map(v => v.low === null ? 0 : v.mean - v.low), color: ink, thickness: 1, width: 4 } });
    layout["xaxis" + axis] = { tickfont: { size: 11 }, gridcolor: line, range: [-0.5, found.length - 0.5] };
    layout["yaxis" + axis] = { gridcolor: line, zerolinecolor: line, automargin: true,
      title: { text: column.title, font: { size: 12 }, standoff: 4 } };
  });
  Plotly.react("overview", traces, layout, quiet);
}

function curves() {
  const clip = document.getElementById("pick-clip"), score = document.getElementById("pick-score");
  if (!clip) return;
  const names = Object.keys(data.clips);
  names.forEach(name => clip.add(new Option(name)));
  const known = new Set(names.flatMap(n => Object.values(data.clips[n].curves).flatMap(c => Object.keys(c))));
  const first = known.has("akd") ? "akd" : "ksr";
  Object.keys(data.titles).filter(n => known.has(n))
    .forEach(n => score.add(new Option(data.titles[n], n, n === first, n === first)));
  function draw() {
    const chosen = data.clips[clip.value], unit = data.units[score.value];
    const traces = Object.entries(chosen.curves).filter(([, c]) => c[score.value]).map(([method, c]) => ({
      name: method, x: c[score.value].map((_, i) => i / chosen.fps), y: c[score.value], type: "scatter", mode: "lines",
      line: { color: colour[method], width: 1.6 }, hovertemplate: "%{x:.2f} s: %{y:.4g}" }));
    Plotly.react("curves", traces, { ...plain, height: 420, margin: { l: 60, r: 10, t: 10, b: 45 }, hovermode: "x unified",
      hoverlabel: { bgcolor: shade("--card"), font: { color: ink } },
      xaxis: { title: { text: "time, s" }, gridcolor: line, zerolinecolor: line },
      yaxis: { title: { text: data.titles[score.value] + (unit ? ", " + unit : "") }, gridcolor: line, zerolinecolor: line },
      legend: { orientation: "h", y: 1.08 } }, quiet);
  }
  clip.onchange = score.onchange = draw;
  return draw;
}
dress();
overview();
const drawCurves = curves();
if (drawCurves) drawCurves();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  dress();
  overview();
  if (drawCurves) drawCurves();
});
</script>
</body>
</html>
"""
