// Faults as the user meets them: diverging losses, a tab that is closed or opened twice, storage that refuses, a lost device.

import assert from "node:assert/strict";
import { test } from "node:test";
import { byTestId, field, matches, number, rendered, screenshot, shows, trainTo, until, waitForState, withPage } from "./harness.mjs";

// Names of the files that the page stores in its part of the browser's file system, the latest first.
const keys = (page) =>
  page.evaluate(async () => {
    const runs = await (await navigator.storage.getDirectory()).getDirectoryHandle("runs");
    const files = [];
    for await (const [name, handle] of runs.entries()) {
      const file = await handle.getFile().catch(() => null); // deleted meanwhile
      if (file) files.push({ name, at: file.lastModified });
    }
    return files.sort((a, b) => b.at - a.at).map(({ name }) => name);
  });

// Truncates the latest of these files; a negative length counts from its end.
const cutNewest = async (page, length) => {
  const [name] = await keys(page);
  await page.evaluate(
    async ({ name, length }) => {
      const runs = await (await navigator.storage.getDirectory()).getDirectoryHandle("runs");
      const handle = await runs.getFileHandle(name);
      const { size } = await handle.getFile();
      const stream = await handle.createWritable({ keepExistingData: true });
      await stream.truncate(length < 0 ? size + length : length);
      await stream.close();
    },
    { name, length },
  );
};

test("a run that diverges says where, and goes on with half the learning rate", { timeout: 400_000 }, async () => {
  await withPage({ gpu: false }, async (page) => {
    await waitForState(page, "ready");
    await trainTo(page, 20);
    await field(page, "stop_steps", "");
    await field(page, "min_lr", "1e30");
    await field(page, "max_lr", "1e30");
    await byTestId(page, "train").click();
    await waitForState(page, "diverged", 240_000);
    const banner = page.locator('[role="alert"][data-testid="banner"]');
    await matches(() => banner.textContent(), /Training diverged at step \d+.*that step was not applied.*it began in the .*/);
    await screenshot(page, "diverged");
    await field(page, "min_lr", "2e-4");
    await field(page, "max_lr", "2e-3");
    await byTestId(page, "go-on-slower").click();
    await waitForState(page, "training");
    await shows(() => page.locator('input[name="max_lr"]').inputValue(), "0.001");
    await until("it trains again", async () => (await number(page, "loss")) < 7);
    await byTestId(page, "train").click();
    await waitForState(page, "paused");
  });
});

test("what is kept by itself outlives a reload, and the copy before a damaged one", { timeout: 400_000 }, async () => {
  await withPage({ gpu: false }, async (page) => {
    await waitForState(page, "ready");
    // Long enough that only the pauses save.
    await field(page, "save_every", "600");
    await trainTo(page, 30);
    await matches(() => byTestId(page, "kept-by-itself").textContent(), /Saved automatically at step 30/);
    const loss = await byTestId(page, "loss").textContent();
    await trainTo(page, 40);
    await matches(() => byTestId(page, "kept-by-itself").textContent(), /Saved automatically at step 40/);
    const whole = await byTestId(page, "loss").textContent();
    await shows(async () => (await keys(page)).length, 2, "two generations");

    await page.reload();
    await waitForState(page, "ready");
    await matches(() => byTestId(page, "offer").textContent(), /run 1 was saved automatically at step 40/);
    await screenshot(page, "offer");
    await shows(() => page.locator('input[name="save_every"]').inputValue(), "600", "the setting stays");
    // The latest autosave is truncated: the previous one is used, and training continues from it with the same losses to the
    // last digit.
    await shows(() => byTestId(page, "copy").count(), 1, "one run, whose older copy is not shown");
    await cutNewest(page, -1000);
    await byTestId(page, "resume-offer").click();
    await until("the copy before is back", async () => (await number(page, "step-count")) === 30);
    await matches(() => byTestId(page, "save-message").textContent(), /latest copy of this run is damaged/);
    await shows(() => byTestId(page, "loss").textContent(), loss);
    await trainTo(page, 40);
    await shows(() => byTestId(page, "loss").textContent(), whole, "as if it had never stopped");
    await matches(() => byTestId(page, "kept-by-itself").textContent(), /Saved automatically at step 40/);
    await shows(async () => (await keys(page)).length, 2, "it goes on under its name");

    // A second tab resumes the same run: it stores its autosaves under another name.
    const [other] = await Promise.all([
      page.waitForEvent("popup"),
      page.evaluate(() => void globalThis.open(location.href)),
    ]);
    await waitForState(other, "ready");
    await byTestId(other, "resume-offer").click();
    await until("the run is there", async () => (await number(other, "step-count")) === 40);
    await trainTo(other, 50);
    await matches(() => byTestId(other, "save-message").textContent(), /Another tab has this run open/);
    await matches(() => byTestId(other, "kept-by-itself").textContent(), /Saved automatically at step 50/);
    await shows(async () => (await keys(other)).length, 3, "nothing of the first tab is overwritten");
    await other.close();
  });
});

