// The Scale view: a small sweep that is reloaded at random moments ends like one that is not, a prediction is sealed and its seal
// broken, and a table of runs of another program is fitted.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { accessible, byTestId, matches, number, rendered, screenshot, until, waitForState, withPage } from "./harness.mjs";

async function enter(page, name, value) {
  const field = byTestId(page, `bar-${name}`);
  await field.fill(String(value));
  await field.press("Enter");
  await field.blur();
}

// Plans two budgets of three sizes.
async function plan(page) {
  for (const [name, value] of [["flops", "3e9"], ["budgets", 2], ["sizes", 3], ["lr", 0.02]]) await enter(page, name, value);
  await byTestId(page, "scale-plan").click();
  await byTestId(page, "scale-start").waitFor();
  await matches(() => byTestId(page, "scale-summary").textContent(), /6 runs take about .* are reserved.*Measured: /);
}

// The measured points, as the CSV export has them.
async function table(page) {
  const [file] = await Promise.all([page.waitForEvent("download"), byTestId(page, "export-csv").click()]);
  return (await readFile(await file.path(), "utf8")).trim().split("\n").sort();
}

const done = (page) => page.locator('[data-testid="scale-matrix"] [data-state="done"]').count();
const over = async (page) => (await page.locator('.cell:is([data-state="running"], [data-state="waiting"])').count()) === 0 && (await done(page)) >= 6;

test("a sweep outlives reloads, and its prediction is sealed", { timeout: 240_000 }, async () => {
  await withPage({ gpu: false, viewport: { width: 1440, height: 900 } }, async (page) => {
    await waitForState(page, "ready");
    await page.locator('[data-testid="view-scale"]').click();
    await accessible(page, "without a plan");
    await plan(page);
    await accessible(page, "planned");
    await byTestId(page, "scale-start").click();
    await until("the sweep has ended", () => over(page));
    const calm = await table(page);
    assert.ok(calm.length >= 7, calm.join("\n"));
    await screenshot(page, "scale-complete");
    await accessible(page, "complete");

    await byTestId(page, "scale-new").click();
    await plan(page);
    await byTestId(page, "scale-start").click();
    for (const runs of [1, 3, 4]) {
      const moment = 200 + 600 * Math.random();
      await until(`${runs} runs have ended`, async () => (await done(page)) >= runs);
      await new Promise((resolve) => setTimeout(resolve, moment));
      await page.reload();
      await waitForState(page, "ready");
      await byTestId(page, "scale-matrix").waitFor();
      if (await over(page)) break;
      await byTestId(page, "scale-start").click();
    }
    await until("the sweep has ended", () => over(page));
    assert.deepEqual(await table(page), calm, "no run lost, none repeated, equal losses");

    for (const method of ["lowest", "parametric", "parabola"]) {
      await byTestId(page, `method-${method}`).click();
      await matches(() => byTestId(page, "fit-facts").textContent(), /\w/);
    }
    for (const quantity of ["tokens", "loss", "size"]) await byTestId(page, `best-${quantity}`).click();
    await byTestId(page, "compare").click();
    await until("both maps are painted", async () => (await page.locator(".two-models canvas").count()) === 2);
    await accessible(page, "compared");
    await screenshot(page, "scale-compared");
    await byTestId(page, "compare").click();

    if ((await number(page, "scale-bracketed")) >= 2) {
      await byTestId(page, "seal").click();
      await matches(() => byTestId(page, "seal-state").textContent(), /Sealed \d\d:\d\d/);
      await accessible(page, "sealed");
      await byTestId(page, "break-seal").click();
      await page.getByPlaceholder("Reason, which stays in the history").fill("a test");
      await byTestId(page, "break-now").click();
      await matches(() => byTestId(page, "seal-history").textContent(), /seal broken/);
    }
  });
});

test("runs of another program are fitted", { timeout: 120_000 }, async () => {
  await withPage({ gpu: false, viewport: { width: 1440, height: 900 }, colorScheme: "dark" }, async (page) => {
    await waitForState(page, "ready");
    await page.evaluate(() => (location.hash = "#view=scale"));
    const rows = [1e18, 4e18, 1.6e19, 6.4e19].flatMap((c) =>
      [-2, -1, 0, 1, 2].map((i) => `${0.1 * Math.sqrt(c) * 2 ** i},${c},${2 + (c / 1e18) ** -0.1 + 0.05 * i * i}`));
    const buffer = Buffer.from(["params,flops,loss", ...rows].join("\n"));
    await page.locator('[data-testid="scale-open"]').setInputFiles({ name: "published.csv", mimeType: "text/csv", buffer });
    await matches(() => byTestId(page, "foreign").textContent(), /published\.csv: 20 runs/);
    await matches(() => byTestId(page, "fit-facts").textContent(), /N = .* · C\^0\.500.*Exponent 0\.500.*extrapolation/s);
    await rendered(page);
    await accessible(page, "foreign, dark");
    await screenshot(page, "scale-foreign");
    await page.locator('[data-testid="scale-open"]').setInputFiles({ name: "bad.csv", mimeType: "text/csv", buffer: Buffer.from("a,b\n1,2") });
    await matches(() => byTestId(page, "scale-problem").textContent(), /bad\.csv: no column for/);
  });
});
