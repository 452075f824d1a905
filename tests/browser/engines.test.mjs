// The same short story in every browser engine: Chromium, Firefox (on the CPU and on WebGPU) and WebKitGTK.

import assert from "node:assert/strict";
import { access } from "node:fs/promises";
import { test } from "node:test";
import { Home } from "./engines/home.mjs";
import * as puppeteer from "./engines/puppeteer.mjs";
import * as steps from "./engines/steps.mjs";
import * as webdriver from "./engines/webdriver.mjs";
import { serve } from "./harness.mjs";

const VIEWPORT = { width: 1400, height: 1000 };

const ENGINES = [
  { name: "Chromium", launch: (home) => puppeteer.launch("chromium", home, { viewport: VIEWPORT }) },
  { name: "Firefox", launch: (home) => puppeteer.launch("firefox", home, { viewport: VIEWPORT }) },
  {
    name: "Firefox on WebGPU",
    webgpu: true,
    launch: (home) => puppeteer.launch("firefox", home, { viewport: VIEWPORT, webgpu: true }),
  },
  { name: "WebKitGTK", launch: (home) => webdriver.launch(home, { viewport: VIEWPORT }) },
];

// Starts a browser and the page's server for one test; both stop when it ends, also after a failure.
async function start(t, engine) {
  const home = await Home.create();
  t.after(() => home.close());
  const server = await serve();
  t.after(server.stop);
  const tab = await engine.launch(home);
  return { page: new steps.Page(tab, home, server.address), stop: server.stop };
}

// Runs one step; a failure names it and leaves a screenshot.
async function step(page, engine, name, run) {
  const began = Date.now();
  const file = `${engine.name} ${name}`.toLowerCase().replaceAll(" ", "-");
  try {
    const result = await run();
    await page.screenshot(file);
    console.log(`${engine.name}: ${name}, ${((Date.now() - began) / 1000).toFixed(1)} s`);
    return result;
  } catch (error) {
    await page.screenshot(`${file}-failed`).catch(() => {});
    const console = await page.tab.complaints().catch(() => []);
    error.message = [`${engine.name}, ${name}: ${error.message}`, ...console].join("\n");
    throw error;
  }
}

// Browsers report requests that fail by design, and software adapters.
const EXPECTED = /WebGPU|adapter|ERR_CONNECTION_REFUSED/i;

// GLASSHEAD_ENGINES lists the browsers to test in, separated by commas; all by default.
const wanted = process.env.GLASSHEAD_ENGINES?.split(",").map((name) => name.trim());
const skip = (engine) => wanted?.includes(engine.name.toLowerCase().match(/^(chromium|firefox|webkit)/)[0]) === false &&
  "left out by GLASSHEAD_ENGINES";

for (const engine of ENGINES) {
  test(`${engine.name} trains, explains and remembers`, { timeout: 400_000, skip: skip(engine) }, async (t) => {
    const { page, stop } = await start(t, engine);
    const run = (name, action) => step(page, engine, name, action);
    const adapter = engine.webgpu ? /llvmpipe|software/i : /CPU/;
    await run("open", () => steps.open(page, adapter));
    await run("hatching", () => steps.hatching(page));
    await run("train", () => steps.train(page));
    await run("pin", () => steps.pin(page));
    if (engine.webgpu) {
      await run("write", () => steps.write(page));
      await run("half", () => steps.half(page, adapter));
    } else {
      await run("lesson", () => steps.lesson(page));
      const path = await run("export", () => steps.exportFiles(page));
      await run("resume", () => steps.resume(page, path));
      await run("offline", () => steps.offline(page, stop));
    }
    assert.deepEqual((await page.tab.complaints()).filter((text) => !EXPECTED.test(text)), []);
  });

  test(`${engine.name} leaves no process and no file when a test fails`, { timeout: 120_000, skip: skip(engine) }, async () => {
    const home = await Home.create();
    try {
      await engine.launch(home);
      assert.ok(home.processes().length > 0, "it runs");
      home.quit = () => new Promise(() => {}); // like a browser that hangs
    } finally {
      await home.close();
    }
    assert.deepEqual(home.processes(), []);
    await assert.rejects(access(home.folder), { code: "ENOENT" });
  });
}
