// Faults as a person meets them: numbers that run away, a tab that is closed or has a twin, a storage that refuses, a
// device that is lost.

import assert from "node:assert/strict";
import { test } from "node:test";
import { byTestId, field, matches, number, rendered, screenshot, shows, trainTo, until, waitForState, withPage } from "./harness.mjs";

// The keys and sizes of what the page keeps, and what is done to one of them.
const keys = (page) =>
  page.evaluate(
    () =>
      new Promise((done, fail) => {
        const open = indexedDB.open("glasshead", 1);
        open.onerror = () => fail(open.error);
        open.onsuccess = () => {
          const all = open.result.transaction("files").objectStore("files").getAllKeys();
          all.onsuccess = () => done(all.result);
        };
      }),
  );

const cut = (page, key) =>
  page.evaluate(
    (key) =>
      new Promise((done, fail) => {
        const open = indexedDB.open("glasshead", 1);
        open.onerror = () => fail(open.error);
        open.onsuccess = () => {
          const files = () => open.result.transaction("files", "readwrite").objectStore("files");
          const get = files().get(key);
          get.onsuccess = async () => {
            const bytes = await get.result.arrayBuffer();
            const put = files().put(new Blob([bytes.slice(0, bytes.byteLength - 1000)]), key);
            put.onsuccess = () => done();
          };
        };
      }),
    key,
  );

test("a run that diverges says where, and goes on with half the learning rate", { timeout: 400_000 }, async () => {
  await withPage({ gpu: false }, async (page) => {
    await waitForState(page, "ready");
    await trainTo(page, 20);
    await field(page, "stop_steps", "");
    await field(page, "min_lr", "1e30");
    await field(page, "max_lr", "1e30");
    await byTestId(page, "train").click();
    await waitForState(page, "diverged", 240_000);
    const banner = page.locator('[role="alert"][data-testid="banner"]');
    await matches(() => banner.textContent(), /The training diverged.*that step was not applied.*it began in the .*/);
    await screenshot(page, "diverged");
    await field(page, "min_lr", "2e-4");
    await field(page, "max_lr", "2e-3");
    await byTestId(page, "go-on-slower").click();
    await waitForState(page, "training");
    await shows(() => page.locator('input[name="max_lr"]').inputValue(), "0.001");
    await until("it trains again", async () => (await number(page, "loss")) < 7);
    await byTestId(page, "train").click();
    await waitForState(page, "paused");
  });
});

test("what is kept by itself outlives a reload, and the copy before a damaged one", { timeout: 400_000 }, async () => {
  await withPage({ gpu: false }, async (page) => {
    await waitForState(page, "ready");
    await field(page, "save_every", "1");
    await trainTo(page, 30);
    await matches(() => byTestId(page, "kept-by-itself").textContent(), /Kept by itself at step 30/);
    const loss = await byTestId(page, "loss").textContent();
    await trainTo(page, 40);
    await matches(() => byTestId(page, "kept-by-itself").textContent(), /Kept by itself at step 40/);
    const whole = await byTestId(page, "loss").textContent();
    await shows(async () => (await keys(page)).length, 2, "two generations");

    await page.reload();
    await waitForState(page, "ready");
    await matches(() => byTestId(page, "offer").textContent(), /run 1 was kept by itself at step 40/);
    await screenshot(page, "offer");
    await shows(() => page.locator('input[name="save_every"]').inputValue(), "1", "the setting stays");
    // The latest copy is cut: the one before serves, and training on from it gives the same losses to the last digit.
    await shows(() => byTestId(page, "copy").count(), 1, "one run, whose older copy is not shown");
    await cut(page, await newest(page));
    await byTestId(page, "resume-offer").click();
    await until("the copy before is back", async () => (await number(page, "step-count")) === 30);
    await matches(() => byTestId(page, "save-message").textContent(), /latest copy of this run is damaged/);
    await shows(() => byTestId(page, "loss").textContent(), loss);
    await trainTo(page, 40);
    await shows(() => byTestId(page, "loss").textContent(), whole, "as if it had never stopped");
    await matches(() => byTestId(page, "kept-by-itself").textContent(), /Kept by itself at step 40/);
    await shows(async () => (await keys(page)).length, 2, "it goes on under its name");

    // A second tab goes on with the same run: it keeps its copies elsewhere.
    const [other] = await Promise.all([
      page.waitForEvent("popup"),
      page.evaluate(() => void globalThis.open(location.href)),
    ]);
    await waitForState(other, "ready");
    await byTestId(other, "resume-offer").click();
    await until("the run is there", async () => (await number(other, "step-count")) === 40);
    await trainTo(other, 50);
    await matches(() => byTestId(other, "save-message").textContent(), /Another tab has this run open/);
    await matches(() => byTestId(other, "kept-by-itself").textContent(), /Kept by itself at step 50/);
    await shows(async () => (await keys(other)).length, 3, "nothing of the first tab is overwritten");
    await other.close();
  });
});

async function newest(page) {
  return page.evaluate(
    () =>
      new Promise((done) => {
        const open = indexedDB.open("glasshead", 1);
        open.onsuccess = () => {
          const store = open.result.transaction("about").objectStore("about");
          const [names, values] = [store.getAllKeys(), store.getAll()];
          values.onsuccess = () => {
            const saved = values.result.map((json) => JSON.parse(json).saved_ms);
            done(names.result[saved.indexOf(Math.max(...saved))]);
          };
        };
      }),
  );
}

test("a storage that refuses costs a sentence, not the run", { timeout: 400_000 }, async () => {
  await withPage({ gpu: false }, async (page) => {
    await waitForState(page, "ready");
    await page.evaluate(() => {
      IDBObjectStore.prototype.put = () => {
        throw new DOMException("full", "QuotaExceededError");
      };
    });
    await field(page, "save_every", "1");
    await trainTo(page, 30);
    await matches(() => byTestId(page, "kept-by-itself").textContent(), /not kept by itself.*Training goes on/);
    await trainTo(page, 40);
  });
});

// The worker's device, caught when it is used next.
async function destroyDevice(page) {
  const worker = page.workers()[0];
  await worker.evaluate(() => {
    const { createCommandEncoder } = GPUDevice.prototype;
    GPUDevice.prototype.createCommandEncoder = function (...args) {
      GPUDevice.prototype.createCommandEncoder = createCommandEncoder;
      const encoder = createCommandEncoder.apply(this, args);
      this.destroy();
      return encoder;
    };
  });
}

test("a lost device is replaced, and training goes on by itself", { timeout: 500_000 }, async () => {
  await withPage({ expected: /destroyed|lost/i }, async (page) => {
    await waitForState(page, "ready");
    await field(page, "save_every", "2");
    await byTestId(page, "train").click();
    await until("a copy is kept", async () => (await byTestId(page, "kept-by-itself").count()) === 1, 240_000);
    await destroyDevice(page);
    const notice = page.locator('p[data-testid="banner"]', { hasText: "The GPU was lost" });
    await notice.first().waitFor({ timeout: 240_000 });
    await matches(() => notice.first().textContent(), /goes on by itself on a new device .*from step [1-9]/);
    await waitForState(page, "training");
    const step = await number(page, "step-count");
    await until("it trains on", async () => (await number(page, "step-count")) > step + 3, 240_000);
    await screenshot(page, "lost");
    await byTestId(page, "train").click();
    await waitForState(page, "paused");
    await rendered(page);
  });
});
