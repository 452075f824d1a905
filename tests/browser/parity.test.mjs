// A run in a browser and the same run of `glasshead train --portable`: equal losses, learning rates and weights, to the bit.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { byTestId, required, trainTo, until, waitForState, withPage } from "./harness.mjs";

const STEPS = 50;

// B · T of the preset nano. With --steps the command line would shorten the schedule.
const TOKENS_PER_STEP = 8 * 64;

// Relative difference of losses that fused multiplications and other blocks of sums may cause in so few steps.
const FUSED = 1e-5;

// The header and the tensors of a checkpoint.
function opened(bytes) {
  const size = Number(bytes.readBigUInt64LE(0));
  const { __metadata__: metadata, ...tensors } = JSON.parse(bytes.subarray(8, 8 + size).toString());
  const { points, validation } = JSON.parse(metadata.run).history;
  const steps = points.map(({ seconds, ...point }) => point);
  const data = Object.fromEntries(
    Object.entries(tensors).map(([name, { data_offsets: [start, end] }]) => [name, bytes.subarray(8 + size + start, 8 + size + end)]),
  );
  return { steps, validation, data, config: metadata.config, tokenizer: metadata.tokenizer };
}

async function inBrowser() {
  let bytes;
  await withPage({ gpu: false }, async (page, { address }) => {
    await page.goto("about:blank");
    await page.goto(`${address}#preset=nano&task=copy&seed=7`);
    await waitForState(page, "ready");
    // Batches that several workers share are added in another order.
    await byTestId(page, "workers").fill("1");
    await byTestId(page, "workers").press("Enter");
    await until("one computes", async () => !/workers/.test(await byTestId(page, "adapter").textContent()));
    await trainTo(page, STEPS);
    const [file] = await Promise.all([page.waitForEvent("download"), byTestId(page, "save").click()]);
    bytes = await readFile(await file.path());
  });
  return opened(bytes);
}

async function natively(...options) {
  const folder = await mkdtemp(join(tmpdir(), "glasshead-parity-"));
  try {
    const args = `train --task copy --seed 7 --backend cpu --stop-tokens ${STEPS * TOKENS_PER_STEP} --json --out`.split(" ");
    await promisify(execFile)(required("GLASSHEAD_PROGRAM"), [...options, ...args, folder]);
    return opened(await readFile(join(folder, "checkpoint.safetensors")));
  } finally {
    await rm(folder, { recursive: true });
  }
}

test("a run has the same bits in a browser and natively", { timeout: 600_000 }, async () => {
  const page = await inBrowser();
  const portable = await natively("--portable");
  assert.equal(page.steps.length, STEPS);
  assert.equal(page.config, portable.config);
  assert.equal(page.tokenizer, portable.tokenizer);
  assert.deepEqual(page.steps, portable.steps);
  assert.deepEqual(Object.keys(page.data), Object.keys(portable.data));
  for (const [name, bytes] of Object.entries(page.data)) {
    assert.ok(bytes.equals(portable.data[name]), `${name} differs`);
  }
  const at = (step) => portable.validation.find((point) => point.step === step)?.loss;
  for (const { step, loss } of page.validation.filter((point) => at(point.step) !== undefined)) {
    assert.equal(loss, at(step), `the held-out loss at step ${step}`);
  }

  // With fused multiplications, the losses of the first steps are close, and everything else is equal.
  const fast = await natively();
  assert.deepEqual(fast.steps.map(({ step, lr }) => [step, lr]), page.steps.map(({ step, lr }) => [step, lr]));
  const relative = (a, b) => Math.abs(a - b) / Math.abs(b);
  const differences = fast.steps.map(({ loss }, index) => relative(loss, page.steps[index].loss));
  console.log(`largest relative difference of losses with fused multiplications: ${Math.max(...differences).toExponential(1)}`);
  assert.ok(Math.max(...differences) < FUSED);
});
