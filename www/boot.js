// Starts the one wasm file, in the page and in its workers alike. The build puts in the names and the version.
import init from "./GLUE";

const VERSION = "BUILD";

const isPage = typeof document !== "undefined";
// A worker gets the program compiled, in its first message.
const compiled = isPage ? undefined : await new Promise((resolve) => (self.onmessage = ({ data }) => resolve(data)));

// wgpu asks for no subgroups in a browser; here they are asked for wherever the adapter has them.
if (typeof GPUAdapter !== "undefined") {
  const requestDevice = GPUAdapter.prototype.requestDevice;
  GPUAdapter.prototype.requestDevice = async function (wanted = {}) {
    const subgroups = this.features.has("subgroups") ? ["subgroups"] : [];
    const requiredFeatures = [...(wanted.requiredFeatures ?? []), ...subgroups];
    const device = await requestDevice.call(this, { ...wanted, requiredFeatures });
    self.glassheadSubgroups = device.features.has("subgroups");
    return device;
  };
}

const started = init({ module_or_path: compiled ?? new URL("./WASM", import.meta.url) });
started.catch((error) => {
  const message = `The program could not be loaded (${error}). Reload the page; if that does not help, use a current browser.`;
  if (isPage) {
    document.getElementById("app").innerHTML = "<p class='boot' role='alert'></p>";
    document.querySelector(".boot").textContent = message;
  } else {
    postMessage([JSON.stringify({ type: "failed", run: 0, message })]);
  }
});
// A convenience: where the browser forbids it, in a private window or a frame, everything else works.
if (isPage) started.then(keepForOffline).catch(() => {});

// Keeps the page for times without a network, and says when there is a newer one.
async function keepForOffline() {
  const { serviceWorker } = navigator;
  serviceWorker.addEventListener("message", ({ data: { version } }) => {
    if (version === VERSION || document.querySelector(".update")) return;
    const notice = document.createElement("p");
    notice.className = "update";
    notice.setAttribute("role", "status");
    const button = document.createElement("button");
    button.textContent = "reload";
    button.onclick = () => location.reload();
    notice.append("A newer version of this page is there. Save what you want to keep, then", button);
    document.body.prepend(notice);
  });
  serviceWorker.startMessages();
  await serviceWorker.register(new URL("./sw.js", import.meta.url));
}
