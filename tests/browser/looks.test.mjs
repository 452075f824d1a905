// Every state of the attention view in four looks (light and dark, wide and narrow), typing during training, and a model
// without the causal mask.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { addAxe, byTestId, field, number, rendered, screenshot, settled, shows, until, waitForState, withPage } from "./harness.mjs";

const WIDE = { width: 1400, height: 1000 };
const NARROW = { width: 400, height: 900 };

const text = (page, id) => byTestId(page, id).first().textContent();

// Checks the current state in all looks: axe-core finds nothing, and nothing is wider than the page.
async function looked(page, state) {
  for (const [colorScheme, viewport] of [["light", NARROW], ["dark", NARROW], ["dark", WIDE], ["light", WIDE]]) {
    await page.emulateMedia({ colorScheme });
    await page.setViewportSize(viewport);
    const where = `${state} ${colorScheme} ${viewport.width}`;
    await until(`${where} fits`, () => page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth));
    await rendered(page);
    await settled(page);
    if (viewport === WIDE) {
      const { violations } = await page.evaluate(() => globalThis.axe.run());
      assert.deepEqual(violations.map(({ id, nodes }) => `${id}: ${nodes[0].html}`), [], where);
    }
    await screenshot(page, `look-${where.replaceAll(" ", "-")}`);
  }
}

const section = (page, name) => page.getByRole("tab", { name, exact: true }).click();

// Types letter by letter while the page shows new steps in between; no input is lost.
async function typed(page, field, entry) {
  await field.fill("");
  for (const letter of entry) {
    const steps = await number(page, "step-count");
    await field.press(letter);
    await until("new steps are shown", async () => (await number(page, "step-count")) > steps);
  }
  assert.equal(await field.inputValue(), entry, "what was typed is still there");
  await field.press("Enter");
}

async function whileItTrains(page) {
  await byTestId(page, "train").click();
  await until("some moments are there", async () => Number(await byTestId(page, "scrubber").getAttribute("max")) >= 3);
  await section(page, "What if");
  await byTestId(page, "edit-weight").click();
  await typed(page, byTestId(page, "weight-row"), "13");
  await typed(page, byTestId(page, "weight-column"), "21");
  await typed(page, byTestId(page, "new-weight"), "0.75");
  const entries = () => Promise.all(["weight-row", "weight-column", "new-weight"].map((id) => byTestId(page, id).inputValue()));
  await shows(entries, ["13", "21", "0.75"]);
  const name = byTestId(page, "run").first().locator('input[inputmode="text"]');
  await typed(page, name, "red ball");
  await until("the run has its name", async () => (await name.getAttribute("aria-label")) === "Name of red ball");
  await byTestId(page, "view-lesson").click();
  await page.evaluate(() => { location.hash = "view=lesson&step=projections"; });
  await page.locator('[data-testid="lesson"][data-step="projections"][data-computed="true"]').waitFor();
  await typed(page, byTestId(page, "lesson-control"), "1234");
  const first = page.locator('[data-matrix="W_q"] tbody td').first();
  await until("the weights are torch's for this seed", async () => Math.abs(Number(await first.getAttribute("data-value")) - 0.0461305) < 1e-6);
  await byTestId(page, "view-train").click();
  await byTestId(page, "train").click();
  await waitForState(page, "paused");
}

test("every state is legible in four looks, and what is typed while it trains stays", { timeout: 400_000 }, async () => {
  await withPage({ gpu: false }, async (page) => {
    await addAxe(page);
    await waitForState(page, "ready");
    await looked(page, "ready");
    await whileItTrains(page);
    await looked(page, "what-if");
    for (const [title, name] of [["Arithmetic", "arithmetic"], ["Dimensions", "neurons"]]) {
      await section(page, title);
      await byTestId(page, "large-map").focus();
      for (const key of ["ArrowDown", "ArrowDown", "ArrowDown", "ArrowLeft"]) await page.keyboard.press(key);
      await byTestId(page, name).waitFor();
      await looked(page, name);
    }
    await section(page, "Logit lens");
    await byTestId(page, "lens").waitFor();
    await looked(page, "lens");
    await section(page, "Head roles");
    await byTestId(page, "head-scores").waitFor();
    // The scores of an earlier snapshot are the ones measured closest to it.
    const latest = /, step ([\d,]+)/.exec(await text(page, "head-scores"))[1];
    await byTestId(page, "scrubber").focus();
    await page.keyboard.press("Home");
    await until("the first scores are shown", async () => /step 0, the nearest to step 0 in view/.test(await text(page, "head-scores")));
    await byTestId(page, "hold").click();
    await looked(page, "scores-earlier");
    await byTestId(page, "live").click();
    await until("the latest are back", async () => (await text(page, "head-scores")).includes(`, step ${latest}`));
    await byTestId(page, "take-along").waitFor();
    await looked(page, "compare-take-along");
    await page.getByRole("button", { name: "what is: induction head" }).click();
    await byTestId(page, "explained").waitFor();
    await byTestId(page, "values").selectOption("scores before softmax");
    await until("the scores have come", async () => /q·k .* before softmax/.test(await text(page, "legend")));
    await looked(page, "scores-explained");
    await byTestId(page, "values").selectOption({ index: 0 });
    await section(page, "Row");
    await byTestId(page, "token-chip").nth(9).click();
    await byTestId(page, "token-chip").nth(12).click({ modifiers: ["Shift"] });
    await until("a mean is shown", async () => /^2 tokens, on average/.test(await text(page, "bars-title")));
    await byTestId(page, "show-table").click();
    await looked(page, "pinned-table");
    await byTestId(page, "as-lines").click();
    await byTestId(page, "head-view").waitFor();
    await byTestId(page, "share").click();
    await looked(page, "lines-share");
  });
});

