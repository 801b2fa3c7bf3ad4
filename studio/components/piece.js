// The browser's own loop goes round the whole film; this one stays between start and end.
export default function ({ parentElement, data }) {
  const video = parentElement.querySelector("video.piece");
  const url = new URL(data.url, document.baseURI).href;
  video.dataset.start = data.start;
  video.dataset.end = data.end;
  if (video.src !== url) video.src = url;
  if (!video.ready) {
    video.ready = true;
    const back = () => { video.currentTime = Number(video.dataset.start); };
    video.addEventListener("loadedmetadata", back);
    video.addEventListener("timeupdate", () => {
      const before = video.currentTime < Number(video.dataset.start) - 0.05;
      if (before || video.currentTime >= Number(video.dataset.end)) back();
    });
  }
  // A change shows itself at once: the first frame of the piece.
  if (video.readyState > 0) video.currentTime = data.start;
}
