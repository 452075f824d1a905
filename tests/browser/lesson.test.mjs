// The lesson from beginning to end: the numbers of every step, by keyboard alone, on both backends.

import assert from "node:assert/strict";
import { test } from "node:test";
import { accessible, addAxe, byTestId, matches, screenshot, shows, until, withPage } from "./harness.mjs";

const STEPS = [
  "tokens", "scores", "weights", "overflow", "context", "all", "race", "projections", "attention", "scale", "module",
  "mask", "leak", "heads", "rope", "rmsnorm", "swiglu", "residual", "loss", "weight", "schedule", "sampling",
  "response-mask", "policy-step", "equal-rewards", "six-n-d", "isoflop",
  "jaccard", "minhash",
  "roofline", "ring", "four-sums",
];

async function fits(page) {
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  assert.ok(overflow <= 0, `the page is ${overflow} px too wide`);
}

const computed = (page, step) =>
  page.locator(`[data-testid="lesson"][data-step="${step}"][data-computed="true"]`).waitFor({ timeout: 60_000 });

// The rows of a matrix on the page, to seven digits.
const rows = (page, name) =>
  page.locator(`[data-matrix="${CSS_escape(name)}"] tbody tr`).evaluateAll((lines) =>
    lines.map((line) => [...line.querySelectorAll("td")].map((cell) => Number(cell.dataset.value))));
const CSS_escape = (text) => text.replaceAll("\\", "\\\\");

// Asserts that numbers equal the expected ones, to `digits` digits.
function equal(numbers, expected, digits) {
  assert.equal(numbers.length, expected.length);
  numbers.forEach((number, i) => {
    assert.ok(Math.abs(number - expected[i]) <= 0.5 * 10 ** -digits + 1e-7, `${number} instead of ${expected[i]}`);
  });
}

