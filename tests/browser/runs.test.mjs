// Runs in use: stored across a reload, resumed, compared, stopped, exported.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { accessible, byTestId, field, matches, number, rendered, screenshot, shows, trainTo, until, waitForState, withPage } from "./harness.mjs";

async function download(page, button) {
  const [file] = await Promise.all([page.waitForEvent("download"), button.click()]);
  return { name: file.suggestedFilename(), path: await file.path() };
}

test("a run outlives a reload and writes on", { timeout: 400_000 }, async () => {
  await withPage({ gpu: false }, async (page) => {
    await waitForState(page, "ready");
    await trainTo(page, 30);
    await matches(() => byTestId(page, "stopped").textContent(), /30 steps are done/);
    await rendered(page);
    const loss = await byTestId(page, "loss").textContent();
    const file = await download(page, byTestId(page, "save"));
    assert.match(file.name, /run-1-step-30\.safetensors$/);
    await until("it says so", async () => /kept in this browser/.test(await byTestId(page, "save-message").textContent()));

    await page.reload();
    await waitForState(page, "ready");
    await matches(() => byTestId(page, "kept").textContent(), /run 1.*step 30/);
    await byTestId(page, "resume").click();
    await until("the steps are back", async () => (await number(page, "step-count")) === 30);
    await shows(() => byTestId(page, "loss").textContent(), loss, "the losses are back");
    await trainTo(page, 40);

    await byTestId(page, "prompt").fill("Lily had");
    await page.locator(".ask input").nth(3).fill("30");
    await page.locator(".ask input").nth(3).blur();
    await byTestId(page, "generate").click();
    await until("it has written", async () => (await page.locator(".written").count()) === 30);
    await page.locator(".written").nth(4).hover();
    await byTestId(page, "choices").waitFor();
    await rendered(page);
    const choices = await byTestId(page, "choices").textContent();
    assert.match(choices, /T = 1.*T = 0\.8.*chosen.*left to choose from/);
    await screenshot(page, "runs-choices");
    await page.mouse.move(5, 5);
    await page.locator(".written").first().focus();
    await page.keyboard.press("ArrowRight");
    await shows(() => page.locator(".written:focus").count(), 1, "the arrow keys walk the tokens");
    await byTestId(page, "choices").waitFor();
    await accessible(page);

    // A damaged file gives an error message, and the run continues.
    const bytes = await readFile(file.path);
    await byTestId(page, "checkpoint-file").setInputFiles({
      name: "cut.safetensors",
      mimeType: "application/octet-stream",
      buffer: bytes.subarray(0, bytes.length / 2),
    });
    await until("it is refused", async () => /Not loaded/.test(await byTestId(page, "save-message").textContent()));
    await shows(() => number(page, "step-count"), 40);
    // The intact file, opened from disk.
    await byTestId(page, "checkpoint-file").setInputFiles({
      name: file.name,
      mimeType: "application/octet-stream",
      buffer: bytes,
    });
    await until("it is loaded", async () => (await number(page, "step-count")) === 30);
    await shows(() => byTestId(page, "run").count(), 2, "the run before stays for comparison");
    await byTestId(page, "delete-kept").click();
    await until("it is gone", async () => (await byTestId(page, "kept").count()) === 0);
  });
});

// One story from the vocabulary to the last word: everything made before the reload is still available after it.
test("a vocabulary is trained, taken, and a run with it outlives a reload", { timeout: 400_000 }, async () => {
  await withPage({ gpu: false }, async (page) => {
    await waitForState(page, "ready");
    await byTestId(page, "view-tokenizer").click();
    await byTestId(page, "vocabulary-size").fill("400");
    await byTestId(page, "train-vocabulary").click();
    const progress = byTestId(page, "vocabulary-progress");
    await until("all is learned", async () => /143 merges learned/.test(await progress.textContent()));
    await byTestId(page, "use-trained").click();
    await until("the run has it", async () => /vocabulary 400/.test(await byTestId(page, "corpus").textContent()));
    await waitForState(page, "ready");
    await trainTo(page, 30);
    await rendered(page);
    const before = await facts(page);
    assert.match(before.vocabulary, /^vocabulary: /);
    assert.equal(before.size, "400");
    assert.ok(before.words.length > 0);
    await download(page, byTestId(page, "save"));
    await byTestId(page, "kept").waitFor();

    await page.reload();
    await waitForState(page, "ready");
    await shows(() => byTestId(page, "chosen-vocabulary").count(), 0, "a new page knows of no chosen vocabulary");
    await byTestId(page, "resume").click();
    await until("the steps are back", async () => (await number(page, "step-count")) === 30);
    await shows(() => facts(page), before, "the same numbers, the same vocabulary, the same words from the same seed");
    await trainTo(page, 40);
    assert.notDeepEqual((await facts(page)).words, before.words, "ten steps later it writes something else");
    await screenshot(page, "runs-chain");

    // A new run uses the same vocabulary.
    await field(page, "seed", 9);
    await byTestId(page, "reset").click();
    await until("it has begun", async () => (await number(page, "step-count")) === 0);
    await waitForState(page, "ready");
    await matches(() => byTestId(page, "corpus").textContent(), /vocabulary 400/);
    await shows(() => byTestId(page, "chosen-vocabulary").textContent(), before.vocabulary);
  });
});

