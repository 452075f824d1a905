// Starts the one wasm file, in the page and in its workers alike. The build puts in the two names.
import init from "./GLUE";

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

init({ module_or_path: compiled ?? new URL("./WASM", import.meta.url) }).catch((error) => {
  const message = `The program could not be loaded (${error}). Reload the page; if that does not help, use a current browser.`;
  if (isPage) {
    document.getElementById("app").innerHTML = "<p class='boot' role='alert'></p>";
    document.querySelector(".boot").textContent = message;
  } else {
    postMessage([JSON.stringify({ type: "failed", run: 0, message })]);
  }
});
