// Models in other programs' files, through the page's own buttons and offline: export as a ZIP, import again, and import of a
// foreign model.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { accessible, byTestId, matches, number, screenshot, shows, until, waitForState, withPage } from "./harness.mjs";

// The files of an uncompressed ZIP, read from its central directory according to the format's definition.
function unpacked(zip) {
  const end = zip.lastIndexOf(Buffer.from("PK\x05\x06", "latin1"));
  const files = {};
  let at = zip.readUInt32LE(end + 16);
  for (let left = zip.readUInt16LE(end + 10); left > 0; left--) {
    assert.equal(zip.readUInt16LE(at + 10), 0, "nothing is compressed");
    const [size, nameLength, extraLength, commentLength, local] =
      [zip.readUInt32LE(at + 20), ...[28, 30, 32].map((field) => zip.readUInt16LE(at + field)), zip.readUInt32LE(at + 42)];
    const name = zip.subarray(at + 46, at + 46 + nameLength).toString();
    const start = local + 30 + zip.readUInt16LE(local + 26) + zip.readUInt16LE(local + 28);
    files[name] = zip.subarray(start, start + size);
    at += 46 + nameLength + extraLength + commentLength;
  }
  return files;
}

const tensorsOf = (bytes) => JSON.parse(bytes.subarray(8, 8 + Number(bytes.readBigUInt64LE(0))).toString());

// A safetensors file; a tensor is [name, dtype, shape, bytes].
function safetensors(tensors) {
  const header = {};
  let at = 0;
  for (const [name, dtype, shape, bytes] of tensors) {
    header[name] = { dtype, shape, data_offsets: [at, at + bytes.length] };
    at += bytes.length;
  }
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([length, text, ...tensors.map((tensor) => tensor[3])]);
}

// A GPT-2 with one block of two heads and random weights: in two shards, one in bfloat16 and one in f32, with the names that
// checkpoints of the bare model have.
function foreign(tokenizer, vocabSize) {
  let seed = 1;
  const draw = () => ((seed = (seed * 48271) % 2147483647) / 2147483647 - 0.5) * 0.4;
  const numbers = (shape, mean) => Float32Array.from({ length: shape.reduce((a, b) => a * b) }, () => mean + draw());
  const f32 = (name, shape, mean = 0) => [name, "F32", shape, Buffer.from(numbers(shape, mean).buffer)];
  const bf16 = (name, shape, mean = 0) => {
    const words = new Uint32Array(numbers(shape, mean).buffer);
    return [name, "BF16", shape, Buffer.from(Uint16Array.from(words, (word) => word >>> 16).buffer)];
  };
  const norm = (name) => [f32(`${name}.weight`, [16], 1), f32(`${name}.bias`, [16])];
  const linear = (name, shape) => [bf16(`h.0.${name}.weight`, shape), bf16(`h.0.${name}.bias`, [shape[1]])];
  const first = [bf16("wte.weight", [vocabSize, 16]), bf16("wpe.weight", [64, 16]), ...linear("attn.c_attn", [16, 48])];
  const second = [
    ...norm("h.0.ln_1"), ...norm("h.0.ln_2"), ...norm("ln_f"),
    ...linear("attn.c_proj", [16, 16]), ...linear("mlp.c_fc", [16, 40]), ...linear("mlp.c_proj", [40, 16]),
  ];
  const config = {
    model_type: "gpt2", n_embd: 16, n_layer: 1, n_head: 2, n_positions: 64, n_inner: 40, vocab_size: vocabSize,
    layer_norm_epsilon: 1e-6,
  };
  const [one, other] = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];
  const map = Object.fromEntries([...first.map(([name]) => [name, one]), ...second.map(([name]) => [name, other])]);
  const file = (name, bytes) => ({ name, mimeType: "application/octet-stream", buffer: Buffer.from(bytes) });
  return [
    file("config.json", JSON.stringify(config)),
    file("tokenizer.json", tokenizer),
    file("model.safetensors.index.json", JSON.stringify({ weight_map: map })),
    file(one, safetensors(first)),
    file(other, safetensors(second)),
    file("README.md", "# nothing to read here"),
  ];
}

async function write(page) {
  await byTestId(page, "generate").click();
  await matches(() => page.locator(".generated + .count").textContent(), /^\d+ tokens/);
  return byTestId(page, "generated").textContent();
}

