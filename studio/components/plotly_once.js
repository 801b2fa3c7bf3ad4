const plotlyAddress = (url) => new URL(`.${url}`, document.baseURI).href;

/** Has the browser fetch plotly.js, and do no more yet. */
const fetchPlotly = (url) => {
  if (globalThis.visiongenPlotly || document.querySelector(`link[href="${plotlyAddress(url)}"]`)) return;
  document.head.append(Object.assign(document.createElement("link"), { rel: "preload", as: "script", href: plotlyAddress(url) }));
};

/** plotly.js, fetched and read once for all charts of all pages: it takes the browser half a second. */
const plotly = (url) => (globalThis.visiongenPlotly ??= new Promise((done, failed) => {
  const script = document.createElement("script");
  script.onload = () => done(globalThis.Plotly);
  script.onerror = () => {
    globalThis.visiongenPlotly = undefined; // the next chart tries again
    script.remove();
    failed(new Error("its script did not come"));
  };
  script.src = plotlyAddress(url);
  document.head.append(script);
}));
