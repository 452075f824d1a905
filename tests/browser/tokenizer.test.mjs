// The tokenizer's page and the choice of data in use.

import assert from "node:assert/strict";
import { readFile, readdir } from "node:fs/promises";
import { test } from "node:test";
import { accessible, byTestId, matches, number, rendered, required, screenshot, shows, until, waitForState, withPage } from "./harness.mjs";

async function fits(page) {
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  assert.ok(overflow <= 0, `the page is ${overflow} px too wide`);
}

const tokens = (page, side = 0) => byTestId(page, `side-${side}`).locator(".token");

test("shows a text as tokens while a model trains", { timeout: 300_000 }, async () => {
  await withPage({ gpu: false }, async (page) => {
    await waitForState(page, "ready");
    await byTestId(page, "train").click();
    await waitForState(page, "training");
    await byTestId(page, "view-tokenizer").click();
    assert.ok(page.url().endsWith("#view=tokenizer"));
    await tokens(page).first().waitFor();
    await screenshot(page, "tokenizer");

    // Keystroke by keystroke, while the other worker trains.
    await byTestId(page, "tokenizer-text").fill("");
    await until("no token is left", async () => (await tokens(page).count()) === 0);
    const waits = [];
    for (let length = 1; length <= 12; length++) {
      const text = "x".repeat(length);
      const began = Date.now();
      await byTestId(page, "tokenizer-text").fill(text);
      await page.waitForFunction(
        (bytes) => document.querySelector('[data-testid="bytes-0"]')?.textContent === String(bytes), length,
      );
      waits.push(Date.now() - began);
    }
    waits.sort((a, b) => a - b);
    assert.ok(waits[6] < 500, `the tokens came ${waits[6]} ms after the key`);
    console.log(`a keystroke's tokens came after ${waits[6]} ms (median), ${waits[11]} ms (slowest)`);

    // White space is visible, and tokens that are part of a character are shown as bytes next to it.
    await byTestId(page, "tokenizer-text").fill("the cat\n\tsat 👍");
    // Characters are counted at once; bytes are those of the tokens, which arrive a moment later.
    await until("its tokens are shown", async () => (await byTestId(page, "bytes-0").textContent()) === "17");
    await shows(() => byTestId(page, "characters-0").textContent(), "14");
    const shown = (await tokens(page).allTextContents()).join("");
    assert.match(shown, /the·cat.*↵.*→.*sat/);
    assert.match(shown, /⟨f0/);
    await shows(() => page.locator(".linked .whole").last().textContent(), "·👍".slice(-2));

    // A token and its id are highlighted together, by pointer and by keyboard.
    await tokens(page).nth(1).hover();
    await rendered(page);
    const id = await page.locator('.id.lit').textContent();
    await matches(() => byTestId(page, "token-readout").first().textContent(), new RegExp(`token 2: .* id ${id} `));
    await page.locator(".id").first().hover();
    await shows(() => page.locator(".token.lit").getAttribute("data-token"), "0");
    await byTestId(page, "tokens").focus();
    await page.keyboard.press("End");
    await shows(() => page.locator(".token.lit").textContent(), (await tokens(page).allTextContents()).at(-1));
    const active = await byTestId(page, "tokens").getAttribute("aria-activedescendant");
    await shows(() => page.locator(`#${active}`).getAttribute("aria-selected"), "true");

    await byTestId(page, "measure-run").click();
    await until("the speed is known", async () => (await number(page, "mb-s-0")) > 0);

    // Training continued meanwhile, and its view lost nothing.
    const step = await number(page, "step-count");
    await until("training goes on", async () => (await number(page, "step-count")) > step);
    await byTestId(page, "view-train").click();
    await byTestId(page, "large-map").waitFor();
    assert.ok((await page.locator('[data-testid="loss-chart"]').boundingBox()).width > 300);
    await page.goBack();
    await byTestId(page, "tokenizer-text").waitFor();
    await shows(() => byTestId(page, "tokenizer-text").inputValue(), "the cat\n\tsat 👍");
    await accessible(page);
  });
});

