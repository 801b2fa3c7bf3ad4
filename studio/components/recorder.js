// Camera and microphone -> MediaRecorder -> one base64 text to the server. Nothing leaves before "Stop".
const TYPES = ["video/webm;codecs=vp9,opus", "video/webm;codecs=vp8,opus", "video/webm", "video/mp4"];

function base64(blob) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    // The type may have commas of its own ("codecs=vp9,opus"), base64 has none.
    reader.onload = () => resolve(String(reader.result).split(",").at(-1));
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(blob);
  });
}

export default function ({ parentElement, data, setTriggerValue }) {
  const root = parentElement.querySelector(".recorder");
  if (root.ready) return;
  root.ready = true;
  const video = root.querySelector("video");
  const note = root.querySelector(".note");
  const camera = root.querySelector(".camera");
  const record = root.querySelector(".record");
  let stream = null, recording = null, timer = 0;

  function off() {
    if (stream) stream.getTracks().forEach((track) => track.stop());
    stream = null;
    video.srcObject = null;
    root.classList.remove("on", "recording");
    record.hidden = true;
    camera.textContent = "Turn the camera on";
  }

  async function on() {
    try {
      const wanted = { video: { width: { ideal: 640 }, height: { ideal: 480 }, facingMode: "user" } };
      try {
        stream = await navigator.mediaDevices.getUserMedia({ ...wanted, audio: true });
      } catch {
        stream = await navigator.mediaDevices.getUserMedia({ ...wanted, audio: false });  // no microphone
      }
    } catch (error) {
      note.textContent = `The camera cannot be used (${error.name}); allow it in the browser, or upload a video.`;
      return;
    }
    video.srcObject = stream;
    await video.play();
    root.classList.add("on");
    record.hidden = false;
    record.textContent = "Record";
    camera.textContent = "Turn the camera off";
    note.textContent = "Look into the camera with a calm face, then record.";
  }

  function start() {
    const type = TYPES.find((one) => MediaRecorder.isTypeSupported(one));
    const parts = [];
    const begun = Date.now();
    recording = new MediaRecorder(stream, { mimeType: type, videoBitsPerSecond: 4_000_000 });
    recording.ondataavailable = (event) => parts.push(event.data);
    recording.onstop = async () => {
      clearInterval(timer);
      note.textContent = "Handing it over …";
      off();
      const text = await base64(new Blob(parts, { type }));
      setTriggerValue("recording", { data: text, type, number: String(begun) });
      note.textContent = "Recorded. Record again, or go on.";
    };
    recording.start(500);
    root.classList.add("recording");
    record.textContent = "Stop";
    timer = setInterval(() => {
      const seconds = (Date.now() - begun) / 1000;
      note.textContent = `Recording: ${seconds.toFixed(0)} s of at most ${data.longest} s`;
      if (seconds >= data.longest) recording.stop();
    }, 250);
  }

  camera.onclick = () => (stream ? off() : on());
  record.onclick = () => (recording && recording.state === "recording" ? recording.stop() : start());
  return () => { clearInterval(timer); off(); root.ready = false; };
}