test("a tab that is gone while it keeps a copy leaves the one before", { timeout: 400_000 }, async () => {
  await withPage({ gpu: false }, async (page) => {
    await waitForState(page, "ready");
    // Long enough that only the pauses save.
    await field(page, "save_every", "600");
    await trainTo(page, 20);
    await matches(() => byTestId(page, "kept-by-itself").textContent(), /Saved automatically at step 20/);
    await trainTo(page, 30);
    await matches(() => byTestId(page, "kept-by-itself").textContent(), /Saved automatically at step 30/);
    const loss = await byTestId(page, "loss").textContent();
    // The next autosave is written completely, but its file is never closed.
    await page.evaluate(() => {
      FileSystemWritableFileStream.prototype.close = () => {
        globalThis.stuck = true;
        return new Promise(() => {});
      };
    });
    await trainTo(page, 40);
    await until("a copy is being written", () => page.evaluate(() => globalThis.stuck === true));
    await page.reload();
    await waitForState(page, "ready");
    await matches(() => byTestId(page, "offer").textContent(), /saved automatically at step 30/);
    await shows(async () => (await keys(page)).length, 2, "what was not closed is not there");
    await byTestId(page, "resume-offer").click();
    await until("the copy is back", async () => (await number(page, "step-count")) === 30);
    await shows(() => byTestId(page, "loss").textContent(), loss);
    await trainTo(page, 40);
    await matches(() => byTestId(page, "kept-by-itself").textContent(), /Saved automatically at step 40/);
    await shows(async () => (await keys(page)).length, 2, "it goes on under its name");

    // An autosave so short that even its header is incomplete is not offered.
    await cutNewest(page, 5);
    await page.reload();
    await matches(() => byTestId(page, "offer").textContent(), /saved automatically at step 30/);
    await byTestId(page, "delete-kept-copy").click();
    await shows(() => keys(page), [], "deleting a run deletes what is damaged of it too");
  });
});

// Ways in which browsers refuse: entirely (private windows, old browsers), at a new file, or in the middle of a file.
const REFUSALS = {
  "no storage": () => {
    StorageManager.prototype.getDirectory = () => Promise.reject(new DOMException("no", "SecurityError"));
  },
  "no such function": () => {
    delete FileSystemFileHandle.prototype.createWritable;
    IDBFactory.prototype.open = () => {
      throw new DOMException("no", "SecurityError");
    };
  },
  "no room for a file": () => {
    FileSystemFileHandle.prototype.createWritable = () => Promise.reject(new DOMException("full", "QuotaExceededError"));
  },
  "no room within a file": () => {
    const { write } = FileSystemWritableFileStream.prototype;
    FileSystemWritableFileStream.prototype.write = function (part) {
      if (typeof part === "string") return write.call(this, part);
      return Promise.reject(new DOMException("full", "QuotaExceededError"));
    };
  },
};

test("a storage that refuses costs a sentence, not the run", { timeout: 600_000 }, async () => {
  await withPage({ gpu: false }, async (page) => {
    for (const [name, refuse] of Object.entries(REFUSALS)) {
      await waitForState(page, "ready");
      await page.evaluate(refuse);
      await field(page, "save_every", "1");
      await trainTo(page, 20);
      await matches(() => byTestId(page, "kept-by-itself").textContent(), /not saved automatically.*Training goes on/, name);
      await trainTo(page, 30);
      await page.reload();
      await waitForState(page, "ready");
      await shows(() => keys(page), [], `${name} leaves nothing behind`);
    }
  });
});

