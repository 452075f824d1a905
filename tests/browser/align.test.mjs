// The Align view: fine-tuning, GRPO, the difference map, branch, rewind, export, reload.

import assert from "node:assert/strict";
import { test } from "node:test";
import { accessible, byTestId, matches, rendered, screenshot, shows, until, waitForState, withPage } from "./harness.mjs";

const update = async (page) => Number.parseFloat((await byTestId(page, "align-update").textContent()).replaceAll(",", ""));
const running = (page) => byTestId(page, "align").getAttribute("data-running");

// Enters a value into a pill of the next stage.
async function pill(page, name, value) {
  const input = byTestId(page, `bar-${name}`);
  await input.fill(String(value));
  await input.press("Enter");
}

// Enters a value under All settings.
async function setting(page, name, value) {
  const input = byTestId(page, `align-field-${name}`);
  await input.fill(String(value));
  await input.press("Enter");
}

async function ended(page, steps) {
  await until(`update ${steps}`, async () => (await running(page)) === "false" && (await update(page)) === steps);
}

test("teaches by examples, then by a judge, and loses nothing", { timeout: 240_000 }, async () => {
  await withPage({ gpu: false, viewport: { width: 1440, height: 900 } }, async (page) => {
    await waitForState(page, "ready");
    await byTestId(page, "view-align").click();
    await matches(() => byTestId(page, "align").textContent(), /Begin a stage/);
    await accessible(page, "empty");

    // Fine-tuning from an untrained model.
    await byTestId(page, "align-task").selectOption("recall");
    await pill(page, "rows", 32);
    await pill(page, "steps", 60);
    await byTestId(page, "align-settings").click();
    await setting(page, "stop_exact", "");
    await setting(page, "evaluate_every", 20);
    await setting(page, "evaluation_prompts", 50);
    await setting(page, "seed", "many");
    await matches(() => byTestId(page, "align-drawer").textContent(), /whole number from 0/);
    await setting(page, "seed", 3);
    await accessible(page, "settings");
    await page.keyboard.press("Escape");
    await shows(() => byTestId(page, "align-drawer").count(), 0);
    await byTestId(page, "align-begin").click();
    await ended(page, 60);
    await shows(() => byTestId(page, "align-stage").count(), 2);
    await shows(() => byTestId(page, "align-prompt").count(), 32);

    // Policy gradients from there.
    await byTestId(page, "align-kind-grpo").click();
    await byTestId(page, "align-judge").selectOption("partial");
    await pill(page, "prompts", 8);
    await pill(page, "steps", 12);
    await pill(page, "kl", 0.01);
    await byTestId(page, "align-begin").click();
    await ended(page, 12);
    await byTestId(page, "align-difference").waitFor();
    await shows(() => byTestId(page, "align-stage").count(), 3);
    await shows(() => byTestId(page, "align-prompt").count(), 8);
    await matches(() => byTestId(page, "align-pass").textContent(), /@1 \d+ %, @8 \d+ %/);
    const titles = await page.locator(".align .mini h3").allTextContents();
    for (const title of ["Answer length", "Entropy", "KL to the start", "Groups without signal", "Gradient norm", "Loss on the old text"]) {
      assert.ok(titles.some((text) => text.startsWith(title)), `${title} is missing from ${titles.join(", ")}`);
    }

    // The difference map, by keyboard; another head; another prompt; other colors.
    await byTestId(page, "align-difference").focus();
    await page.keyboard.press("ArrowUp");
    await matches(() => byTestId(page, "align-readout").textContent(), /looks at .*: \d\.\d\d before, \d\.\d\d now/);
    const heads = await byTestId(page, "align-change").count();
    assert.equal(heads, 8);
    await byTestId(page, "align-change").last().click();
    const name = (await byTestId(page, "align-change").last().textContent()).slice(0, 5);
    await shows(() => byTestId(page, "align-head").textContent(), name);
    const prompt = byTestId(page, "align-prompt").nth(3);
    const words = await prompt.locator(".mono").textContent();
    await prompt.click();
    await shows(() => byTestId(page, "align-shown-prompt").textContent(), words);
    await byTestId(page, "align-color-probability").click();
    await matches(() => page.locator(".align .color-scale").textContent(), /probable/);
    await byTestId(page, "align-color-coefficient").click();
    const bin = page.locator('[data-testid="align-bin"]:not(:disabled)').first();
    await bin.click();
    await matches(() => byTestId(page, "align-listed").textContent(), /answers? with a reward/);
    await bin.click();
    await rendered(page);
    await accessible(page, "after GRPO");
    await screenshot(page, "align");
    await page.emulateMedia({ colorScheme: "dark" });
    await accessible(page, "dark");
    await screenshot(page, "align-dark");
    await page.emulateMedia({ colorScheme: "light" });

    // Back, and the same updates again.
    const before = await page.locator(".align .mini").nth(1).textContent();
    const kept = await byTestId(page, "align-rewind-to").locator("option").evaluateAll((all) => all.map((option) => Number(option.value)));
    const middle = kept.find((step) => step > 0 && step < 11);
    await byTestId(page, "align-rewind-to").selectOption(String(middle));
    await until(`update ${middle}`, async () => (await update(page)) === middle);
    await byTestId(page, "align-train").click();
    await ended(page, 12);
    await shows(() => page.locator(".align .mini").nth(1).textContent(), before);

    // A branch from fine-tuning.
    await byTestId(page, "align-stage").nth(1).click();
    await byTestId(page, "align-branch").selectOption("60");
    await byTestId(page, "align-kind-rft").click();
    await pill(page, "prompts", 16);
    await pill(page, "steps", 2);
    await byTestId(page, "align-begin").click();
    await until("the branch", async () => (await byTestId(page, "align-branches").count()) === 1 && (await running(page)) === "false");
    await matches(() => page.locator(".align .chain").textContent(), /SFT.*Expert iteration/);

    const download = page.waitForEvent("download");
    await byTestId(page, "align-export").click();
    assert.match((await download).suggestedFilename(), /^glasshead-Expert-iteration-update-\d+\.zip$/);

    // Rows of one's own: preferences serve DPO alone.
    const rows = Array.from({ length: 40 }, (_, n) => JSON.stringify({ prompt: `${n}+1=`, chosen: `${n + 1}`, rejected: "0" }));
    await byTestId(page, "align-task").selectOption("");
    await byTestId(page, "align-rows").setInputFiles({ name: "pairs.jsonl", mimeType: "text/plain", buffer: Buffer.from(rows.join("\n")) });
    await matches(() => byTestId(page, "align-task").textContent(), /pairs\.jsonl \(40\)/);
    await shows(() => byTestId(page, "align-kind-dpo").getAttribute("aria-pressed"), "true");
    await pill(page, "steps", 3);
    await byTestId(page, "align-begin").click();
    await ended(page, 3);
    await byTestId(page, "align-margins").waitFor();
    await accessible(page, "after DPO");

    // A reload: the same stages, and the present one goes on.
    const stages = await byTestId(page, "align-stage").allTextContents();
    await new Promise((done) => setTimeout(done, 500));
    await page.reload();
    await waitForState(page, "ready");
    await shows(() => byTestId(page, "align-stage").allTextContents(), stages);
    await shows(() => update(page), 3);
    await byTestId(page, "align-stage").nth(1).click();
    await byTestId(page, "align-difference").waitFor();
    await shows(() => update(page), 60);
  });
});

test("an experiment begins by its link and reports its check", { timeout: 240_000 }, async () => {
  await withPage({ gpu: false, viewport: { width: 1280, height: 720 } }, async (page, { address }) => {
    await waitForState(page, "ready");
    await byTestId(page, "view-experiments").click();
    await byTestId(page, "experiment-grpo-reverse").waitFor();
    await accessible(page, "gallery");
    await byTestId(page, "experiment-grpo-reverse").click();
    await byTestId(page, "align-recipe").waitFor();
    await until("fine-tuning", async () => (await byTestId(page, "align-stage").count()) === 2 && (await update(page)) > 5);
    assert.ok(!page.url().includes("recipe="), `${address}: a reload does not begin it again`);
    await screenshot(page, "align-recipe");
  });
});
