// Counts a program's WebGPU dispatches and submissions by wrapping the API.

let sinceSubmit = 0;

// The number of dispatches of each submission so far.
export const submissions = [];

function wrap(type, method, before) {
  const original = type.prototype[method];
  type.prototype[method] = function (...args) {
    before();
    return original.apply(this, args);
  };
}

if (globalThis.GPUQueue) {
  wrap(GPUComputePassEncoder, "dispatchWorkgroups", () => sinceSubmit++);
  wrap(GPUComputePassEncoder, "dispatchWorkgroupsIndirect", () => sinceSubmit++);
  wrap(GPUQueue, "submit", () => {
    submissions.push(sinceSubmit);
    sinceSubmit = 0;
  });
}

// Dispatches and submissions per step, counted from submission `from`.
export function perStep(from, steps) {
  const seen = submissions.slice(from);
  return {
    dispatches_per_step: seen.reduce((a, b) => a + b, 0) / steps,
    submits_per_step: seen.length / steps,
  };
}

// Name of the adapter that a program receives when it requests a fast one.
export async function adapterName() {
  const adapter = await navigator.gpu?.requestAdapter({ powerPreference: "high-performance" });
  return adapter ? `${adapter.info.vendor} ${adapter.info.architecture}`.trim() : "none";
}