test("where the storage is full, what is listed stays and can be resumed", { timeout: 400_000 }, async () => {
  await withPage({ gpu: false }, async (page) => {
    await waitForState(page, "ready");
    // Long enough that only the pauses save.
    await field(page, "save_every", "600");
    await trainTo(page, 20);
    await matches(() => byTestId(page, "kept-by-itself").textContent(), /Saved automatically at step 20/);
    await page.evaluate(REFUSALS["no room for a file"]);
    await trainTo(page, 30);
    const said = () => byTestId(page, "kept-by-itself").textContent();
    await matches(said, /This step was not saved automatically: .* full .*What is listed here stays.*save the run as a file/);
    await matches(() => byTestId(page, "copy").first().textContent(), /step 20/);
    await page.reload();
    await waitForState(page, "ready");
    await matches(() => byTestId(page, "offer").textContent(), /saved automatically at step 20/);
  });
});

// Runs `happens` on the worker's device at its next use.
async function toDevice(page, happens) {
  const worker = page.workers()[0];
  await worker.evaluate((happens) => {
    const { createCommandEncoder } = GPUDevice.prototype;
    GPUDevice.prototype.createCommandEncoder = function (...args) {
      GPUDevice.prototype.createCommandEncoder = createCommandEncoder;
      const encoder = createCommandEncoder.apply(this, args);
      if (happens === "lost") this.destroy();
      else {
        const error = new GPUOutOfMemoryError("no memory for a buffer");
        this.dispatchEvent(new GPUUncapturedErrorEvent("uncapturederror", { error }));
      }
      return encoder;
    };
  }, happens);
}

