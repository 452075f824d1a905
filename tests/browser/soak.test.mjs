// Long training in the page, and many consecutive runs: memory does not grow. SOAK_STEPS=5000 and SOAK_ROUNDS=200 make it long;
// SOAK_BACKEND=gpu uses the GPU, whose software emulation is too slow for everyday use.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { byTestId, field, number, shows, until, waitForState, withPage } from "./harness.mjs";

const STEPS = Number(process.env.SOAK_STEPS ?? 500);
const GPU = process.env.SOAK_BACKEND === "gpu";
const ROUNDS = Number(process.env.SOAK_ROUNDS ?? 10);
const PARTS = 5;

// The first parts fill caches, pools and the timeline; after that, this much is noise from several garbage collectors.
const ROOM = 96 * 2 ** 20;

// Bytes in use by all of the browser's processes, except the one that Chromium starts for its own language models at times (90
// MiB): the minimum of several readings, because garbage comes and goes.
async function memory(session) {
  const looks = [];
  for (let look = 0; look < 5; look++) {
    looks.push(await memoryNow(session));
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  return Math.min(...looks);
}

async function memoryNow(session) {
  const { processInfo } = await session.send("SystemInfo.getProcessInfo");
  const ours = processInfo.filter(({ type }) => !type.startsWith("on_device_model"));
  const sizes = ours.map(async ({ id }) => {
    const status = await readFile(`/proc/${id}/status`, "utf8").catch(() => "");
    return Number(/VmRSS:\s*(\d+) kB/.exec(status)?.[1] ?? 0) * 1024;
  });
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}

// Records the size of the wasm memory whenever the program decodes a string from it, in the page and in its workers.
async function watchHeaps(page) {
  const watch = () => {
    const decode = TextDecoder.prototype.decode;
    TextDecoder.prototype.decode = function (...given) {
      if (given[0]?.buffer) globalThis.heapBytes = given[0].buffer.byteLength;
      return decode.apply(this, given);
    };
  };
  await Promise.all([page, ...page.workers()].map((side) => side.evaluate(watch)));
}

const heap = (side) => side.evaluate(() => globalThis.heapBytes ?? 0);
const mebibytes = (size) => `${(size / 2 ** 20).toFixed(0)} MiB`;

// Heap sizes of the page, and of all its workers together.
async function heaps(page) {
  const workers = await Promise.all(page.workers().map(heap));
  return [await heap(page), workers.reduce((sum, size) => sum + size, 0)];
}

test("the page lets go of what it has shown", { timeout: 300_000 }, async () => {
  await withPage({ gpu: GPU }, async (page) => {
    await waitForState(page, "ready");
    await watchHeaps(page);
    // Maps of a long sentence: 2 MiB each, so that even a few retained ones are noticed.
    const sizes = { n_layers: 4, n_heads: 8, d_model: 32, d_ff: 32, context_length: 256, batch_size: 1 };
    for (const [name, value] of Object.entries(sizes)) await field(page, name, value);
    await byTestId(page, "probe-input").fill("Lily had a red ball. Tom gave the ball to him. ".repeat(30));
    let before;
    for (let round = 0; round < 15; round++) {
      await byTestId(page, "reset").click();
      await shows(() => number(page, "step-count"), 0);
      await waitForState(page, "ready");
      await shows(() => byTestId(page, "head-map").count(), 32);
      await byTestId(page, "step").click();
      await shows(() => number(page, "step-count"), 1);
      if (round === 4) [before] = await heaps(page);
    }
    const [after] = await heaps(page);
    console.log(`the page's wasm memory: ${mebibytes(before)} after 5 runs, ${mebibytes(after)} after 15`);
    assert.ok(before > 0 && after - before < 8 * 2 ** 20, `${before} bytes have become ${after}`);
  });
});

// From now on, counts the bytes of a worker's GPU buffers until they or their devices are destroyed, and counts new devices.
const countBuffers = () => {
  const { createBuffer, destroy: destroyDevice } = GPUDevice.prototype;
  const { destroy: destroyBuffer } = GPUBuffer.prototype;
  const alive = new Map();
  GPUDevice.prototype.createBuffer = function (descriptor) {
    const buffer = createBuffer.call(this, descriptor);
    alive.set(buffer, { device: this, size: descriptor.size });
    return buffer;
  };
  GPUBuffer.prototype.destroy = function () {
    alive.delete(this);
    return destroyBuffer.call(this);
  };
  GPUDevice.prototype.destroy = function () {
    for (const [buffer, { device }] of alive) if (device === this) alive.delete(buffer);
    return destroyDevice.call(this);
  };
  globalThis.gpuBytes = () => [...alive.values()].reduce((sum, { size }) => sum + size, 0);
  const { requestDevice } = GPUAdapter.prototype;
  globalThis.gpuDevices = 0;
  GPUAdapter.prototype.requestDevice = function (...given) {
    globalThis.gpuDevices += 1;
    return requestDevice.apply(this, given);
  };
};

test("a run that ends leaves nothing on the GPU", { timeout: 400_000 }, async () => {
  await withPage({ gpu: true }, async (page) => {
    await waitForState(page, "ready");
    const worker = page.workers()[0];
    await worker.evaluate(countBuffers);
    const sizes = [];
    for (let round = 0; round < 4; round++) {
      await byTestId(page, "reset").click();
      await waitForState(page, "loading");
      await waitForState(page, "ready");
      await byTestId(page, "step").click();
      await shows(() => number(page, "step-count"), 1);
      sizes.push(await worker.evaluate(() => globalThis.gpuBytes()));
    }
    console.log(`buffers on the GPU after each run: ${sizes.map(mebibytes).join(", ")}`);
    assert.ok(sizes[0] > 2 ** 20, `only ${sizes[0]} bytes were counted`);
    assert.ok(sizes.at(-1) < 1.25 * sizes[0], `${sizes}`);
    // The kernels compiled for the first run are reused by later ones.
    assert.equal(await worker.evaluate(() => globalThis.gpuDevices), 0, "new devices");
  });
});

test(`memory does not grow over ${STEPS} steps`, { timeout: 300_000 + STEPS * 1000 }, async () => {
  await withPage({ gpu: GPU }, async (page) => {
    const session = await page.context().browser().newBrowserCDPSession();
    await waitForState(page, "ready");
    await watchHeaps(page);
    await byTestId(page, "train").click();
    const sizes = [];
    for (let part = 1; part <= PARTS; part++) {
      const goal = Math.floor((STEPS * part) / PARTS);
      const began = { at: Date.now(), step: await number(page, "step-count") };
      await until(`${goal} steps are done`, async () => (await number(page, "step-count")) >= goal, STEPS * 1000);
      const steps = (await number(page, "step-count")) - began.step;
      sizes.push(await memory(session));
      const speed = ((steps * 1000) / (Date.now() - began.at)).toFixed(1);
      const [ofPage, ofWorkers] = (await heaps(page)).map(mebibytes);
      console.log(
        `step ${goal}: ${speed} steps/s, ${mebibytes(sizes.at(-1))} in all, of which wasm ${ofPage} in the page, ${ofWorkers} in workers`,
      );
    }
    await byTestId(page, "train").click();
    await waitForState(page, "paused");
    assert.ok(sizes.every((size) => size > 0), "the system tells how much memory is in use");
    const growth = sizes.at(-1) - sizes[1];
    assert.ok(growth < ROOM, `memory has grown by ${growth} bytes from the second part on`);
  });
});

// Runs of two sizes and a model from a file, in turn; each trains one step and is replaced by the next.
const ROUND = {
  nano: async (page) => {
    await byTestId(page, "preset").selectOption("nano");
    await byTestId(page, "reset").click();
    await shows(() => byTestId(page, "head-map").count(), 8);
  },
  tiny: async (page) => {
    await byTestId(page, "preset").selectOption("tiny");
    await byTestId(page, "reset").click();
    await shows(() => byTestId(page, "head-map").count(), 16);
  },
  model: async (page, file) => {
    await byTestId(page, "model-files").setInputFiles({ name: "kept.zip", mimeType: "application/zip", buffer: file });
    await shows(() => number(page, "step-count"), 1);
    await shows(() => byTestId(page, "head-map").count(), 8);
  },
};

test(`memory does not grow over ${ROUNDS} runs of each kind`, { timeout: 300_000 + ROUNDS * 30_000 }, async () => {
  await withPage({ gpu: GPU }, async (page) => {
    const session = await page.context().browser().newBrowserCDPSession();
    await waitForState(page, "ready");
    await watchHeaps(page);
    await byTestId(page, "step").click();
    await shows(() => number(page, "step-count"), 1);
    await byTestId(page, "with-state").check();
    const [download] = await Promise.all([page.waitForEvent("download"), byTestId(page, "export-model").click()]);
    const file = await readFile(await download.path());
    const sizes = [];
    for (let round = 1; round <= ROUNDS; round++) {
      for (const begin of Object.values(ROUND)) {
        await begin(page, file);
        await waitForState(page, ["ready", "paused"]);
        const step = await number(page, "step-count");
        await byTestId(page, "step").click();
        await shows(() => number(page, "step-count"), step + 1);
      }
      if ((round * PARTS) % ROUNDS < PARTS) {
        sizes.push(await memory(session));
        const [ofPage, ofWorkers] = (await heaps(page)).map(mebibytes);
        const objects = mebibytes(await page.evaluate(() => performance.memory.usedJSHeapSize));
        console.log(
          `round ${round}: ${mebibytes(sizes.at(-1))} in all, of which wasm ${ofPage} in the page, ${ofWorkers} in workers; JavaScript ${objects}`,
        );
      }
    }
    const growth = sizes.at(-1) - sizes[1];
    assert.ok(growth < ROOM, `memory has grown by ${growth} bytes from the second part on`);
  });
});