test("trains a vocabulary, plays its merges, and a model uses it", { timeout: 300_000 }, async () => {
  await withPage({ gpu: false, viewport: { width: 400, height: 900 }, colorScheme: "dark" }, async (page) => {
    await waitForState(page, "ready");
    // On a phone, the view's link is under “More”.
    await byTestId(page, "more-tokenizer").click();
    await tokens(page).first().waitFor();
    await byTestId(page, "vocabulary-size").fill("200");
    await matches(() => page.locator(".problem").textContent(), /from 257/);
    await shows(() => byTestId(page, "train-vocabulary").isDisabled(), true);

    // Canceled early, a vocabulary keeps the merges learned so far. Many different words leave much to merge.
    await byTestId(page, "view-train").click();
    let seed = 1;
    const letter = () => "abcdefghijklmnop"[(seed = (seed * 48271) % 2147483647) % 16];
    const word = () => Array.from({ length: 9 }, letter).join("");
    const words = Array.from({ length: 120_000 }, word).join(" ");
    await byTestId(page, "file-input").setInputFiles({ name: "words.txt", mimeType: "text/plain", buffer: Buffer.from(words) });
    await until("the file is chosen", async () => (await byTestId(page, "corpus-choice").inputValue()) === "file");
    await byTestId(page, "more-tokenizer").click();
    await byTestId(page, "vocabulary-size").fill("60000");
    await byTestId(page, "train-vocabulary").click();
    await until("some merges are there", async () =>
      /[1-9].* of .* merges/.test(await byTestId(page, "vocabulary-progress").textContent()));
    await byTestId(page, "train-vocabulary").click();
    await until("it stopped", async () => /cancelled/.test(await byTestId(page, "vocabulary-progress").textContent()));
    await byTestId(page, "view-train").click();
    await byTestId(page, "corpus-choice").selectOption("built-in");
    await byTestId(page, "more-tokenizer").click();

    await byTestId(page, "vocabulary-size").fill("600");
    await byTestId(page, "train-vocabulary").click();
    await until("all is learned", async () => /343 merges learned/.test(await byTestId(page, "vocabulary-progress").textContent()));
    await byTestId(page, "tokenizer-text").fill("the little girl");
    await byTestId(page, "merge-scrubber").fill("0");
    const replayed = page.locator(".replayed .token");
    await until("bytes alone are left", async () => (await replayed.count()) === 15);
    await shows(() => byTestId(page, "merge-readout").textContent(), "Every byte is a token of its own.");
    await byTestId(page, "next-merge").click();
    await matches(() => byTestId(page, "merge-readout").textContent(), /^merge 1: “.+” \+ “.+” → “.+”, .* times, id 257$/);
    await byTestId(page, "play-merges").click();
    await until("it plays", async () => /^merge [3-9]:/.test(await byTestId(page, "merge-readout").textContent()));
    await byTestId(page, "play-merges").click();
    await byTestId(page, "merge-scrubber").fill("343");
    await until("words are whole", async () => (await replayed.count()) <= 5);
    assert.ok((await byTestId(page, "merge-row").count()) <= 12, "the list of merges is paged");
    await page.locator('[aria-label="previous merges"]').click();
    await matches(() => page.locator(".merges caption").textContent(), /^merges 325 to 336 of 343$/);
    // Next to the run's own vocabulary.
    await shows(() => byTestId(page, "vocabulary-1").inputValue(), "trained");
    await shows(() => number(page, "bytes-1"), 15);
    await screenshot(page, "merges-narrow");
    await fits(page);
    await accessible(page);

    // Saved as a tokenizer.json that can be loaded again.
    const [download] = await Promise.all([page.waitForEvent("download"), byTestId(page, "download-trained").click()]);
    assert.equal(download.suggestedFilename(), "tokenizer.json");
    const path = await download.path();
    assert.equal(Object.keys(JSON.parse(await readFile(path, "utf8")).model.vocab).length, 600);
    const expected = await tokens(page, 1).allTextContents();
    await byTestId(page, "tokenizer-file").setInputFiles({
      name: "mine.json", mimeType: "application/json", buffer: await readFile(path),
    });
    await until("the file's vocabulary is shown", async () =>
      (await byTestId(page, "vocabulary-0").inputValue()) === "file" && (await tokens(page, 0).count()) > 0);
    await shows(() => tokens(page, 0).allTextContents(), expected);
    await byTestId(page, "tokenizer-file").setInputFiles({
      name: "bad.json", mimeType: "application/json", buffer: Buffer.from("{}"),
    });
    await matches(() => byTestId(page, "tokenizer-problem").textContent(), /bad\.json/);

    // A rank file of a published encoding is recognized; of another one, the page says what is missing.
    const names = await readdir(required("GLASSHEAD_DIST"));
    const ranks = await readFile(`${required("GLASSHEAD_DIST")}/${names.find((name) => name.endsWith(".tiktoken"))}`);
    const bytes = Array.from({ length: 256 }, (_, byte) => `${Buffer.from([byte]).toString("base64")} ${byte}\n`).join("");
    for (const [name, buffer, pattern] of [
      ["unknown.tiktoken", Buffer.from(bytes), /unknown\.tiktoken.*256 ranks.*tokenizer\.json of its model/],
      ["mine.tiktoken", ranks, null],
    ]) {
      await byTestId(page, "tokenizer-file").setInputFiles({ name, mimeType: "application/octet-stream", buffer });
      if (pattern) await matches(() => byTestId(page, "tokenizer-problem").textContent(), pattern);
    }
    await until("the ranks are read", async () => (await tokens(page, 0).allTextContents()).join("") !== expected.join(""));
    await shows(() => byTestId(page, "tokenizer-problem").count(), 0);

    await byTestId(page, "use-trained").click();
    await waitForState(page, "ready");
    await until("the run has it", async () => /vocabulary 600/.test(await byTestId(page, "corpus").textContent()));
    await byTestId(page, "step").click();
    await until("a step is done", async () => (await number(page, "loss")) > 5);
    assert.ok(Math.abs((await number(page, "loss")) - Math.log(600)) < 0.4);
    await accessible(page);
  });
});