test("a model goes out and comes back, and a foreign one comes in", { timeout: 300_000 }, async () => {
  await withPage({ gpu: false }, async (page) => {
    await waitForState(page, "ready");
    await page.context().setOffline(true);
    const stop = page.locator('input[name="stop_steps"]');
    await stop.fill("12");
    await stop.press("Enter");
    await stop.blur();
    await byTestId(page, "train").click();
    await byTestId(page, "stopped").waitFor({ timeout: 120_000 });
    await waitForState(page, "paused");
    const [temperature, , , most] = await page.locator(".ask input").all();
    for (const [input, value] of [[temperature, "0"], [most, "20"]]) {
      await input.fill(value);
      await input.blur();
    }
    await byTestId(page, "prompt").fill("Lily had");
    const written = await write(page);
    const heldOut = await byTestId(page, "val-loss").textContent();

    // Export: the files that transformers expects, and the training state.
    await byTestId(page, "with-state").check();
    const [download] = await Promise.all([page.waitForEvent("download"), byTestId(page, "export-model").click()]);
    assert.match(download.suggestedFilename(), /^glasshead-run-1-step-12\.zip$/);
    const zip = await readFile(await download.path());
    const files = unpacked(zip);
    assert.deepEqual(Object.keys(files), [
      "config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "generation_config.json",
      "training_state.safetensors",
    ]);
    const config = JSON.parse(files["config.json"].toString());
    assert.deepEqual([config.architectures[0], config.hidden_size], ["LlamaForCausalLM", 48]);
    const tensor = tensorsOf(files["model.safetensors"])["model.layers.1.self_attn.k_proj.weight"];
    assert.deepEqual([tensor.dtype, tensor.shape], ["F32", [48, 48]]);
    assert.equal(tensorsOf(files["training_state.safetensors"]).__metadata__.step, "12");
    await matches(() => byTestId(page, "save-message").textContent(), /Exported at step 12/);

    // The same files in a folder that the user chooses; here it is one of the browser's own.
    await page.evaluate(() => {
      globalThis.showDirectoryPicker = async () =>
        (await navigator.storage.getDirectory()).getDirectoryHandle("chosen", { create: true });
    });
    await byTestId(page, "export-folder").click();
    await matches(() => byTestId(page, "save-message").textContent(), /opens the folder with its 6 files/);
    const sums = await page.evaluate(async () => {
      const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle("chosen");
      const sums = {};
      for await (const [name, handle] of folder) {
        const digest = await crypto.subtle.digest("SHA-256", await (await handle.getFile()).arrayBuffer());
        sums[name] = Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
      }
      return sums;
    });
    const sum = (bytes) => createHash("sha256").update(bytes).digest("hex");
    const expected = Object.fromEntries(Object.entries(files).map(([name, bytes]) => [name, sum(bytes)]));
    // The entries about the training state come in any order.
    assert.equal(typeof sums["training_state.safetensors"], "string");
    delete sums["training_state.safetensors"];
    delete expected["training_state.safetensors"];
    assert.deepEqual(sums, expected);
    // Without a chosen folder no files are written, and the page continues.
    await page.evaluate(() => (globalThis.showDirectoryPicker = () => Promise.reject(new DOMException("", "AbortError"))));
    await byTestId(page, "export-folder").click();
    assert.ok(await byTestId(page, "export-folder").isEnabled());

    // Files that cannot be opened are refused with advice, and the run is unaffected.
    const file = (name, buffer) => ({ name, mimeType: "application/octet-stream", buffer });
    await byTestId(page, "model-files").setInputFiles(file("pytorch_model.bin", Buffer.alloc(10)));
    await matches(() => byTestId(page, "save-message").textContent(), /safe_serialization=True/);
    await byTestId(page, "model-files").setInputFiles(file("cut.zip", zip.subarray(0, 5000)));
    await matches(() => byTestId(page, "save-message").textContent(), /cut\.zip.*cut or is no ZIP/);
    assert.equal(await number(page, "step-count"), 12);

    // A foreign model is imported, generates and trains.
    await byTestId(page, "model-files").setInputFiles(foreign(files["tokenizer.json"], config.vocab_size));
    await shows(() => byTestId(page, "head-map").count(), 2);
    await waitForState(page, ["ready", "paused"]);
    await shows(() => number(page, "step-count"), 0);
    assert.notEqual(await write(page), written);
    await byTestId(page, "step").click();
    await shows(() => number(page, "step-count"), 1);
    await screenshot(page, "models-foreign");

    // Imported again by the same button: the same step, loss and words, and training continues.
    await byTestId(page, "model-files").setInputFiles(file("run-1.zip", zip));
    await shows(() => byTestId(page, "head-map").count(), 8);
    await shows(() => number(page, "step-count"), 12);
    await shows(() => byTestId(page, "val-loss").textContent(), heldOut);
    await until("the prompt is there", async () => (await byTestId(page, "prompt").inputValue()) === "Lily had");
    assert.equal(await write(page), written);
    await byTestId(page, "step").click();
    await shows(() => number(page, "step-count"), 13);
    await accessible(page);
    await screenshot(page, "models-back");

    // Unpacked, the same folder is imported by its button, and by dropping it on the page.
    const folder = await mkdtemp(join(tmpdir(), "glasshead-model-"));
    try {
      await Promise.all(Object.entries(files).map(([name, bytes]) => writeFile(join(folder, name), bytes)));
      await byTestId(page, "model-folder").setInputFiles(folder);
      await shows(() => number(page, "step-count"), 12);
      assert.equal(await write(page), written);
      await byTestId(page, "step").click();
      await shows(() => number(page, "step-count"), 13);
      const session = await page.context().newCDPSession(page);
      const data = { items: [], files: [folder], dragOperationsMask: 1 };
      for (const type of ["dragEnter", "dragOver", "drop"]) {
        await session.send("Input.dispatchDragEvent", { type, x: 600, y: 300, data });
      }
      await shows(() => number(page, "step-count"), 12);
      assert.equal(await write(page), written);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