test("a device that is lost or has no memory left is replaced, and training goes on by itself", { timeout: 600_000 }, async () => {
  await withPage({ expected: /destroyed|lost|memory/i }, async (page) => {
    await waitForState(page, "ready");
    await field(page, "save_every", "2");
    await byTestId(page, "train").click();
    await until("a copy is kept", async () => (await byTestId(page, "kept-by-itself").count()) === 1, 240_000);
    const faults = {
      lost: /The GPU was lost.*goes on by itself on a new device .*from step [1-9]/,
      memory: /no memory left.*(?:lower batch_size from 8 to 4|set checkpoint_every to 1).*goes on by itself on a new device \(loss 2.*from step [1-9]/,
    };
    for (const [fault, said] of Object.entries(faults)) {
      await toDevice(page, fault);
      const notice = page.locator('[data-testid="banner"]', { hasText: said });
      await notice.first().waitFor({ timeout: 240_000 });
      await waitForState(page, "training");
      const step = await number(page, "step-count");
      await until("it trains on", async () => (await number(page, "step-count")) > step + 3, 240_000);
      await screenshot(page, fault);
    }
    await byTestId(page, "train").click();
    await waitForState(page, "paused");
    await rendered(page);
  });
});

test("a worker that dies leaves the run in the browser", { timeout: 400_000 }, async () => {
  await withPage({ gpu: false, expected: /unreachable/ }, async (page) => {
    await waitForState(page, "ready");
    await field(page, "save_every", "1");
    await trainTo(page, 20);
    await matches(() => byTestId(page, "kept-by-itself").textContent(), /Saved automatically at step 20/);
    const loss = await byTestId(page, "loss").textContent();
    // The error of a failed allocation in wasm.
    await page.workers()[0].evaluate(() => void setTimeout(() => {
      throw new WebAssembly.RuntimeError("unreachable");
    }));
    await waitForState(page, "failed");
    const banner = page.locator('[role="alert"][data-testid="banner"]');
    await matches(() => banner.textContent(), /worker stopped unexpectedly.*If memory is short, (?:lower batch_size from 8 to 4|set checkpoint_every to 1)/);
    await matches(() => byTestId(page, "offer").textContent(), /run 1 was saved automatically at step 20/);
    await screenshot(page, "worker-died");
    await byTestId(page, "resume-offer").click();
    await waitForState(page, "ready");
    await shows(() => number(page, "step-count"), 20);
    await shows(() => byTestId(page, "loss").textContent(), loss);
    await trainTo(page, 30);
  });
});

// Chromium with a limit of `mib` MiB for each wasm memory.
const memory = (mib) => ({ gpu: false, flags: [`--js-flags=--wasm-max-mem-pages=${16 * mib}`], expected: /unreachable|memory/i });

// Enough for the page and nano, and little more.
const LITTLE_MIB = 31;

// Enough for a text, but not for its tokens.
const [MORE_MIB, TEXT_MIB] = [94, 24];

test("where wasm has no memory left, a sentence says what to lower, and following it helps", { timeout: 600_000 }, async () => {
  await withPage(memory(LITTLE_MIB), async (page) => {
    const banner = page.locator('[role="alert"][data-testid="banner"]');
    await waitForState(page, "ready");
    await field(page, "save_every", "1");
    await trainTo(page, 20);
    await matches(() => byTestId(page, "kept-by-itself").textContent(), /Saved automatically at step 20/);
    const loss = await byTestId(page, "loss").textContent();
    const tooMuch = async () => {
      // The page's own check accepts this: a tab could have 4 GiB.
      await field(page, "batch_size", "64");
      await byTestId(page, "reset").click();
      await waitForState(page, "failed");
      const said = /training needs \d+ MiB here, and less memory is left; (?:lower (batch_size) from 64|set (checkpoint_every)) to (\d+)/;
      await matches(() => banner.textContent(), said);
      const [, lowered, set, value] = said.exec(await banner.textContent());
      return [lowered ?? set, value];
    };
    const advised = await tooMuch();
    await screenshot(page, "no-memory");
    await matches(() => byTestId(page, "offer").textContent(), /run 1 was saved automatically at step 20/);
    await byTestId(page, "resume-offer").click();
    await waitForState(page, "ready");
    await shows(() => number(page, "step-count"), 20);
    await shows(() => byTestId(page, "loss").textContent(), loss);
    await tooMuch();
    await field(page, ...advised);
    await byTestId(page, "reset").click();
    await waitForState(page, "ready");
    await trainTo(page, 10);
  });
});

test("a worker that really runs out of memory leaves the run in the browser", { timeout: 600_000 }, async () => {
  await withPage(memory(MORE_MIB), async (page) => {
    const deaths = [];
    page.on("pageerror", (error) => deaths.push(String(error)));
    await waitForState(page, "ready");
    await field(page, "save_every", "1");
    await trainTo(page, 20);
    await matches(() => byTestId(page, "kept-by-itself").textContent(), /Saved automatically at step 20/);
    const loss = await byTestId(page, "loss").textContent();
    // A text that does not fit is refused, and the run is unaffected; one that fits but cannot be encoded ends the worker.
    const open = (mib) => {
      const buffer = Buffer.alloc(mib * 2 ** 20, "Once upon a time there was a small house. ");
      return byTestId(page, "file-input").setInputFiles({ name: `${mib}.txt`, mimeType: "text/plain", buffer });
    };
    await open(49);
    const refused = byTestId(page, "banner").filter({ hasText: "not enough memory left for a text of 49 MiB here; choose a smaller one" });
    await refused.waitFor();
    await open(TEXT_MIB);
    await byTestId(page, "reset").click();
    await waitForState(page, "failed");
    const banner = page.locator('[role="alert"][data-testid="banner"]');
    await matches(() => banner.textContent(), /worker stopped unexpectedly.*If memory is short, (?:lower batch_size from 8 to 4|set checkpoint_every to 1)/);
    assert.ok(deaths.some((death) => /unreachable/.test(death)), "wasm itself has ended it");
    await matches(() => byTestId(page, "offer").textContent(), /run 1 was saved automatically at step 20/);
    await screenshot(page, "worker-out-of-memory");
    await byTestId(page, "resume-offer").click();
    await waitForState(page, "ready");
    await shows(() => number(page, "step-count"), 20);
    await shows(() => byTestId(page, "loss").textContent(), loss);
    await trainTo(page, 30);
  });
});
