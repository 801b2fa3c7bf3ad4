// Asks when the page stands and the browser has nothing to do, and again until it is heard: a page that is drawn anew
// meanwhile does not know who asked. Who is heard is taken from the page. After plotly_once.js and after_input.js.
export default function ({ parentElement, data, setTriggerValue }) {
  const root = parentElement.querySelector(".idle");
  const isFirst = !root.tell;
  root.tell = () => setTriggerValue("idle", true);
  if (!isFirst) return;
  const ask = root.ask = () => afterInput(1000, () => {
    if (!root.isConnected) return;
    root.tell();
    setTimeout(ask, 1500);
  });
  const whenIdle = window.requestIdleCallback ?? ((then) => setTimeout(then, 500));
  // Who goes on at once shall not wait for what is loaded now.
  const read = () => afterInput(1000, () => { if (root.isConnected) plotly(data.script).catch(() => {}); });
  setTimeout(() => whenIdle(read, { timeout: 3000 }), 400);
  setTimeout(() => whenIdle(ask, { timeout: 3000 }), 1000);
}
