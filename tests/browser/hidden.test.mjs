// Tabs behind others: hidden, frozen and discarded, as browsers do to save power and memory. Chromium is driven without
// Playwright here, which has every page believe that it is in front.

import assert from "node:assert/strict";
import { test } from "node:test";
import { until } from "./harness.mjs";
import { withBrowser } from "./raw.mjs";

const STEPS = 1500;
const at = (id) => `document.querySelector('[data-testid="${id}"]')`;
const wait = (ms) => new Promise((done) => setTimeout(done, ms));

// What a person reads and does, in a tab that cannot be clicked on while it is hidden.
function seen(tab) {
  const text = (id) => tab.evaluate(`${at(id)}?.textContent ?? ""`);
  return {
    text,
    state: () => tab.evaluate(`document.querySelector("[data-run-state]")?.dataset.runState`),
    step: async () => Number((await text("step-count")).replaceAll(/\D/g, "")),
    click: (id) => tab.evaluate(`${at(id)}.click()`),
    fill: (name, value) =>
      tab.evaluate(`{
        const field = document.querySelector('input[name="${name}"]');
        field.value = "${value}";
        field.dispatchEvent(new Event("input", { bubbles: true }));
        field.dispatchEvent(new Event("change", { bubbles: true }));
      }`),
  };
}

async function opened(browser, hash = "") {
  const tab = await browser.open(browser.address + hash);
  const page = seen(tab);
  await until("the page is ready", async () => (await page.state()) === "ready");
  return { tab, page };
}

// Trains to the end of STEPS steps, does `meanwhile` on the way, and tells the loss.
async function trained({ page }, meanwhile = async () => {}) {
  await page.fill("stop_steps", STEPS);
  await page.click("train");
  await until("it trains", async () => (await page.step()) > 20);
  await meanwhile();
  await until("it has stopped", async () => (await page.text("stopped")) !== "", 240_000);
  await until("all is told", async () => (await page.step()) === STEPS);
  return page.text("loss");
}

// Steps a second over some seconds.
async function speed(page, ms) {
  const [began, first] = [Date.now(), await page.step()];
  await wait(ms);
  return ((await page.step()) - first) / ((Date.now() - began) / 1000);
}

test("a hidden tab trains on at full speed, and a frozen one goes on as if it had never stopped", { timeout: 600_000 }, async () => {
  await withBrowser(async (browser) => {
    const { tab, page } = await opened(browser);
    const other = await browser.open("about:blank");
    await tab.front();
    const whole = await trained({ page });
    await tab.call("Page.reload");
    await wait(1000);
    await until("it is there again", async () => (await page.state()) === "ready");
    await tab.evaluate(`
      globalThis.told = [];
      for (const name of ["freeze", "resume"]) document.addEventListener(name, () => told.push(name));
      // The longest that the page was busy without a break.
      globalThis.longest = 0;
      new PerformanceObserver((list) => list.getEntries().forEach(({ duration }) => (longest = Math.max(longest, duration)))).observe({ type: "longtask" });
    `);
    const loss = await trained({ page }, async () => {
      const inFront = await speed(page, 4000);
      await other.front();
      await until("it is hidden", () => tab.evaluate("document.hidden"));
      const hidden = await speed(page, 4000);
      console.log(`${inFront.toFixed(1)} steps/s in front, ${hidden.toFixed(1)} hidden`);
      assert.ok(hidden > inFront * 0.6, `${hidden} steps/s hidden, ${inFront} in front`);
      for (let time = 1; time <= 3; time++) {
        await tab.call("Page.setWebLifecycleState", { state: "frozen" });
        await until("it is frozen", () => tab.evaluate(`told.at(-1) === "freeze"`));
        const before = await page.step();
        await wait(3000);
        await tab.call("Page.setWebLifecycleState", { state: "active" });
        await until("it is awake", () => tab.evaluate(`told.at(-1) === "resume"`));
        const after = await page.step();
        assert.ok(after - before < inFront * 2, `it stood still: ${before} before, ${after} after`);
        await until("it trains on", async () => (await page.step()) > after);
      }
      await tab.evaluate("longest = 0");
      await tab.front();
      await until("it is seen", () => tab.evaluate("!document.hidden"));
      await wait(2000);
      const longest = await tab.evaluate("longest");
      console.log(`back in front, it was busy for ${longest.toFixed(0)} ms at most`);
      assert.ok(longest < 1000, `back in front, it was busy for ${longest} ms`);
      assert.ok((await page.step()) < STEPS, "all of this while it trained");
    });
    assert.equal(loss, whole, "the same losses to the last digit");
  });
});
