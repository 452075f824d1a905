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

// Browsers compile pipelines in parallel only if these are created asynchronously, which wgpu does not do. Here a placeholder is
// returned at once, and replaced where it is used. A pipeline that is used before it exists is created again, synchronously.
if (typeof GPUDevice !== "undefined" && GPUDevice.prototype.createComputePipelineAsync) {
  const create = GPUDevice.prototype.createComputePipeline;
  const { setPipeline } = GPUComputePassEncoder.prototype;
  let pending = [];
  // Tests read how many pipelines were created, and how many of them once more.
  const counts = (self.glassheadPipelineCounts = { created: 0, again: 0 });
  GPUDevice.prototype.createComputePipeline = function (descriptor) {
    const placeholder = { device: this, descriptor, pipeline: undefined };
    const created = this.createComputePipelineAsync(descriptor).then(
      (pipeline) => void (placeholder.pipeline = pipeline),
      (error) => [descriptor.label, String(error.message)],
    );
    pending.push(created);
    counts.created += 1;
    return placeholder;
  };
  GPUComputePassEncoder.prototype.setPipeline = function (placeholder) {
    if (placeholder.pipeline === undefined) {
      placeholder.pipeline = create.call(placeholder.device, placeholder.descriptor);
      counts.again += 1;
    }
    setPipeline.call(this, placeholder.pipeline);
  };
  // Waits for all pipelines so far; resolves to the labels and messages of those that the device refused.
  self.glassheadPipelines = async () => {
    const all = pending;
    pending = [];
    return (await Promise.all(all)).filter((refused) => refused !== undefined);
  };
}

init({ module_or_path: compiled ?? new URL("./WASM", import.meta.url) }).catch((error) => {
  const message = `The program could not be loaded (${error}). Reload the page; if that does not help, use a current browser.`;
  postMessage([JSON.stringify({ type: "failed", run: 0, message })]);
});