const NUMBERS = {
  tokens: [
    ["X", 0, [0.43, 0.15, 0.89], 7], ["X", 1, [0.55, 0.87, 0.66], 7], ["X", 2, [0.57, 0.85, 0.64], 7],
    ["X", 3, [0.22, 0.58, 0.33], 7], ["X", 4, [0.77, 0.25, 0.1], 7], ["X", 5, [0.05, 0.8, 0.55], 7],
  ],
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
  module: [
    ["W_qT", 0, [0.441407, 0.53036], 6], ["W_qT", 1, [0.479205, -0.1265], 6], ["W_qT", 2, [-0.135257, 0.116504], 6],
    ["W_kT", 0, [-0.281086, -0.42356], 6], ["W_kT", 1, [0.339068, 0.501831], 6], ["W_kT", 2, [0.508959, 0.108056], 6],
    ["W_vT", 0, [0.426551, -0.081517], 6], ["W_vT", 1, [0.078191, 0.445071], 6], ["W_vT", 2, [0.278391, 0.085338], 6],
    ["Z", 0, [0.3755, 0.2777], 4], ["Z", 1, [0.3761, 0.2831], 4], ["Z", 2, [0.3761, 0.2833], 4],
    ["Z", 3, [0.3768, 0.2763], 4], ["Z", 4, [0.3754, 0.2836], 4], ["Z", 5, [0.3772, 0.2746], 4],
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

const answered = (page) =>
  until("the question is answered", async () => (await byTestId(page, "lesson-answered").textContent()) === "✓ answered");

// Encodes a sentence with GPT-2's tokens and decodes it again.
async function tokens(page, text, ids) {
  await until(`the ids of ${text} are shown`, async () => {
    const shown = await byTestId(page, "lesson-tokens").locator(".id").allTextContents();
    return JSON.stringify(shown.map(Number)) === JSON.stringify(ids);
  });
  await shows(() => byTestId(page, "lesson-decoded").textContent(), text);
}

// Actions at the steps that need any, with keys alone.
const DONE = {
  tokens: async (page) => {
    const first = [10814, 0, 314, 716, 1804, 880, 492, 314, 2911, 345, 821, 880, 1165, 0, 220];
    await tokens(page, "Hey! I am doing well.. I hope you're well too! ", first);
    await byTestId(page, "lesson-control").focus();
    await page.keyboard.press("ArrowDown");
    await tokens(page, "Your journey starts with one step", [7120, 7002, 4940, 351, 530, 2239]);
    await answered(page);
  },
  context: async (page) => {
    await byTestId(page, "lesson-control").focus();
    await page.keyboard.press("ArrowDown");
    await until("the third token is held", async () => Math.abs((await rows(page, "z"))[0][0] - 0.4431) < 1e-4);
    equal((await rows(page, "z"))[0], [0.4431, 0.6496, 0.5671], 4);
    await page.keyboard.press("ArrowUp");
    await computed(page, "context");
  },
  all: async (page) => {
    // A number of X: Enter opens its field, Enter closes it, and the focus returns.
    await page.locator('[data-matrix="X"] td[tabindex="0"]').first().focus();
    await page.keyboard.press("Enter");
    await until("the field has the focus", () => page.evaluate(() => document.activeElement.dataset.testid === "lesson-x"));
    await page.keyboard.type("5");
    await until("X has changed", async () => (await rows(page, "X"))[0][0] === 5);
    await answered(page);
    await page.keyboard.press("Enter");
    await shows(() => page.evaluate(() => document.activeElement.dataset.value), "5");
    await byTestId(page, "lesson-reset").focus();
    await page.keyboard.press("Enter");
    await until("the first numbers are back", async () => (await rows(page, "X"))[0][0] < 1);
  },
  "response-mask": async (page) => {
    await byTestId(page, "lesson-control").focus();
    await page.keyboard.press("End");
    await answered(page);
  },
  "policy-step": async (page) => {
    // From 1 down to 0.5, the mean of the other rewards.
    await byTestId(page, "lesson-control").focus();
    for (let i = 0; i < 5; i++) await page.keyboard.press("ArrowDown");
    await answered(page);
  },
  "equal-rewards": async (page) => {
    equal((await rows(page, "A"))[0].slice(0, 2), [2.4749, -0.3536], 4);
    await byTestId(page, "lesson-control").focus();
    await page.keyboard.press("End");
    await answered(page);
  },
  "six-n-d": async (page) => {
    await byTestId(page, "lesson-control").focus();
    await page.keyboard.press("End");
    await answered(page);
  },
  isoflop: async (page) => {
    await byTestId(page, "lesson-control").focus();
    await page.keyboard.press("Home");
    await answered(page);
  },
  rope: async (page) => {
    await byTestId(page, "lesson-control").focus();
    for (let i = 0; i < 18; i++) await page.keyboard.press("ArrowUp");
    await answered(page);
  },
};

// Walks from the first step to the last by keys alone and checks each.
async function walk(page, name, look) {
  await addAxe(page);
  await byTestId(page, "view-lesson").focus();
  await page.keyboard.press("Enter");
  for (const [number, step] of STEPS.entries()) {
    await computed(page, step);
    if (number > 0) {
      assert.match(page.url(), new RegExp(`step=${step}(&|$)`));
      await shows(() => page.evaluate(() => document.activeElement.id), "lesson-title", "the new title is read aloud");
    }
    await DONE[step]?.(page);
    await computed(page, step);
    for (const [matrix, row, expected, digits] of NUMBERS[step] ?? []) {
      equal((await rows(page, matrix))[row], expected, digits);
    }
    await screenshot(page, `lesson-${name}-${String(number).padStart(2, "0")}-${step}`);
    await look(step);
    await page.keyboard.press("PageDown");
  }
  await page.keyboard.press("PageUp");
  await computed(page, STEPS.at(-2));
}

// Two models: the one without a mask has the lower loss and cannot write.
async function cheat(page) {
  await byTestId(page, "pair-train").focus();
  const began = Date.now();
  await page.keyboard.press("Enter");
  await page.locator('[data-testid="pair"][data-step="200"][data-running="false"]').waitFor({ timeout: 600_000 });
  console.log(`the pair: ${((Date.now() - began) / 1000).toFixed(0)} s`);
  const [causal, open] = await byTestId(page, "pair-status").evaluate((status) =>
    [status.dataset.causal, status.dataset.open].map(Number));
  assert.ok(open < 0.5 * causal, `${open} and ${causal}`);
  const end = async (id) => Number(await byTestId(page, id).getAttribute("data-end-loss"));
  assert.ok(await end("pair-open") > 0.3 + await end("pair-causal") && await end("pair-open") > 2 * open);
  await shows(() => byTestId(page, "lesson-answered").textContent(), "");
  await byTestId(page, "lesson-control").focus();
  await page.keyboard.press("ArrowDown");
  await answered(page);
}

test("the lesson, computed on the GPU", { timeout: 900_000 }, async () => {
  await withPage({}, async (page) => {
    await walk(page, "gpu", async (step) => {
      if (step === "leak") await cheat(page);
      await accessible(page);
    });
    await matches(() => byTestId(page, "lesson-device").textContent(), /swiftshader/i);
    // The link stores the step; from the heads step, a link leads to a head of the model being trained.
    await page.evaluate(() => { location.hash = "view=lesson&step=heads"; });
    await computed(page, "heads");
    await byTestId(page, "lesson-head").focus();
    await page.keyboard.press("Enter");
    await until("head 3 of layer 2 is shown large", async () =>
      /layer 2, head 3/.test(await page.locator(".head.selected").getAttribute("aria-label")));
    assert.match(page.url(), /view=train/);
    await page.evaluate(() => { location.hash = "view=lesson&step=scores"; });
    await computed(page, "scores");
    // A focused cell shows its sum; arrows move on; a question is answered by an action.
    await page.locator('[data-matrix="s"] td[tabindex="0"]').focus();
    await matches(() => byTestId(page, "worked").textContent(), /0\.5500·0\.4300 .* = 0\.954400/);
    await page.keyboard.press("End");
    await until("the last sum is shown", async () => /step|6/.test(await byTestId(page, "worked").textContent()));
    await shows(() => byTestId(page, "lesson-answered").textContent(), "");
    await byTestId(page, "lesson-control").selectOption("3");
    await answered(page);
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
    await shows(() => byTestId(page, "lesson-device").textContent(), "CPU");
  });
});