// Mocks the hub: responds with `answer`, and counts the requests.
async function hub(page, answer) {
  const asked = [];
  await page.route("https://huggingface.co/**", async (route) => {
    asked.push(route.request().url());
    await answer(route);
  });
  return asked;
}

const STORY = "Once upon a time, Tim had a kite. The kite flew over the hill. Tim was happy.\n<|endoftext|>\n";
const cors = { "access-control-allow-origin": "*", "content-type": "text/plain" };

test("fetches TinyStories when asked, keeps it, and says what went wrong", { timeout: 300_000 }, async () => {
  await withPage({ gpu: false, expected: /ERR_INTERNET_DISCONNECTED|503/ }, async (page, { requests }) => {
    const body = STORY.repeat(2000);
    let answer = (route) => route.abort("internetdisconnected");
    const asked = await hub(page, (route) => answer(route));
    await waitForState(page, "ready");
    assert.ok(requests.every((url) => url.startsWith("http://")), "nothing is requested before the click");

    // No network: one message, and the built-in stories stay.
    await byTestId(page, "hub-fetch").click();
    await matches(() => byTestId(page, "hub-problem").textContent(), /does not answer/);
    await shows(() => byTestId(page, "corpus-choice").inputValue(), "built-in");
    assert.ok(asked[0].startsWith("https://huggingface.co/datasets/roneneldan/TinyStories/"), asked[0]);

    answer = (route) => route.fulfill({ status: 503, headers: cors, body: "" });
    await byTestId(page, "hub-fetch").click();
    await until("the answer is told", async () => /503/.test(await byTestId(page, "hub-problem").textContent()));

    // Interrupted in the middle.
    const headers = { ...cors, "content-length": String(10 * body.length) };
    answer = (route) => route.fulfill({ headers, body });
    await byTestId(page, "hub-fetch").click();
    await until("the cut is told", async () => /connection broke/.test(await byTestId(page, "hub-problem").textContent()));
    await shows(() => byTestId(page, "hub-kept").count(), 0);

    // Canceled while no data arrives.
    answer = (route) => new Promise((done) => setTimeout(done, 1500)).then(() => route.fulfill({ headers: cors, body })).catch(() => {});
    await byTestId(page, "hub-fetch").click();
    await byTestId(page, "hub-cancel").click();
    await byTestId(page, "hub-fetch").waitFor();
    await shows(() => byTestId(page, "hub-problem").count(), 0);

    answer = (route) => route.fulfill({ headers: { ...cors, "content-length": String(body.length) }, body });
    await byTestId(page, "hub-fetch").click();
    await byTestId(page, "hub-kept").waitFor();
    await matches(() => byTestId(page, "hub-kept").textContent(), new RegExp(`Stored in this browser, ${body.length < 999_950 ? `${(body.length / 1e3).toFixed(1)} kB` : `${(body.length / 1e6).toFixed(1)} MB`}`));
    await until("it is the corpus", async () => (await byTestId(page, "corpus-choice").inputValue()) === "file");
    await byTestId(page, "reset").click();
    await waitForState(page, "ready");
    await until("the run has it", async () => /TinyStories/.test(await byTestId(page, "corpus").textContent()));
    await screenshot(page, "data");
    await accessible(page);

    // It is available at the next visit without a request, until it is deleted.
    const n = asked.length;
    await page.reload();
    await byTestId(page, "hub-kept").waitFor();
    await byTestId(page, "hub-use").click();
    await until("it is the corpus again", async () => (await byTestId(page, "corpus-choice").inputValue()) === "file");
    assert.equal(asked.length, n);
    await byTestId(page, "hub-delete").click();
    await byTestId(page, "hub-fetch").waitFor();
    await page.reload();
    await byTestId(page, "hub-fetch").waitFor();
  });
});

