// Counts what a program asks of WebGPU, by wrapping its interface.

let sinceSubmit = 0;

// For each submission so far, how many dispatches it had.
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

// Dispatches and submissions per step since `from` submissions had been made.
export function perStep(from, steps) {
  const seen = submissions.slice(from);
  return {
    dispatches_per_step: seen.reduce((a, b) => a + b, 0) / steps,
    submits_per_step: seen.length / steps,
  };
}

// The adapter that a program gets which asks for a fast one.
export async function adapterName() {
  const adapter = await navigator.gpu?.requestAdapter({ powerPreference: "high-performance" });
  return adapter ? `${adapter.info.vendor} ${adapter.info.architecture}`.trim() : "none";
}
