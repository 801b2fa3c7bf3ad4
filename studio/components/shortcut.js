// Ctrl+Enter presses the button that says so, wherever the focus is. By itself it works only where nothing has the focus: fields
// and lists keep Enter to themselves, and after a click on one of a row of buttons that row has it.
window.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
  const button = document.querySelector("button:not(:disabled):has(kbd)");
  if (!button) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  if (event.repeat) return;
  if (document.activeElement?.matches("input, textarea")) document.activeElement.blur(); // what is being typed counts
  button.click();
}, true);
