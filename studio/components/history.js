// One entry in the browser's history per page. Streamlit opens a page with one and gives the page its ?run= with a second one, so
// that Back needed two presses, and never left the first page: what changes the address of the same page takes the entry's place.
const pushState = history.pushState;
history.pushState = function (state, unused, url) {
  const next = new URL(url ?? location.href, location.href);
  const same = next.pathname === location.pathname && next.hash === location.hash;
  return (same ? this.replaceState : pushState).call(this, state, unused, url);
};
