// The page's guarantees: it connects to no other host before it is asked to, runs only its own scripts, and never interprets
// text as HTML.

import assert from "node:assert/strict";
import { test } from "node:test";
import { byTestId, matches, rendered, shows, waitForState, withPage } from "./harness.mjs";

const HOSTILE = `<img src=x onerror="globalThis.taken=1"><script>globalThis.taken=2</script>`;

test("nothing is requested from others, and other scripts do not run", { timeout: 120_000 }, async () => {
  await withPage({ gpu: false, expected: /Content Security Policy/ }, async (page, { address, requests }) => {
    await waitForState(page, "ready");
    await byTestId(page, "step").click();
    await shows(() => byTestId(page, "step-count").textContent(), "1");
    for (const view of ["tokenizer", "lesson", "systems", "train"]) {
      await byTestId(page, `view-${view}`).click();
      await rendered(page);
    }
    const elsewhere = requests.filter((url) => !url.startsWith(address) && !/^(blob|data):/.test(url));
    assert.deepEqual(elsewhere, [], "only the page's own server is asked");

    const refused = await page.evaluate(async () => {
      const violated = [];
      document.addEventListener("securitypolicyviolation", (event) => violated.push(event.effectiveDirective));
      const inline = document.createElement("script");
      inline.textContent = "globalThis.taken = 3";
      document.head.append(inline);
      // Asynchronous, because code that the test itself evaluates is exempt from the policy.
      const evaluated = await new Promise((done) =>
        setTimeout(() => {
          try {
            done((0, eval)("4"));
          } catch {
            done("refused");
          }
        }),
      );
      const fetched = await fetch("http://127.0.0.1:9/").then(() => "answered", () => "refused");
      await new Promise((done) => setTimeout(done, 100));
      return { evaluated, fetched, violated: [...new Set(violated)].sort(), taken: globalThis.taken };
    });
    assert.equal(refused.taken, undefined, "a script that was put into the page did not run");
    assert.deepEqual([refused.evaluated, refused.fetched], ["refused", "refused"]);
    assert.deepEqual(refused.violated, ["connect-src", "script-src", "script-src-elem"]);
    // The worker, where all texts and files are read, is under the same policy.
    const worker = page.workers()[0];
    assert.equal(await worker.evaluate(() => fetch("http://127.0.0.1:9/").then(() => "answered", (error) => error.name)), "TypeError");
    const answer = await page.request.get(address);
    assert.match(answer.headers()["content-security-policy"], /^default-src 'none'/);
  });
});

test("a text is a text, whatever stands in it", { timeout: 120_000 }, async () => {
  await withPage({ gpu: false }, async (page) => {
    await waitForState(page, "ready");
    await byTestId(page, "probe-input").fill(HOSTILE);
    await matches(async () => (await byTestId(page, "token-chip").allTextContents()).join(""), /onerror/);
    await byTestId(page, "prompt").fill(HOSTILE);
    await page.getByRole("button", { name: "Write", exact: true }).click();
    await byTestId(page, "view-tokenizer").click();
    await byTestId(page, "tokenizer-text").fill(HOSTILE);
    await rendered(page);
    await page.evaluate((text) => (location.hash = `#text=${encodeURIComponent(text)}&${encodeURIComponent(text)}=1`), HOSTILE);
    await rendered(page);
    await page.waitForTimeout(1000);
    assert.equal(await page.evaluate(() => globalThis.taken), undefined);
    assert.equal(await page.locator('img[src="x"]').count(), 0);
  });
});
