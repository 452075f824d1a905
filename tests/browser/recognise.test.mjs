// Known kinds of heads as they form: a model that learns to repeat sequences grows an induction head, the chart shows when, and
// that head behaves as the glossary describes.

import assert from "node:assert/strict";
import { test } from "node:test";
import { byTestId, matches, number, screenshot, until, waitForState, withPage } from "./harness.mjs";

// The best scores in the list below the chart: { induction: 0.93, ... }.
async function best(page) {
  const lines = await byTestId(page, "best-heads").locator("li").allTextContents();
  return Object.fromEntries(lines.map((line) => /^([\w ]+): L\d+ H\d+ ([\d.]+)$/.exec(line.trim()).slice(1)).map(([kind, score]) => [kind.toLowerCase(), Number(score)]));
}

test("the chart shows when an induction head appears", { timeout: 600_000 }, async () => {
  await withPage({ gpu: false }, async (page, { address }) => {
    await page.goto(`${address}#preset=nano&task=induction&batch_size=16&max_lr=0.01&schedule_steps=2000`);
    await page.reload();
    await waitForState(page, "ready");
    await matches(() => byTestId(page, "corpus").textContent(), /examples of induction/);
    await page.getByRole("tab", { name: "Head roles", exact: true }).click();
    await byTestId(page, "best-heads").waitFor();
    const before = await best(page);
    assert.ok(before.induction < 0.2, `random weights have none: ${before.induction}`);

    await byTestId(page, "train").click();
    const said = page.locator(".appeared li", { hasText: "induction head appeared" });
    await said.waitFor({ timeout: 420_000 });
    const [, layer, head, step] = /layer (\d) head (\d) at step (\d+)/.exec(await said.textContent()).map(Number);
    assert.ok(step > 0, `it came while it trained: step ${step}`);
    await until("its step is told", async () => (await number(page, "step-count")) >= step);
    await until("the score stays", async () => (await best(page)).induction >= 0.4);
    await byTestId(page, "train").click();
    await waitForState(page, "paused");
    console.log(`induction head: layer ${layer} head ${head} at step ${step}; ${before.induction} before, ${(await best(page)).induction} now`);
    await screenshot(page, "recognise");
  });
});
