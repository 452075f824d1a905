// The page's own bounds, measured in Chromium on the CPU backend: when the shell and the first heatmap appear, how quickly clicks are
// answered while training uses every core, the long tasks of the page meanwhile, and how often each part is updated. Prints one JSON
// object; exits with 1 if a bound is exceeded and --strict is given.
//
//   node tests/bench/bounds.mjs [--clicks N] [--strict]
//
// Requires `cargo xtask build`; GLASSHEAD_DIST, GLASSHEAD_XTASK and GLASSHEAD_CHROMIUM give the paths, as for the browser tests.

import { parseArgs } from "node:util";
import { launch, number, serve, until, waitForState } from "../browser/harness.mjs";

const { values: options } = parseArgs({ options: { clicks: { type: "string", default: "100" }, strict: { type: "boolean" } } });
const clicks = Number(options.clicks);

// Milliseconds and rates that the page promises.
const BOUNDS = { shell_ms: 500, heatmap_ms: 1500, click_ms_95: 100, longest_task_ms: 50, numbers_per_s: 4.5, map_per_s: 15.5, heads_per_s: 2.5 };

// Before the page's scripts: the times at which the shell and the map appear, the delay of every input until the next picture, long
// tasks, and how often canvases and numbers change.
function watch() {
  const seen = { tasks: [], inputs: [], map: 0, heads: 0, numbers: 0 };
  globalThis.seen = seen;
  const look = () => {
    if (seen.shell === undefined && document.querySelector(".rail")) requestAnimationFrame(() => (seen.shell ??= performance.now()));
    if (seen.heatmap === undefined && document.querySelector('[data-testid="large-map"] canvas')?.width > 4) seen.heatmap = performance.now();
    if (seen.heatmap === undefined) requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
  new PerformanceObserver((list) => list.getEntries().forEach((task) => seen.tasks.push([task.startTime, task.duration])))
    .observe({ type: "longtask", buffered: true });
  new PerformanceObserver((list) => list.getEntries().filter(({ name }) => name === "click").forEach(({ duration }) => seen.inputs.push(duration)))
    .observe({ type: "event", durationThreshold: 16, buffered: true });
  const painted = CanvasRenderingContext2D.prototype.putImageData;
  CanvasRenderingContext2D.prototype.putImageData = function (...rest) {
    if (this.canvas.closest('[data-testid="large-map"]')) seen.map += 1;
    if (this.canvas.closest('[data-testid="head-map"][data-layer="0"][data-head="0"]')) seen.heads += 1;
    return painted.apply(this, rest);
  };
}

const CLICKED = [
  ...["Arithmetic", "Dimensions", "Logit lens", "Head roles", "Row"].map((name) => (page) => page.getByRole("tab", { name, exact: true })),
  ...[1, 2, 3, 5, 6].map((at) => (page) => page.locator('[data-testid="head-map"]').nth(at)),
  ...[4, 9, 14].map((at) => (page) => page.locator('[data-testid="token-chip"]').nth(at)),
  ...["axis-tokens", "axis-steps", "as-lines", "as-map", "looked-at-by", "looks-at"].map((id) => (page) => page.locator(`[data-testid="${id}"]`)),
];

const server = await serve();
const browser = await launch({ gpu: false });
try {
  const page = await browser.newPage({ viewport: { width: 1440, height: 900 }, serviceWorkers: "block" });
  await page.addInitScript(watch);
  await page.goto(server.address);
  await waitForState(page, "ready");
  await until("the map is painted", () => page.evaluate(() => globalThis.seen.heatmap !== undefined));
  await page.locator('[data-testid="train"]').click();
  await until("it trains", async () => (await number(page, "step-count")) > 20);
  await page.evaluate(() => {
    const count = document.querySelector('[data-testid="step-count"]');
    new MutationObserver(() => (globalThis.seen.numbers += 1)).observe(count, { characterData: true, childList: true, subtree: true });
    Object.assign(globalThis.seen, { tasks: [], map: 0, heads: 0, numbers: 0, began: performance.now() });
  });
  // Only training, without clicks: rates and long tasks.
  await page.waitForTimeout(10_000);
  const quiet = await page.evaluate(() => {
    const { tasks, map, heads, numbers, began } = globalThis.seen;
    const seconds = (performance.now() - began) / 1000;
    return { tasks: tasks.map(([, duration]) => duration), rates: [map, heads, numbers].map((count) => count / seconds) };
  });
  await page.evaluate(() => (globalThis.seen.inputs = []));
  for (let i = 0; i < clicks; i += 1) {
    await CLICKED[i % CLICKED.length](page).evaluate((element) => element.getBoundingClientRect()).then(({ x, y, width, height }) =>
      page.mouse.click(x + width / 2, y + height / 2));
    await page.waitForTimeout(60);
  }
  await page.waitForTimeout(500);
  const { shell, heatmap, inputs } = await page.evaluate(() => globalThis.seen);
  // Inputs answered within 16 ms are not reported.
  const waits = [...Array(Math.max(0, clicks - inputs.length)).fill(16), ...inputs].sort((a, b) => a - b);
  const result = {
    adapter: await page.locator('[data-testid="adapter"]').textContent(),
    tokens_per_s: await page.locator('[data-testid="tokens-per-s"]').textContent(),
    shell_ms: shell,
    heatmap_ms: heatmap,
    click_ms_50: waits[Math.floor(waits.length / 2)],
    click_ms_95: waits[Math.floor(0.95 * waits.length)],
    click_ms_max: waits.at(-1),
    long_tasks: quiet.tasks.length,
    longest_task_ms: Math.max(0, ...quiet.tasks),
    map_per_s: quiet.rates[0],
    heads_per_s: quiet.rates[1],
    numbers_per_s: quiet.rates[2],
  };
  result.exceeded = Object.entries(BOUNDS).filter(([name, bound]) => result[name] > bound).map(([name, bound]) => `${name} > ${bound}`);
  console.log(JSON.stringify(result));
  if (options.strict && result.exceeded.length > 0) process.exitCode = 1;
} finally {
  await browser.close();
  server.stop();
}
