// Starts a worker's program. The build inserts the file names.
import init from "./GLUE";

// The first message is the compiled program, or null if the page could not load it.
const compiled = await new Promise((resolve) => (self.onmessage = ({ data }) => resolve(data)));

// In browsers, wgpu does not request subgroups; here they are requested if the adapter supports them.
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
  postMessage([JSON.stringify({ type: "failed", run: 0, message })]);
});
