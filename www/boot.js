// Starts the wasm file, both in the page and in its workers. The build inserts file names and version.
import init from "./GLUE";

const VERSION = "BUILD";

const isPage = typeof document !== "undefined";
// A worker receives the compiled module in its first message.
const compiled = isPage ? undefined : await new Promise((resolve) => (self.onmessage = ({ data }) => resolve(data)));

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

// The page's workers, which are terminated when it crashes.
const workers = new Set();
if (isPage) {
  const Plain = self.Worker;
  self.Worker = class extends Plain {
    constructor(...args) {
      super(...args);
      workers.add(this);
    }
    terminate() {
      workers.delete(this);
      super.terminate();
    }
  };
  // After a panic, exhausted memory or a stack overflow, the program can no longer be called.
  const ended = (error) => error instanceof WebAssembly.RuntimeError || self.glassheadPanic !== undefined;
  addEventListener("error", ({ error }) => ended(error) && showCrash(error));
  addEventListener("unhandledrejection", ({ reason }) => ended(reason) && showCrash(reason));
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
// Optional: if the browser forbids it (private window, frame), everything else works.
if (isPage) started.then(keepForOffline).catch(() => {});

// Makes the page available offline, and shows a notice when there is a newer version.
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

// Replaces the page with a screen that reports the error and offers the latest autosave.
async function showCrash(error) {
  if (document.querySelector(".crash")) return;
  workers.forEach((worker) => worker.terminate());
  const screen = document.createElement("main");
  const alert = document.createElement("div");
  alert.className = "crash";
  alert.dataset.testid = "crash";
  alert.setAttribute("role", "alert");
  screen.append(alert);
  const add = (tag, text, onclick) => {
    const element = document.createElement(tag);
    Object.assign(element, { textContent: text, onclick });
    alert.append(element);
  };
  add("h1", "Glasshead stopped because of an error in the program");
  add("p", "The run ended with it. Nothing that was saved or autosaved is lost.");
  document.body.replaceChildren(screen);
  const autosave = await latestAutosave();
  if (autosave) {
    const { key, about, saved_ms } = autosave;
    add("p", `The latest autosave is ${about.name}, step ${about.step}, ${new Date(saved_ms).toLocaleString()}.`);
    add("button", "Reload and resume it", () => {
      sessionStorage.setItem("glasshead.resume", key);
      location.reload();
    });
  } else {
    add("p", "There is no autosave in this browser.");
  }
  add("button", "Reload", () => location.reload());
  // If the settings of a link caused this, they would cause it again.
  if (location.hash) add("button", "Reload with default settings", () => ((location.hash = ""), location.reload()));
  add("p", "Please report this message:");
  add("pre", String(self.glassheadPanic ?? error));
}

// The key and description of the latest autosave.
async function latestAutosave() {
  let latest;
  try {
    const runs = await (await navigator.storage.getDirectory()).getDirectoryHandle("runs");
    for await (const [key, handle] of runs.entries()) {
      if (!key.startsWith("auto-")) continue;
      try {
        const [line] = (await (await handle.getFile()).slice(0, 65536).text()).split("\n");
        const { about, saved_ms } = JSON.parse(line);
        if (!latest || saved_ms > latest.saved_ms) latest = { key, about, saved_ms };
      } catch {
        // Skips unreadable files.
      }
    }
  } catch {
    // Without this storage, there are no autosaves.
  }
  return latest;
}
