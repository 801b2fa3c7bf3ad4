// Asks when the page stands and the browser has nothing to do, and again until it is heard: a page that is drawn anew
// meanwhile does not know who asked. Who is heard is taken from the page.
export default function ({ parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".idle");
  const isFirst = !root.tell;
  root.tell = () => setTriggerValue("idle", true);
  if (!isFirst) return;
  const ask = () => {
    if (!root.isConnected) return;
    root.tell();
    setTimeout(ask, 1500);
  };
  const whenIdle = window.requestIdleCallback ?? ((then) => setTimeout(then, 500));
  // Who goes on at once shall not wait for what is loaded now.
  setTimeout(() => whenIdle(ask, { timeout: 3000 }), 1000);
}
