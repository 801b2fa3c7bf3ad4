// A component that speaks up of its own accord in the moment in which another page or a button is pressed makes Streamlit
// run only the component's part: the press is lost, or, where the page has changed meanwhile, all of it is gone.
const inputs = (globalThis.visiongenInputs ??= (() => {
  const found = { last: -Infinity };
  for (const kind of ["click", "keydown", "popstate"])
    addEventListener(kind, () => { found.last = performance.now(); }, { capture: true });
  return found;
})());

/** Acts when nothing was pressed for so many milliseconds. */
const afterInput = (quiet, act) => {
  const left = inputs.last + quiet - performance.now();
  left > 0 ? setTimeout(() => afterInput(quiet, act), left) : act();
};
