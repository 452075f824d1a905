// Sleeping tabs, and a screen that stays on: training stops when it has to, and nothing is lost or done twice.

import assert from "node:assert/strict";
import { test } from "node:test";
import { byTestId, field, matches, number, screenshot, shows, trainTo, until, waitForState, withPage } from "./harness.mjs";

const STEPS = 300;

// Runs `use` while all processes of pages and their workers are stopped, as when the computer sleeps.
async function asleep(page, use) {
  const session = await page.context().browser().newBrowserCDPSession();
  const { processInfo } = await session.send("SystemInfo.getProcessInfo");
  const renderers = processInfo.filter(({ type }) => type === "renderer").map(({ id }) => id);
  assert.ok(renderers.length > 0, "a process runs the page");
  renderers.forEach((id) => process.kill(id, "SIGSTOP"));
  try {
    await use();
  } finally {
    renderers.forEach((id) => process.kill(id, "SIGCONT"));
  }
}

const wait = (ms) => new Promise((done) => setTimeout(done, ms));

test("a run that sleeps again and again ends as one that never slept", { timeout: 400_000 }, async () => {
  await withPage({ gpu: false }, async (page) => {
    await waitForState(page, "ready");
    await trainTo(page, STEPS);
    const loss = await byTestId(page, "loss").textContent();
    await page.reload();
    await waitForState(page, "ready");
    await field(page, "save_every", "1");
    await field(page, "stop_steps", STEPS);
    await byTestId(page, "train").click();
    for (let sleep = 1; sleep <= 5; sleep++) {
      const before = await number(page, "step-count");
      await until("it trains", async () => (await number(page, "step-count")) > before);
      await asleep(page, () => wait(1500));
    }
    assert.ok((await number(page, "step-count")) < STEPS, "it slept while it trained");
    await byTestId(page, "stopped").waitFor({ timeout: 240_000 });
    await waitForState(page, "paused");
    await shows(() => byTestId(page, "loss").textContent(), loss, "the same losses to the last digit");
    await matches(() => byTestId(page, "kept-by-itself").textContent(), new RegExp(`Saved automatically at step ${STEPS}`));
    const banners = await byTestId(page, "banner").allTextContents();
    assert.deepEqual(banners.filter((text) => !/^(Training on the CPU|Paused by a stop rule)/.test(text)), [], "nothing went wrong");
  });
});

test("the screen stays on while a run trains, for those who want that", { timeout: 400_000 }, async () => {
  await withPage({ gpu: false }, async (page) => {
    await waitForState(page, "ready");
    const locks = () => page.evaluate(() => globalThis.locks);
    await page.evaluate(() => {
      globalThis.locks = [];
      WakeLock.prototype.request = async (kind) => {
        const lock = { kind, released: false };
        globalThis.locks.push(lock);
        return { release: async () => void (lock.released = true) };
      };
    });
    await trainTo(page, 10);
    assert.deepEqual(await locks(), [], "nobody has asked for it");
    await byTestId(page, "stay-awake").check();
    await field(page, "stop_steps", "");
    await byTestId(page, "train").click();
    await shows(locks, [{ kind: "screen", released: false }], "held while it trains");
    // A tab that was hidden has lost the lock.
    await page.evaluate(() => document.dispatchEvent(new Event("visibilitychange", { bubbles: true })));
    await shows(locks, [{ kind: "screen", released: true }, { kind: "screen", released: false }], "asked for again");
    await byTestId(page, "train").click();
    await waitForState(page, "paused");
    await shows(async () => (await locks()).every(({ released }) => released), true, "given back");

    await page.reload();
    await waitForState(page, "ready");
    await shows(() => byTestId(page, "stay-awake").isChecked(), true, "the setting stays");
    await page.evaluate(() => {
      WakeLock.prototype.request = () => Promise.reject(new DOMException("no", "NotAllowedError"));
    });
    await byTestId(page, "train").click();
    await matches(() => byTestId(page, "stay-awake-refused").textContent(), /does not keep the screen on/);
    await screenshot(page, "awake");
    await byTestId(page, "train").click();
    await waitForState(page, "paused");
    await byTestId(page, "stay-awake").uncheck();
    await shows(() => byTestId(page, "stay-awake-refused").count(), 0);
  });
});