// The facts that identify a run: its text, vocabulary, loss, the tokens of its sentence, and its generated text for a seed.
async function facts(page) {
  await byTestId(page, "prompt").fill("Once");
  await page.locator(".ask input").nth(3).fill("20");
  await page.locator(".ask input").nth(3).blur();
  await byTestId(page, "generate").click();
  await until("it writes", async () => (await page.locator(".written").count()) > 0);
  await until("it has written", async () => (await byTestId(page, "generate").textContent()) === "Write");
  return {
    corpus: await byTestId(page, "corpus").textContent(),
    vocabulary: await byTestId(page, "chosen-vocabulary").textContent(),
    size: await page.locator('[name="vocab_size"]').inputValue(),
    loss: await byTestId(page, "loss").textContent(),
    words: await page.locator(".written").allTextContents(),
  };
}

test("a run on the user's own text asks for it after a reload", { timeout: 300_000 }, async () => {
  const text = "A fox ran over the hill and a dog ran after the fox. ".repeat(400);
  const mine = { name: "mine.txt", mimeType: "text/plain", buffer: Buffer.from(text) };
  await withPage({ gpu: false }, async (page) => {
    await waitForState(page, "ready");
    await byTestId(page, "file-input").setInputFiles(mine);
    await byTestId(page, "reset").click();
    await until("it is ready again", async () => /mine\.txt/.test(await byTestId(page, "corpus").textContent()));
    await waitForState(page, "ready");
    await trainTo(page, 5);
    await download(page, byTestId(page, "save"));
    await byTestId(page, "kept").waitFor();
    await page.reload();
    await waitForState(page, "ready");
    await byTestId(page, "resume").click();
    await byTestId(page, "needs-file").waitFor();
    await matches(() => byTestId(page, "needs-file").textContent(), /mine\.txt.*Choose it again/);
    const other = { ...mine, name: "other.txt", buffer: Buffer.from(text.replaceAll("fox", "cat")) };
    await byTestId(page, "asked-file").setInputFiles(other);
    await until("it is refused", async () => /other\.txt/.test(await byTestId(page, "needs-file").textContent()));
    await byTestId(page, "asked-file").setInputFiles(mine);
    await until("the steps are back", async () => (await number(page, "step-count")) === 5);
    await trainTo(page, 7);
  });
});

test("two runs are compared and logged", { timeout: 400_000 }, async () => {
  await withPage({ gpu: false }, async (page) => {
    await waitForState(page, "ready");
    await trainTo(page, 40);
    await field(page, "seed", 7);
    await field(page, "d_ff", 64);
    await byTestId(page, "reset").click();
    await waitForState(page, "ready");
    await shows(() => byTestId(page, "run").count(), 2);
    await field(page, "max_lr", 0.02);
    await trainTo(page, 60);
    await rendered(page);
    const table = await byTestId(page, "runs").textContent();
    for (const what of ["seed", "d_ff", "max_lr"]) assert.ok(table.includes(what), `${what} differs`);
    assert.ok(!table.includes("d_model"), "what is the same is not shown");
    await byTestId(page, "axis-seconds").click();
    await page.locator(".chart").hover({ position: { x: 200, y: 80 } });
    const readout = byTestId(page, "loss-readout").locator("p");
    await shows(() => readout.count(), 2, "both runs are read at the pointer");
    const lines = await readout.allTextContents();
    assert.match(lines[1], /^run 1: step \d+ · loss \d/);
    await screenshot(page, "runs-compared");
    await rendered(page);
    const loss = await byTestId(page, "loss").textContent();
    const csv = await download(page, byTestId(page, "export-csv").first());
    const rows = (await readFile(csv.path, "utf8")).trim().split("\n");
    const last = rows.at(-1).split(",");
    assert.equal(rows.length, 2 + 60, "a header, the first evaluation, and every step");
    assert.equal(Number(last[0]), 60);
    assert.equal(Number(last[3]).toFixed(3), loss, "the last line is the loss that is shown");
    const json = JSON.parse(await readFile((await download(page, byTestId(page, "export-json").first())).path, "utf8"));
    assert.equal(json.config.model.d_ff, 64);
    await page.locator('[data-testid="run"] input[type=checkbox]').nth(1).uncheck();
    await page.locator(".chart").hover({ position: { x: 210, y: 80 } });
    await shows(() => byTestId(page, "loss-readout").locator("p").count(), 1);
  });
});

test("a learning rate is found without touching the run", { timeout: 300_000 }, async () => {
  await withPage({ gpu: false, colorScheme: "dark" }, async (page) => {
    await waitForState(page, "ready");
    await trainTo(page, 10);
    await rendered(page);
    const loss = await byTestId(page, "loss").textContent();
    await byTestId(page, "lr-find").click();
    await byTestId(page, "lr-use").waitFor({ timeout: 120_000 });
    await screenshot(page, "runs-lr");
    const text = await byTestId(page, "lr-result").textContent();
    const suggestion = Number(text.match(/max_lr ([\d.e-]+):/)[1]);
    assert.ok(suggestion > 1e-4 && suggestion < 0.2, `${suggestion}`);
    await byTestId(page, "lr-use").click();
    await shows(async () => Number(await page.locator('input[name="max_lr"]').inputValue()), suggestion);
    await shows(() => number(page, "step-count"), 10);
    await shows(() => byTestId(page, "loss").textContent(), loss);
    await rendered(page);
    const total = await byTestId(page, "accounting-total").textContent();
    assert.match(total.replaceAll(",", ""), /^all104688/);
    await screenshot(page, "runs-accounting");
    await accessible(page);
    await page.locator('select[name="tied_embeddings"]').selectOption("true");
    await page.locator('select[name="norm"]').selectOption("layernorm");
    await byTestId(page, "reset").click();
    await waitForState(page, "ready");
    await trainTo(page, 12);
    await page.setViewportSize({ width: 400, height: 900 });
    await screenshot(page, "runs-narrow");
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    assert.ok(overflow <= 0, `the page is ${overflow} px too wide`);
    await accessible(page);
  });
});
