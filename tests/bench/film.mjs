// Records the film of the README: about a minute of training in the Train view, as an animated GIF.
//
//   node tests/bench/film.mjs [--out docs/train.gif] [--frames N] [--seconds N] [--width N]
//
// Requires `cargo xtask build`; GLASSHEAD_DIST, GLASSHEAD_XTASK and GLASSHEAD_CHROMIUM give the paths, as for the browser tests.

import { writeFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { byTestId, until, waitForState, withPage } from "../browser/harness.mjs";

const { values: options } = parseArgs({
  options: {
    out: { type: "string", default: "docs/train.gif" },
    frames: { type: "string", default: "40" },
    seconds: { type: "string", default: "60" },
    width: { type: "string", default: "960" },
  },
});
const [frames, seconds, width] = [options.frames, options.seconds, options.width].map(Number);

// Decodes pictures at the film's width, and packs them as a GIF (GIF89a) that loops forever: one palette of the most frequent
// colors; after the first frame, pixels that stay are transparent. Runs in the browser, which can decode and scale pictures.
async function pack(pictures, width, hundredths) {
  const decoded = [];
  let height = 0;
  for (const picture of pictures) {
    const image = await createImageBitmap(await (await fetch(`data:image/png;base64,${picture}`)).blob());
    height = Math.round((image.height * width) / image.width);
    const canvas = new OffscreenCanvas(width, height);
    const context = canvas.getContext("2d");
    context.imageSmoothingQuality = "high";
    context.drawImage(image, 0, 0, width, height);
    decoded.push(context.getImageData(0, 0, width, height).data);
  }
  // Five bits per channel; the last entry of the palette is transparent.
  const key = (data, at) => ((data[at] >> 3) << 10) | ((data[at + 1] >> 3) << 5) | (data[at + 2] >> 3);
  const counts = new Uint32Array(1 << 15);
  const sums = new Float64Array(3 << 15);
  for (const data of decoded) {
    for (let at = 0; at < data.length; at += 4) {
      const k = key(data, at);
      counts[k] += 1;
      for (let c = 0; c < 3; c += 1) sums[3 * k + c] += data[at + c];
    }
  }
  const kept = [...counts.keys()].filter((k) => counts[k] > 0).sort((a, b) => counts[b] - counts[a]).slice(0, 127);
  const palette = kept.map((k) => [0, 1, 2].map((c) => Math.round(sums[3 * k + c] / counts[k])));
  const CLEAR = 127;
  const nearest = new Int16Array(1 << 15).fill(-1);
  const index = (data, at) => {
    const k = key(data, at);
    if (nearest[k] < 0) {
      const apart = palette.map(([r, g, b]) => (r - data[at]) ** 2 + (g - data[at + 1]) ** 2 + (b - data[at + 2]) ** 2);
      nearest[k] = apart.indexOf(Math.min(...apart));
    }
    return nearest[k];
  };
  const out = [];
  const word = (n) => out.push(n & 255, n >> 8);
  const text = (s) => out.push(...[...s].map((c) => c.charCodeAt(0)));
  text("GIF89a");
  word(width);
  word(height);
  out.push(0xf6, 0, 0);
  for (let i = 0; i < 128; i += 1) out.push(...(palette[i] ?? [0, 0, 0]));
  out.push(0x21, 0xff, 11);
  text("NETSCAPE2.0");
  out.push(3, 1, 0, 0, 0);

  // LZW with codes of 8 to 12 bits; the table starts again when it is full.
  const compress = (pixels) => {
    const bytes = [];
    let [bits, n] = [0, 0];
    const put = (code, size) => {
      bits |= code << n;
      for (n += size; n >= 8; n -= 8, bits >>>= 8) bytes.push(bits & 255);
    };
    const [RESET, END] = [128, 129];
    let [size, next, table] = [8, 130, new Map()];
    put(RESET, size);
    let prefix = pixels[0];
    for (let i = 1; i < pixels.length; i += 1) {
      const entry = (prefix << 8) | pixels[i];
      const code = table.get(entry);
      if (code !== undefined) {
        prefix = code;
        continue;
      }
      put(prefix, size);
      if (next < 4096) {
        table.set(entry, next);
        if (next === 1 << size && size < 12) size += 1;
        next += 1;
      } else {
        put(RESET, size);
        [size, next, table] = [8, 130, new Map()];
      }
      prefix = pixels[i];
    }
    put(prefix, size);
    put(END, size);
    if (n > 0) bytes.push(bits & 255);
    return bytes;
  };

  let shown = null;
  decoded.forEach((data, frame) => {
    const pixels = new Uint8Array(width * height);
    for (let i = 0; i < pixels.length; i += 1) pixels[i] = index(data, 4 * i);
    const changed = shown ? pixels.map((pixel, i) => (pixel === shown[i] ? CLEAR : pixel)) : pixels;
    shown = pixels;
    // Each picture stays under the next one. The last is shown for two seconds.
    out.push(0x21, 0xf9, 4, 0x05);
    word(frame === decoded.length - 1 ? 200 : hundredths);
    out.push(CLEAR, 0, 0x2c, 0, 0, 0, 0);
    word(width);
    word(height);
    out.push(0, 7);
    const bytes = compress(changed);
    for (let at = 0; at < bytes.length; at += 255) {
      const block = bytes.slice(at, at + 255);
      out.push(block.length, ...block);
    }
    out.push(0);
  });
  out.push(0x3b);
  const whole = new Uint8Array(out);
  let binary = "";
  for (let at = 0; at < whole.length; at += 32768) binary += String.fromCharCode(...whole.subarray(at, at + 32768));
  return btoa(binary);
}

await withPage({ gpu: false, viewport: { width: 1440, height: 900 } }, async (page) => {
  await waitForState(page, "ready");
  await until("the map is painted", () => page.evaluate(() => document.querySelector('[data-testid="large-map"] canvas')?.width > 4));
  const dismiss = page.getByRole("button", { name: "Dismiss" });
  while ((await dismiss.count()) > 0) await dismiss.first().click();
  const pictures = [];
  const take = async () => pictures.push((await page.screenshot()).toString("base64"));
  await take();
  await byTestId(page, "train").click();
  const began = Date.now();
  for (let frame = 1; frame < frames; frame += 1) {
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, began + (1000 * seconds * frame) / (frames - 1) - Date.now())));
    // The heads that form are shown large: first the one that attends to the previous token, then the best of the first role.
    if (frame === Math.round(frames / 3)) await byTestId(page, "best-heads").locator("li").nth(1).click();
    if (frame === Math.round((2 * frames) / 3)) await byTestId(page, "best-heads").locator("li").first().click();
    await page.mouse.move(720, 20);
    await take();
  }
  await byTestId(page, "train").click();
  const blank = await page.context().newPage();
  const film = Buffer.from(await blank.evaluate(
    ([pack, pictures, width]) => new Function(`return (${pack})`)()(pictures, width, 20), [pack.toString(), pictures, width]), "base64");
  await writeFile(options.out, film);
  console.log(`${options.out}: ${pictures.length} pictures, ${(film.length / 2 ** 20).toFixed(2)} MiB`);
});
