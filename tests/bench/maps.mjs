// The cost of showing the maps: one run in Chromium trains with them shown and hidden behind another view, alternating. Prints
// tokens/s of both, the rate at which the maps are painted, and the latency of the pointer, as one JSON object.
//
//   node tests/bench/maps.mjs [--backend gpu|cpu] [--periods N] [--seconds N] [--long]
//
// --long uses 256 tokens in 6 layers of 6 heads instead of the preset. Requires `cargo xtask build`; GLASSHEAD_DIST,
// GLASSHEAD_XTASK and GLASSHEAD_CHROMIUM give the paths, as for the browser tests.

import { parseArgs } from "node:util";
import { byTestId, number, until, waitForState, withPage } from "../browser/harness.mjs";

const { values: options } = parseArgs({
  options: {
    backend: { type: "string", default: "cpu" },
    periods: { type: "string", default: "6" },
    seconds: { type: "string", default: "8" },
    long: { type: "boolean", default: false },
  },
});
const [periods, seconds] = [options.periods, options.seconds].map(Number);
if (!["gpu", "cpu"].includes(options.backend) || !(periods > 0) || !(seconds > 0)) {
  console.error("--backend takes gpu or cpu, --periods and --seconds take numbers from 1");
  process.exit(1);
}

const LONG = { context_length: 256, n_layers: 6, n_heads: 6, batch_size: 1 };
const LONG_TEXT = "Lily had a red ball. Tom gave the ball to him. ".repeat(30);

// Counts paints of the large map, and records when each step was reported.
function watch() {
  const painted = CanvasRenderingContext2D.prototype.putImageData;
  globalThis.paints = 0;
  CanvasRenderingContext2D.prototype.putImageData = function (...rest) {
    if (this.canvas.closest('[data-testid="large-map"]')) globalThis.paints += 1;
    return painted.apply(this, rest);
  };
  const count = document.querySelector('[data-testid="step-count"]');
  const told = () => ({ step: Number(count.textContent.replace(/\D/g, "")), at: performance.now() });
  globalThis.told = told();
  new MutationObserver(() => (globalThis.told = told())).observe(count, { characterData: true, childList: true, subtree: true });
}

const now = (page) => page.evaluate(() => ({ ...globalThis.told, paints: globalThis.paints }));

// Steps and paints per second between two step reports.
async function period(page, shown, tokensPerStep) {
  await byTestId(page, shown ? "view-train" : "view-tokenizer").click();
  await page.waitForTimeout(1000); // work in flight at the change belongs to neither period
  const began = await now(page);
  await page.waitForTimeout(1000 * seconds);
  const ended = await now(page);
  const took = (ended.at - began.at) / 1000;
  return { tokens: ((ended.step - began.step) * tokensPerStep) / took, paints: (ended.paints - began.paints) / took };
}

// Milliseconds from a pointer movement over the large map until the page has rendered the cell under it, ascending.
function pointing() {
  const map = document.querySelector('[data-testid="large-map"]');
  const n = map.querySelector("canvas").width;
  const box = map.getBoundingClientRect();
  const point = async (i) => {
    const query = (7 * i + 3) % n;
    const clientX = box.left + (((3 * i) % (query + 1) + 0.5) / n) * box.width;
    const clientY = box.top + ((query + 0.5) / n) * box.height;
    const began = performance.now();
    map.dispatchEvent(new PointerEvent("pointermove", { bubbles: true, clientX, clientY, pointerType: "mouse" }));
    const there = () => document.querySelector('[data-testid="tooltip"]')?.textContent.includes(`(${query}) `);
    while (!there()) await new Promise((done) => setTimeout(done, 0));
    return performance.now() - began;
  };
  return (async () => {
    const waits = [];
    for (let i = 0; i < 100; i++) {
      waits.push(await point(i));
      await new Promise((done) => setTimeout(done, 30)); // the pace of a hand
    }
    return waits.sort((a, b) => a - b);
  })();
}

const mean = (numbers) => numbers.reduce((sum, number) => sum + number, 0) / numbers.length;

await withPage({ gpu: options.backend === "gpu" }, async (page) => {
  await waitForState(page, "ready");
  if (options.long) {
    for (const [name, value] of Object.entries(LONG)) {
      await page.locator(`input[name="${name}"]`).fill(String(value));
      await page.locator(`input[name="${name}"]`).press("Enter");
    }
    await byTestId(page, "probe-input").fill(LONG_TEXT);
    await byTestId(page, "reset").click();
    await until("256 tokens are shown", async () => (await byTestId(page, "token-chip").count()) === 256);
  }
  const field = (name) => page.locator(`input[name="${name}"]`).inputValue().then(Number);
  const tokensPerStep = (await field("batch_size")) * (await field("context_length"));
  await page.evaluate(watch);
  await byTestId(page, "train").click();
  await until("it trains", async () => (await number(page, "step-count")) > 4);
  const found = { shown: [], hidden: [] };
  // Shown first and last, so that a machine that slows down or speeds up favors neither.
  for (let i = 0; i <= periods; i++) {
    const of = i % 2 === 0 ? "shown" : "hidden";
    found[of].push(await period(page, of === "shown", tokensPerStep));
  }
  const waits = await page.evaluate(pointing);
  const [shown, hidden] = [found.shown, found.hidden].map((all) => all.map(({ tokens }) => tokens));
  console.log(JSON.stringify({
    backend: options.backend,
    adapter: await byTestId(page, "adapter").textContent(),
    tokens_per_s_shown: mean(shown),
    tokens_per_s_hidden: mean(hidden),
    costs: 1 - mean(shown) / mean(hidden),
    maps_per_s: mean(found.shown.map(({ paints }) => paints)),
    pointing_ms: { median: waits[50], of_95: waits[94] },
    shown,
    hidden,
  }));
});
