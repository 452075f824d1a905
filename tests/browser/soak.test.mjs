// Training for long in the page: memory does not grow. SOAK_STEPS=5000 makes it long; SOAK_BACKEND=cpu leaves the GPU out.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { byTestId, number, until, waitForState, withPage } from "./harness.mjs";

const STEPS = Number(process.env.SOAK_STEPS ?? 200);
const GPU = process.env.SOAK_BACKEND !== "cpu";
const PARTS = 5;

// The first parts fill caches, pools and the scrubber; afterwards so much is noise of several garbage collectors.
const ROOM = 96 * 2 ** 20;

// Bytes in use by all of the browser's processes.
async function memory(session) {
  const { processInfo } = await session.send("SystemInfo.getProcessInfo");
  const sizes = processInfo.map(async ({ id }) => {
    const status = await readFile(`/proc/${id}/status`, "utf8").catch(() => "");
    return Number(/VmRSS:\s*(\d+) kB/.exec(status)?.[1] ?? 0) * 1024;
  });
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}

test(`memory does not grow over ${STEPS} steps`, { timeout: 300_000 + STEPS * 1000 }, async () => {
  await withPage({ gpu: GPU }, async (page) => {
    const session = await page.context().browser().newBrowserCDPSession();
    await waitForState(page, "ready");
    await page.locator('input[name="stop_steps"]').fill(String(STEPS));
    await page.locator('input[name="stop_steps"]').press("Enter");
    await byTestId(page, "train").click();
    const sizes = [];
    for (let part = 1; part <= PARTS; part++) {
      const goal = Math.floor((STEPS * part) / PARTS);
      const began = { at: Date.now(), step: await number(page, "step-count") };
      await until(`${goal} steps are done`, async () => (await number(page, "step-count")) >= goal, STEPS * 1000);
      const steps = (await number(page, "step-count")) - began.step;
      sizes.push(await memory(session));
      const speed = ((steps * 1000) / (Date.now() - began.at)).toFixed(1);
      console.log(`step ${goal}: ${speed} steps/s, ${(sizes.at(-1) / 2 ** 20).toFixed(0)} MiB in all processes`);
    }
    assert.ok(sizes.every((size) => size > 0), "the system tells how much memory is in use");
    const growth = sizes.at(-1) - sizes[1];
    assert.ok(growth < ROOM, `memory has grown by ${growth} bytes from the second part on`);
  });
});
