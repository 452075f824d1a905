// Inspection of the model: computing a weight, switching off a head, editing a weight, the logit lens, head scores, the
// glossary.

import assert from "node:assert/strict";
import { test } from "node:test";
import { accessible, byTestId, matches, rendered, screenshot, shows, until, waitForState, withPage } from "./harness.mjs";

const open = (page, name) => page.getByRole("tab", { name, exact: true }).click();

// The losses of the comparison: without and with the change.
async function losses(page) {
  const cells = await byTestId(page, "what-if-loss").locator("td").allTextContents();
  return cells.slice(0, 2).map(Number);
}

test("questions are answered beside the unchanged model", { timeout: 300_000 }, async () => {
  await withPage({ gpu: false }, async (page) => {
    await waitForState(page, "ready");

    // The computation of a cell agrees with the map.
    await open(page, "Arithmetic");
    await byTestId(page, "arithmetic").waitFor();
    const map = byTestId(page, "large-map");
    await map.focus();
    for (const key of ["ArrowDown", "ArrowDown", "ArrowDown", "ArrowRight"]) await page.keyboard.press(key);
    await shows(() => map.getAttribute("aria-activedescendant"), "cell-3-1");
    await rendered(page);
    const worked = await byTestId(page, "worked-weight").textContent();
    assert.match(worked, /^0\.\d{3}$/);
    for (const id of ["readout", "tooltip"]) await matches(() => byTestId(page, id).textContent(), new RegExp(`${worked}(?!\\d)`), id);
    await accessible(page);
    await screenshot(page, "questions-arithmetic");
    await open(page, "Dimensions");
    await page.getByRole("application", { name: /q × k per dimension/ }).focus();
    await page.keyboard.press("ArrowRight");
    await matches(() => byTestId(page, "neurons").textContent(), /dimension 1, key .*: q -?\d.* weight \d\.\d+ × v -?\d/);
    await byTestId(page, "neurons-shown").selectOption("w × v");
    await byTestId(page, "neurons").getByRole("application", { name: /w × v per dimension/ }).waitFor();
    await matches(() => byTestId(page, "neurons").textContent(), /At the right: the weight/);
    await screenshot(page, "questions-neurons");

    // A head is switched off and on again.
    await open(page, "What if");
    await byTestId(page, "what-if-loss").waitFor();
    let [plain, changed] = await losses(page);
    assert.equal(plain, changed);
    await byTestId(page, "toggle-head").click();
    await until("the loss differs", async () => ([, changed] = await losses(page)) && changed !== plain);
    assert.equal((await losses(page))[0], plain, "the model itself is as it was");
    await shows(() => page.locator('[data-testid="head-map"].off').count(), 1);
    await byTestId(page, "all-on").click();
    await until("the loss returns", async () => (await losses(page))[1] === plain);

    // A weight is edited temporarily, then kept.
    await byTestId(page, "edit-weight").click();
    await until("the old value is there", async () => /\d/.test(await byTestId(page, "old-weight").textContent()));
    await byTestId(page, "new-weight").fill("9");
    await byTestId(page, "new-weight").blur();
    await until("the loss differs", async () => (await losses(page))[1] !== plain);
    await screenshot(page, "questions-what-if");
    await accessible(page);
    const cut = await page.locator(".table.what-if").evaluate((table) => table.scrollWidth - table.clientWidth);
    assert.ok(cut <= 0, `the comparison is ${cut} px too wide`);
    await byTestId(page, "keep-weight").click();
    await until("it is kept", async () => (await byTestId(page, "old-weight").textContent()) === "9");
    await matches(() => byTestId(page, "what-if-message").textContent(), /is now 9 in the run itself/);

    await open(page, "Logit lens");
    await byTestId(page, "lens").waitFor();
    await page.locator(".predicted button").nth(3).focus();
    await matches(() => byTestId(page, "lens-readout").textContent(), /After .*, layer 2: .*comes next: rank \d+/);
    await screenshot(page, "questions-lens");
    await accessible(page);

    // Scores and their explanation, by keyboard.
    await page.getByRole("tab", { name: "Logit lens" }).focus();
    await page.keyboard.press("ArrowRight");
    await shows(() => byTestId(page, "best-heads").locator("li").count(), 4);
    await byTestId(page, "scores-chart").hover({ position: { x: 30, y: 40 } });
    await until("the chart tells a step", async () => /at step 0:/.test(await byTestId(page, "scores-step").textContent()));
    await shows(() => page.locator(".scores-chart .pointed").count(), 1);
    await screenshot(page, "questions-scores");
    await accessible(page);
    await page.getByRole("button", { name: "what is: induction head" }).click();
    await matches(() => byTestId(page, "explained").locator("h3").textContent(), /^induction head$/);
    await accessible(page);
    await page.emulateMedia({ colorScheme: "dark" });
    await page.setViewportSize({ width: 400, height: 900 });
    const sections = { Row: "bars", Arithmetic: "arithmetic", Dimensions: "neurons", "What if": "what-if-loss", "Logit lens": "lens", "Head roles": "head-scores" };
    await byTestId(page, "token-chip").nth(5).click();
    await byTestId(page, "panel-inspect").click();
    for (const [name, id] of Object.entries(sections)) {
      await open(page, name);
      await byTestId(page, id).waitFor();
      await accessible(page);
      await screenshot(page, `questions-narrow-dark-${id}`);
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
      assert.ok(overflow <= 0, `the page is ${overflow} px too wide with ${name}`);
    }
  });
});