test("compares with GPT-2's vocabulary and takes several files with fields", { timeout: 300_000 }, async () => {
  await withPage({ gpu: false }, async (page, { requests }) => {
    await waitForState(page, "ready");
    // Records with fields: the page offers the file's fields.
    const records = Array.from({ length: 400 }, (_, i) => JSON.stringify({ id: `n${i}`, story: STORY.repeat(4) })).join("\n");
    await byTestId(page, "file-input").setInputFiles([
      { name: "a.jsonl", mimeType: "application/json", buffer: Buffer.from(records) },
      { name: "b.txt", mimeType: "text/plain", buffer: Buffer.from(STORY.repeat(500)) },
    ]);
    await byTestId(page, "field-choice").waitFor();
    await byTestId(page, "field-choice").selectOption("story");
    await byTestId(page, "reset").click();
    await until("the run has both", async () => /a\.jsonl and 1 more, (1[5-9]|2[0-4])\d\.\d kB/.test(await byTestId(page, "corpus").textContent()));
    await waitForState(page, "ready");

    assert.ok(!requests.some((url) => url.endsWith(".tiktoken")), "GPT-2's vocabulary is not fetched before it is chosen");
    await byTestId(page, "view-tokenizer").click();
    await tokens(page).first().waitFor();
    await byTestId(page, "vocabulary-1").selectOption("gpt2");
    await tokens(page, 1).first().waitFor();
    await byTestId(page, "tokenizer-text").fill("Hello world");
    await until("GPT-2's ids are shown", async () =>
      (await byTestId(page, "side-1").locator(".id").allTextContents()).join() === "15496,995");
    await screenshot(page, "compared");
    await accessible(page);
    await byTestId(page, "use-gpt2").click();
    await until("the run has it", async () => /vocabulary 50.257/.test(await byTestId(page, "corpus").textContent()));
  });
});

test("trains on a task and scores its answers", { timeout: 300_000 }, async () => {
  await withPage({ gpu: false }, async (page) => {
    await waitForState(page, "ready");
    await byTestId(page, "corpus-choice").selectOption("copy");
    await matches(() => byTestId(page, "task-description").textContent(), /six letters/);
    await shows(() => page.locator('[name="vocab_size"]').inputValue(), "257");
    await shows(() => byTestId(page, "probe-input").inputValue(), "c:kqzfba=kqzfba");
    await byTestId(page, "reset").click();
    await until("the run has it", async () => /examples of copy.*vocabulary 257/.test(await byTestId(page, "corpus").textContent()));
    await waitForState(page, "ready");
    await byTestId(page, "train").click();
    await byTestId(page, "tab-task").click();
    await byTestId(page, "task-score").waitFor({ timeout: 120_000 });
    await matches(() => byTestId(page, "task-score").textContent(), /^\d+ of 50 held-out examples/);
    await shows(() => byTestId(page, "task-answer").count(), 6);
    for (const answer of await byTestId(page, "task-answer").allTextContents()) {
      // An answer is marked right if and only if it equals the expected one, which is then not repeated.
      assert.equal(/✓ right/.test(answer), !/expected/.test(answer), answer);
    }
    await screenshot(page, "task");
    await accessible(page);
    await byTestId(page, "corpus-choice").selectOption("built-in");
    await shows(() => page.locator('[name="vocab_size"]').inputValue(), "512");
  });
});