test("without the causal mask later keys are shown like all others", { timeout: 200_000 }, async () => {
  await withPage({ gpu: false }, async (page) => {
    await addAxe(page);
    await waitForState(page, "ready");
    await page.locator('select[name="causal"]').selectOption("false");
    await byTestId(page, "reset").click();
    await until("the legend says so", async () => /no causal mask/.test(await text(page, "legend").catch(() => "")));
    await waitForState(page, "ready");
    const opaque = () => page.evaluate(() => {
      const canvas = document.querySelector('[data-testid="large-map"] canvas');
      const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      return canvas.width > 4 && data.every((channel, at) => at % 4 !== 3 || channel === 255);
    });
    await until("every cell is painted", opaque);
    const map = byTestId(page, "large-map");
    await map.focus();
    for (const key of ["ArrowDown", "ArrowRight", "ArrowRight", "ArrowRight"]) await page.keyboard.press(key);
    await until("a later key has its weight", async () => /\(1\) looks at .* \(3\): \d\.\d{3}$/.test(await text(page, "readout")));
    const n = await byTestId(page, "token-chip").count();
    await byTestId(page, "token-chip").nth(2).click();
    await byTestId(page, "all-bars").click();
    await until("a row has all keys", async () => (await byTestId(page, "bars").locator("li").count()) === n);
    const row = await byTestId(page, "bars").locator(".weight").allTextContents();
    assert.ok(Math.abs(row.reduce((sum, weight) => sum + Number(weight), 0) - 1) < 0.05, "and sums to 1");
    await looked(page, "no-mask");
    await byTestId(page, "take-along").waitFor();
    const coming = page.waitForEvent("download");
    await byTestId(page, "csv-head").click();
    const lines = (await readFile(await (await coming).path())).toString().trim().split("\n");
    assert.equal(lines.length, 1 + n * n, "the file has every cell");
  });
});

test("a layer of many heads is seen whole at every width", { timeout: 300_000 }, async () => {
  await withPage({ gpu: false }, async (page) => {
    await waitForState(page, "ready");
    for (const heads of [1, 12, 16]) {
      await field(page, "d_model", 16 * heads);
      await field(page, "n_heads", heads);
      await field(page, "n_kv_heads", heads);
      await byTestId(page, "reset").click();
      await shows(() => byTestId(page, "head-map").count(), 2 * heads);
      await waitForState(page, "ready");
      for (const [width, colorScheme] of [[400, "dark"], [800, "light"], [1280, "light"], [1400, "dark"]]) {
        await page.emulateMedia({ colorScheme });
        await page.setViewportSize({ width, height: 1000 });
        await rendered(page);
        const outside = await page.evaluate(() => {
          const all = document.querySelector(".heads").getBoundingClientRect();
          const maps = [...document.querySelectorAll(".heads .head")].map((map) => [map, map.getBoundingClientRect()]);
          const cut = ([map, box]) => box.right > all.right + 0.5 || map.scrollWidth > map.clientWidth || box.width < 24;
          const [first, second] = maps.filter(([map]) => map.dataset.head === "0").map(([, box]) => box);
          return { cut: maps.filter(cut).map(([map]) => map.ariaLabel), aligned: first.left === second.left || first.top === second.top };
        });
        assert.deepEqual(outside, { cut: [], aligned: true }, `${heads} heads, ${width} px`);
        await screenshot(page, `heads-${heads}-${width}`);
      }
      await page.setViewportSize(WIDE);
    }
  });
});
