// The lesson as its reader walks through it: the numbers of every step, by the keyboard alone, on both backends.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";
import { byTestId, screenshot, until, withPage } from "./harness.mjs";

const axe = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
const STEPS = [
  "scores", "weights", "overflow", "context", "all", "projections", "attention", "scale", "module", "mask", "heads",
  "rmsnorm", "loss",
];

async function accessible(page) {
  const { violations } = await page.evaluate(() => globalThis.axe.run());
  assert.deepEqual(violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(" ")}`), []);
}

async function fits(page) {
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  assert.ok(overflow <= 0, `the page is ${overflow} px too wide`);
}

const computed = (page, step) =>
  page.locator(`[data-testid="lesson"][data-step="${step}"][data-computed="true"]`).waitFor({ timeout: 60_000 });

// The rows of a matrix as the page has them, to seven digits.
const rows = (page, name) =>
  page.locator(`[data-matrix="${CSS_escape(name)}"] tbody tr`).evaluateAll((lines) =>
    lines.map((line) => [...line.querySelectorAll("td")].map((cell) => Number(cell.dataset.value))));
const CSS_escape = (text) => text.replaceAll("\\", "\\\\");

// Whether numbers are those expected, to the digits that these have.
function equal(numbers, expected, digits) {
  assert.equal(numbers.length, expected.length);
  numbers.forEach((number, i) => {
    assert.ok(Math.abs(number - expected[i]) <= 0.5 * 10 ** -digits + 1e-7, `${number} instead of ${expected[i]}`);
  });
}

const NUMBERS = {
  scores: [["s", 0, [0.9544, 1.495, 1.4754, 0.8434, 0.707, 1.0865], 4]],
  weights: [
    ["(s + c) / \\sum (s + c)", 0, [0.145, 0.228, 0.225, 0.129, 0.108, 0.166], 3],
    ["softmax(s + c)", 0, [0.1385, 0.2379, 0.2333, 0.124, 0.1082, 0.1581], 4],
  ],
  all: [["Z", 2, [0.4431, 0.6496, 0.5671], 4]],
  projections: [
    ["W_q", 0, [0.3367, 0.1288], 4], ["W_q", 1, [0.2345, 0.2303], 4], ["W_q", 2, [-1.1229, -0.1863], 4],
    ["W_k", 0, [2.2082, -0.638], 4], ["W_k", 1, [0.4617, 0.2674], 4], ["W_k", 2, [0.5349, 0.8094], 4],
    ["W_v", 0, [1.1103, -1.6898], 4], ["W_v", 1, [-0.989, 0.958], 4], ["W_v", 2, [1.3221, 0.8172], 4],
    ["Q", 1, [-0.3519, 0.1483], 4], ["K", 1, [1.9692, 0.4159], 4], ["V", 1, [0.6229, 0.4434], 4],
  ],
  attention: [
    ["S", 0, [-1.2618, -1.6451, -1.6624, -0.7835, -1.5056, -0.6818], 4],
    ["A", 0, [0.1596, 0.1217, 0.1202, 0.2238, 0.1343, 0.2405], 4],
    ["Z", 0, [0.5141, 0.3639], 4], ["Z", 1, [0.5633, 0.3251], 4], ["Z", 2, [0.5659, 0.3221], 4],
    ["Z", 3, [0.5839, 0.2941], 4], ["Z", 4, [0.618, 0.2539], 4], ["Z", 5, [0.5575, 0.3262], 4],
  ],
  mask: [
    ["A", 0, [1, 0, 0, 0, 0, 0], 6],
    ["A", 1, [0.477549, 0.522451, 0, 0, 0, 0], 6],
    ["A", 2, [0.314577, 0.344952, 0.340471, 0, 0, 0], 6],
    ["A", 3, [0.245892, 0.255498, 0.25385, 0.24476, 0, 0], 6],
    ["A", 4, [0.196898, 0.219331, 0.216541, 0.205298, 0.161931, 0], 6],
    ["A", 5, [0.168186, 0.171534, 0.170656, 0.164757, 0.151088, 0.173779], 6],
  ],
};

// Walks from the first step to the last by keys and checks each.
async function walk(page, name, look) {
  await page.addScriptTag({ path: axe });
  await byTestId(page, "view-lesson").click();
  for (const [number, step] of STEPS.entries()) {
    await computed(page, step);
    if (number > 0) assert.match(page.url(), new RegExp(`step=${step}$`));
    for (const [matrix, row, expected, digits] of NUMBERS[step] ?? []) {
      equal((await rows(page, matrix))[row], expected, digits);
    }
    await screenshot(page, `lesson-${name}-${String(number).padStart(2, "0")}-${step}`);
    await look(step);
    await page.keyboard.press(number % 2 ? "ArrowRight" : "PageDown");
  }
  await page.keyboard.press("PageUp");
  await computed(page, STEPS.at(-2));
}

test("the lesson, computed on the GPU", { timeout: 300_000 }, async () => {
  await withPage({}, async (page) => {
    await walk(page, "gpu", () => accessible(page));
    assert.match(await byTestId(page, "lesson-device").textContent(), /swiftshader/i);
    // A cell that has the focus shows its sum; arrows walk on; a question is answered by doing.
    for (let i = 0; i < STEPS.length; i++) await page.keyboard.press("PageUp");
    await computed(page, "scores");
    await page.locator('[data-matrix="s"] td[tabindex="0"]').focus();
    assert.match(await byTestId(page, "worked").textContent(), /0\.5500·0\.4300 .* = 0\.954400/);
    await page.keyboard.press("End");
    await until("the last sum is shown", async () => /step|6/.test(await byTestId(page, "worked").textContent()));
    assert.equal(await byTestId(page, "lesson-answered").textContent(), "");
    await byTestId(page, "lesson-control").selectOption("3");
    await until("the question is answered", async () =>
      (await byTestId(page, "lesson-answered").textContent()) === "✓ answered");
    await byTestId(page, "lesson-code").locator("summary").first().click();
    await byTestId(page, "lesson-code").locator("details summary").first().click();
    await until("the shader is shown", async () => /fn matmul_nt/.test(await byTestId(page, "wgsl").first().textContent()));
  });
});

test("the lesson without WebGPU, dark and narrow", { timeout: 300_000 }, async () => {
  const options = { gpu: false, viewport: { width: 400, height: 900 }, colorScheme: "dark" };
  await withPage(options, async (page) => {
    await walk(page, "cpu", async () => {
      await accessible(page);
      await fits(page);
    });
    assert.equal(await byTestId(page, "lesson-device").textContent(), "CPU");
    assert.equal((await rows(page, "y")).length, 1);
  });
});
