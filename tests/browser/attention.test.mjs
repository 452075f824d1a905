// The attention view in use: mouse, keyboard, touch, long sentences, narrow and dark.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { accessible, byTestId, matches, rendered, screenshot, shows, until, waitForState, withPage } from "./harness.mjs";


const text = (page, id) => byTestId(page, id).first().textContent();

// The colors of the large heatmap, (n, n, 4).
const pixels = (page) =>
  page.evaluate(() => {
    const canvas = document.querySelector('[data-testid="large-map"] canvas');
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    return { n: canvas.width, data: [...data] };
  });

// Screen position of a cell of n × n while the whole map is visible.
async function place(page, n, query, key) {
  const box = await byTestId(page, "large-map").boundingBox();
  return { x: box.x + ((key + 0.5) / n) * box.width, y: box.y + ((query + 0.5) / n) * box.height };
}

const pressed = (page, id) => byTestId(page, id).first().getAttribute("aria-pressed");

test("a map is read, pinned, compared and zoomed with the mouse", { timeout: 200_000 }, async () => {
  await withPage({ gpu: false }, async (page) => {
    await waitForState(page, "ready");
    await byTestId(page, "step").click();
    await waitForState(page, "paused");
    await byTestId(page, "large-map").scrollIntoViewIfNeeded();
    await until("the map is painted", async () => (await pixels(page)).n > 4);
    const { n } = await pixels(page);
    let at = await place(page, n, 5, 2);
    await page.mouse.move(at.x, at.y);
    await byTestId(page, "tooltip").waitFor();
    await matches(() => text(page, "tooltip"), /\(5\) looks at .* \(2\)0\.\d{3}rank [1-6] of 6$/);
    const weight = (await text(page, "readout")).match(/: (\d\.\d{3})$/)[1];
    assert.ok((await text(page, "tooltip")).includes(weight), "tooltip and line agree");
    await shows(() => byTestId(page, "large-map").locator(".cross").count(), 2, "crosshair");
    at = await place(page, n, 2, 5);
    await page.mouse.move(at.x, at.y);
    await until("the mask is told", async () => /masked/.test(await text(page, "tooltip")));
    // Pins: one row, three rows and their mean, none.
    at = await place(page, n, 5, 2);
    await page.mouse.click(at.x, at.y);
    await shows(() => byTestId(page, "pin").count(), 1);
    await rendered(page);
    const order = byTestId(page, "sort-bars");
    await order.click();
    await shows(() => order.getAttribute("aria-pressed"), "false", "by position");
    const alone = await byTestId(page, "bars").locator(".weight").allTextContents();
    assert.equal(alone.length, 6, "a bar for every key that position 5 may look at");
    assert.ok(Math.abs(alone.reduce((sum, weight) => sum + Number(weight), 0) - 1) < 0.03, "a row sums to 1");
    assert.equal(alone[2], weight);
    at = await place(page, n, 7, 1);
    await page.keyboard.down("Shift");
    await page.mouse.click(at.x, at.y);
    await byTestId(page, "token-chip").nth(9).click();
    await page.keyboard.up("Shift");
    await shows(() => byTestId(page, "pin").count(), 3);
    await matches(() => text(page, "bars-title"), /^3 tokens, on average, look at/);
    await rendered(page);
    const mean = await byTestId(page, "bars").locator(".weight").allTextContents();
    assert.equal(mean.length, 10);
    await order.click();
    await rendered(page);
    const sorted = (await byTestId(page, "bars").locator(".weight").allTextContents()).map(Number);
    assert.deepEqual(sorted, [...sorted].sort((a, b) => b - a));
    await byTestId(page, "looked-at-by").click();
    await matches(() => text(page, "bars-title"), /are looked at by/);
    await screenshot(page, "attention-pinned");
    await accessible(page, "pinned");
    await byTestId(page, "pin").first().click();
    await shows(() => byTestId(page, "pin").count(), 2);
    await page.keyboard.press("Escape");
    await shows(() => byTestId(page, "pin").count(), 0);
    await byTestId(page, "looks-at").click();
    await rendered(page);
    // All heads, their means and maxima.
    await shows(() => byTestId(page, "head-map").count(), 8);
    await shows(() => byTestId(page, "mean-map").count(), 2);
    const said = async () => {
      await rendered(page);
      return Number((await page.locator("#cell-1-0").textContent()).split(": ")[1]);
    };
    const heads = [];
    for (let head = 0; head < 4; head++) {
      await byTestId(page, "head-map").nth(head).click();
      heads.push(await said());
    }
    assert.ok(new Set(heads).size > 1, "heads differ");
    await byTestId(page, "max-map").first().click();
    await shows(() => pressed(page, "max-map"), "true");
    // For several heads combined, the map has steps of 1/255, so two decimals are shown.
    await until("the maximum is shown", async () => Math.abs((await said()) - Math.max(...heads)) < 0.0076);
    await byTestId(page, "mean-map").first().click();
    const mean4 = heads.reduce((sum, weight) => sum + weight, 0) / 4;
    await until("the mean is shown", async () => Math.abs((await said()) - mean4) < 0.0076);
    const bits = Number(await page.locator(".entropy").first().textContent());
    await byTestId(page, "entropy-unit").click();
    await rendered(page);
    const nats = Number(await page.locator(".entropy").first().textContent());
    assert.ok(bits > 0 && Math.abs(nats - bits * Math.LN2) < 0.011, `${bits} bits are ${nats} nats`);
    // Colors, rows, threshold.
    await byTestId(page, "head-map").first().click();
    await page.mouse.move(5, 5);
    const repainted = async (what, change) => {
      const before = (await pixels(page)).data.join();
      await change();
      await until(`${what} repaints`, async () => (await pixels(page)).data.join() !== before);
    };
    await repainted("gamma", () => byTestId(page, "gamma").fill("0.5"));
    await repainted("another map", () => byTestId(page, "colors").selectOption("magma"));
    await repainted("each row", () => byTestId(page, "values").selectOption({ index: 1 }));
    await matches(() => text(page, "legend"), /each row's maximum/);
    await repainted("the threshold", () => byTestId(page, "threshold").fill("0.3"));
    const opacity = async (cell) => (await pixels(page)).data[4 * cell + 3];
    await shows(() => opacity(1), 0, "the masked cell (0, 1) is transparent");
    await shows(() => opacity(0), 255, "cell (0, 0) is not");
    await screenshot(page, "attention-faded");
    // Scores before softmax, of both signs; the computation of a cell shows the same value.
    await byTestId(page, "values").selectOption("scores before softmax");
    await until("the scores have come", async () => /q·k .* before softmax/.test(await text(page, "legend")));
    await page.getByRole("tab", { name: "Arithmetic" }).click();
    await byTestId(page, "large-map").scrollIntoViewIfNeeded();
    at = await place(page, n, 5, 2);
    await page.mouse.move(at.x, at.y);
    await until("the score is told", async () => /[+-]\d+\.\d{3}q·k/.test(await text(page, "tooltip")));
    const score = Number(/[+-]\d+\.\d{3}(?=q·k)/.exec(await text(page, "tooltip"))[0]);
    const worked = Number(await page.locator('[data-step="score"] b').textContent());
    assert.ok(Math.abs(score - worked) < 0.0006, `${score} on the map, ${worked} worked out`);
    await shows(() => opacity(1), 0, "a masked cell shows the hatching");
    await screenshot(page, "attention-scores");
    await accessible(page, "scores");
    await byTestId(page, "mean-map").first().click();
    await matches(() => text(page, "legend"), /softmax weight/, "several heads have no common scale of scores");
    await byTestId(page, "head-map").first().click();
    // Zoom by buttons and wheel.
    const labels = () => byTestId(page, "queries").locator("span").count();
    const all = await labels();
    await byTestId(page, "zoom-in").click();
    await byTestId(page, "zoom-in").click();
    await until("fewer rows are seen", async () => (await labels()) < all);
    await byTestId(page, "large-map").scrollIntoViewIfNeeded();
    at = await place(page, 1, 0, 0);
    await page.mouse.move(at.x, at.y);
    await page.keyboard.down("Control");
    await page.mouse.wheel(0, -120);
    await page.keyboard.up("Control");
    await until("the wheel zooms", async () => Number((await text(page, "zoom-reset")).slice(1)) > 2.5);
    // Dragging moves the map and pins nothing.
    const seen = () => page.locator(".whole-map").getAttribute("style");
    const before = await seen();
    const middle = await place(page, 3, 1, 1);
    await page.mouse.move(middle.x, middle.y);
    await page.mouse.down();
    await page.mouse.move(middle.x - 60, middle.y - 40, { steps: 4 });
    await page.mouse.up();
    await until("the map has moved", async () => (await seen()) !== before);
    await shows(() => byTestId(page, "pin").count(), 0);
    await byTestId(page, "zoom-reset").click();
    await until("all is seen", async () => (await labels()) === all);
    await byTestId(page, "as-lines").click();
    await byTestId(page, "head-view").waitFor();
    const drawn = () =>
      page.evaluate(() => {
        const canvas = document.querySelector('[data-testid="head-view"] canvas');
        return canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.some((byte) => byte > 0);
      });
    await byTestId(page, "threshold").fill("0");
    await until("lines are drawn", drawn);
    await screenshot(page, "attention-lines");
    await accessible(page, "lines");
    await page.emulateMedia({ colorScheme: "dark" });
    await screenshot(page, "attention-lines-dark");
    await accessible(page, "lines in the dark");
  });
});

test("everything is reached by keyboard, also in the dark", { timeout: 200_000 }, async () => {
  await withPage({ gpu: false, colorScheme: "dark" }, async (page) => {
    await waitForState(page, "ready");
    const selected = () => page.locator(".head.selected").getAttribute("aria-label");
    await page.keyboard.press("]");
    await matches(() => selected(), /layer 1, head 2/);
    await page.keyboard.press("}");
    await matches(() => selected(), /layer 2, head 2/);
    await byTestId(page, "probe-input").focus();
    await page.keyboard.type("]m. t");
    await matches(() => selected(), /layer 2, head 2/, "keys are letters in a field");
    await shows(() => byTestId(page, "weights-table").count(), 0);
    await page.locator("h1").click();
    await page.keyboard.press("t");
    await byTestId(page, "weights-table").waitFor();
    await page.keyboard.press("t");
    await byTestId(page, "large-map").waitFor();
    await page.keyboard.press("m");
    await shows(() => page.locator(".large .map.hatched").count(), 0);
    await page.keyboard.press("m");
    const map = byTestId(page, "large-map");
    await map.focus();
    for (const key of ["ArrowDown", "ArrowDown", "ArrowRight"]) await page.keyboard.press(key);
    await shows(() => map.getAttribute("aria-activedescendant"), "cell-2-1");
    await rendered(page);
    const spoken = await page.locator("#cell-2-1").textContent();
    assert.match(spoken, /\(2\) looks at .* \(1\): \d\.\d{3}$/);
    await page.keyboard.press("t");
    const written = await byTestId(page, "weights-table").locator("tbody tr").nth(2).locator("td").nth(1).textContent();
    await page.keyboard.press("t");
    await map.focus();
    assert.ok(spoken.endsWith(written), "the grid says what the table shows");
    assert.ok((await map.locator('[role="gridcell"]').count()) <= 9, "no element per cell");
    await page.keyboard.press("End");
    await shows(() => map.getAttribute("aria-activedescendant"), "cell-2-2");
    await page.keyboard.press("Enter");
    await shows(() => byTestId(page, "pin").count(), 1);
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Shift+Enter");
    await shows(() => byTestId(page, "pin").count(), 2);
    await page.keyboard.press("+");
    await until("it zooms", async () => (await text(page, "zoom-reset")) !== "×1");
    await screenshot(page, "attention-dark");
    await accessible(page, "dark, pinned, zoomed, table");
    await page.keyboard.press("Escape");
    await shows(() => byTestId(page, "pin").count(), 0);
    await page.keyboard.press("?");
    await page.locator(".popover.help").waitFor();
    await accessible(page, "help");
  });
});

test("a finger points first and pins then", { timeout: 200_000 }, async () => {
  const look = { gpu: false, viewport: { width: 400, height: 900 } };
  await withPage(look, async (page) => {
    await waitForState(page, "ready");
    await byTestId(page, "large-map").scrollIntoViewIfNeeded();
    await until("the map is painted", async () => (await pixels(page)).n > 4);
    const { n } = await pixels(page);
    const at = await place(page, n, 6, 3);
    const session = await page.context().newCDPSession(page);
    await session.send("Emulation.setTouchEmulationEnabled", { enabled: true });
    const touch = (type, touchPoints) => session.send("Input.dispatchTouchEvent", { type, touchPoints });
    const tap = async () => {
      await touch("touchStart", [at]);
      await touch("touchEnd", []);
    };
    await tap();
    await byTestId(page, "tooltip").waitFor();
    await shows(() => byTestId(page, "pin").count(), 0);
    await tap();
    await shows(() => byTestId(page, "pin").count(), 1, "its row is in the inspector's panel");
    await screenshot(page, "attention-narrow");
    // Two fingers zoom around their midpoint, one pans; neither pins.
    const fingers = (apart) => [at.x - apart, at.x + apart].map((x, id) => ({ x, y: at.y, id }));
    await touch("touchStart", fingers(20));
    for (const apart of [25, 35, 50, 65]) await touch("touchMove", fingers(apart));
    await touch("touchEnd", []);
    await until("it is zoomed", async () => Number((await text(page, "zoom-reset")).slice(1)) > 1.8);
    const seen = () => page.locator(".whole-map").getAttribute("style");
    const before = await seen();
    const scrolled = await page.evaluate(() => window.scrollY);
    await touch("touchStart", [at]);
    for (const by of [10, 25, 40]) await touch("touchMove", [{ x: at.x + by, y: at.y + by }]);
    await touch("touchEnd", []);
    await until("the map has moved", async () => (await seen()) !== before);
    await shows(() => page.evaluate(() => window.scrollY), scrolled, "the page stays");
    await shows(() => byTestId(page, "pin").count(), 1);
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    assert.ok(overflow <= 0, `the page is ${overflow} px too wide`);
    await accessible(page, "narrow");
  });
});

test("256 tokens in 6 layers of 6 heads stay legible and quick", { timeout: 300_000 }, async () => {
  await withPage({ gpu: false }, async (page) => {
    await waitForState(page, "ready");
    const fields = { context_length: 256, n_layers: 6, n_heads: 6, batch_size: 1 };
    for (const [name, value] of Object.entries(fields)) {
      const field = page.locator(`input[name="${name}"]`);
      await field.fill(String(value));
      await field.press("Enter");
    }
    await byTestId(page, "probe-input").fill("Lily had a red ball. Tom gave the ball to him. ".repeat(30));
    await byTestId(page, "reset").click();
    await until("256 tokens are shown", async () => (await byTestId(page, "token-chip").count()) === 256, 180_000);
    await shows(() => byTestId(page, "head-map").count(), 36);
    await byTestId(page, "large-map").scrollIntoViewIfNeeded();
    await until("the map is painted", async () => (await pixels(page)).n === 256);
    // Time from a pointer movement until the page has rendered the cell under it.
    const waits = await page.evaluate(async () => {
      const map = document.querySelector('[data-testid="large-map"]');
      const box = map.getBoundingClientRect();
      const waits = [];
      for (let i = 0; i < 60; i++) {
        const query = 40 + 3 * i;
        const clientX = box.left + (i / 256) * box.width;
        const clientY = box.top + ((query + 0.5) / 256) * box.height;
        const began = performance.now();
        map.dispatchEvent(new PointerEvent("pointermove", { bubbles: true, clientX, clientY, pointerType: "mouse" }));
        const there = () => document.querySelector('[data-testid="tooltip"]')?.textContent.includes(`(${query}) `);
        while (!there()) await new Promise((done) => setTimeout(done, 0));
        waits.push(performance.now() - began);
      }
      return waits.sort((a, b) => a - b).map((wait) => Math.round(wait));
    });
    console.log(`pointing: median ${waits[30]} ms, 57 of 60 within ${waits[57]} ms`);
    assert.ok(waits[57] <= 150, `57 of 60 movements were answered within ${waits[57]} ms`);
    const labels = await byTestId(page, "queries").locator("span").evaluateAll((spans) =>
      spans.filter((span) => !span.className).map((span) => span.getBoundingClientRect().top));
    assert.ok(labels.length > 20, `${labels.length} labels`);
    const closest = Math.min(...labels.slice(1).map((top, i) => top - labels[i]));
    assert.ok(closest >= 12, `labels are ${closest} px apart`);
    await screenshot(page, "attention-256");
    await byTestId(page, "show-table").click();
    await shows(() => byTestId(page, "weights-table").locator("tbody td").count(), 32 * 32);
    await accessible(page, "256 tokens");
  });
});

test("pieces of a character are shown as bytes, and invisible characters have a sign", { timeout: 200_000 }, async () => {
  await withPage({ gpu: false }, async (page) => {
    await waitForState(page, "ready");
    const chips = () => byTestId(page, "token-chip").allTextContents();
    await byTestId(page, "probe-input").fill("日本語\u200b\u00ad.");
    const bytes = [..."日本語\u200b\u00ad"].flatMap((character) => [...Buffer.from(character)]);
    const pieces = bytes.map((byte) => `⟨${byte.toString(16)}⟩`);
    await shows(chips, [...pieces, "."]);
    await byTestId(page, "take-along").waitFor();
    const [file] = await Promise.all([page.waitForEvent("download"), byTestId(page, "csv-head").click()]);
    const [header, ...rows] = (await readFile(await file.path(), "utf8")).trim().split("\n");
    assert.match(header, /,query_token,key_token,weight,precision,query_id,key_id$/);
    const cells = rows.map((row) => row.split(","));
    assert.equal(cells[0][5], `"⟨e6⟩"`);
    // A byte and its id are the same at every position: the first and the fourth token are both e6.
    const ids = new Map(cells.map((cell) => [cell[3], [cell[5], cell[9]]]));
    assert.deepEqual(ids.get("0"), ids.get("3"));
    assert.notEqual(ids.get("0")[1], ids.get("1")[1]);
    await screenshot(page, "attention-bytes");
    await accessible(page, "bytes");
  });
});
