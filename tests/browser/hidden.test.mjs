// Background tabs: hidden, frozen and discarded, as browsers do to save power and memory. Chromium is driven without Playwright
// here, because Playwright makes every page believe that it is in front.

import assert from "node:assert/strict";
import { test } from "node:test";
import { until } from "./harness.mjs";
import { withBrowser } from "./raw.mjs";

const at = (id) => `document.querySelector('[data-testid="${id}"]')`;
const wait = (ms) => new Promise((done) => setTimeout(done, ms));

// The user's view and actions, in a tab that cannot be clicked while it is hidden.
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

// Trains and runs `meanwhile`, which returns the step to stop at; returns the loss.
async function trained(page, meanwhile) {
  await page.fill("stop_steps", "");
  await page.click("train");
  await until("it trains", async () => (await page.step()) > 20);
  const steps = await meanwhile();
  assert.ok((await page.step()) < steps, "all of this while it trained");
  await page.fill("stop_steps", steps);
  await until("it has stopped", async () => (await page.text("stopped")) !== "", 240_000);
  await until("all is told", async () => (await page.step()) === steps);
  return page.text("loss");
}

// Steps per second over `ms` milliseconds.
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
    // Enough steps for half a minute on any machine.
    let steps;
    const whole = await trained(page, async () => (steps = Math.ceil(30 * (await speed(page, 3000)))));
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
    const loss = await trained(page, async () => {
      const inFront = await speed(page, 3000);
      await other.front();
      await until("it is hidden", () => tab.evaluate("document.hidden"));
      const hidden = await speed(page, 3000);
      console.log(`${inFront.toFixed(1)} steps/s in front, ${hidden.toFixed(1)} hidden`);
      // A page with throttled timers would advance once a second; a quarter leaves room for a busy machine.
      assert.ok(hidden > inFront / 4, `${hidden} steps/s hidden, ${inFront} in front`);
      for (let time = 1; time <= 3; time++) {
        await tab.call("Page.setWebLifecycleState", { state: "frozen" });
        await until("it is frozen", () => tab.evaluate(`told.at(-1) === "freeze"`));
        const before = await page.step();
        await wait(2000);
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
      return steps;
    });
    assert.equal(loss, whole, "the same losses to the last digit");
  });
});

// Makes the browser discard the tab at `address`, through its internal page for that.
async function discard(browser, address) {
  const desk = await browser.open("chrome://discards");
  await desk.front();
  const link = `(() => {
    const all = (node) => [...node.querySelectorAll("*")].flatMap((one) => [one, ...(one.shadowRoot ? all(one.shadowRoot) : [])]);
    const rows = all(document).filter((one) => one.localName === "tr" && one.textContent.includes("${address}"));
    const links = rows.flatMap((row) => [...row.querySelectorAll("[is=action-link]")]);
    return links.find((one) => one.textContent.includes("Urgent Discard"));
  })()`;
  await until("the tab is in the list", () => desk.evaluate(`Boolean(${link})`));
  await desk.evaluate(`${link}.click()`);
}

test("a tab that the browser has discarded offers its run, and goes on with it", { timeout: 300_000 }, async () => {
  await withBrowser(async (browser) => {
    const { tab, page } = await opened(browser);
    await page.fill("save_every", "1");
    await page.click("train");
    await until("a copy is kept", async () => /step/.test(await page.text("kept-by-itself")));
    const workers = async () => (await browser.send("Target.getTargets")).targetInfos.filter(({ type }) => type === "worker").length;
    assert.ok((await workers()) > 0, "it trains in a worker");
    await tab.leave();
    await discard(browser, browser.address);
    await until("it is gone", async () => (await workers()) === 0);
    const { targetInfos } = await browser.send("Target.getTargets");
    const { targetId } = targetInfos.find(({ type, url }) => type === "page" && url.startsWith(browser.address));
    await browser.send("Target.activateTarget", { targetId });
    const loaded = await browser.attach(targetId);
    const back = seen(loaded);
    await until("it is there again", async () => (await back.state()) === "ready");
    assert.equal(await loaded.evaluate("document.wasDiscarded"), true);
    const [, kept] = /saved automatically at step (\d+)/.exec(await back.text("offer")) ?? [];
    assert.ok(Number(kept) > 0, "its run is offered");
    await back.click("resume-offer");
    await until("the run is back", async () => (await back.step()) === Number(kept));
    await back.click("train");
    await until("it trains on", async () => (await back.step()) > Number(kept));
  });
});
