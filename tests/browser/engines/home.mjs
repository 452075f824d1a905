// A temporary home folder for one browser: its profile, its downloads, and every process it starts. Closing the home ends
// those processes and removes the folder, also after a failed test, a timeout, or an interrupted run.

import { readFileSync, readdirSync, rmSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** How long a browser may take to quit on request before its processes are killed. */
const QUIT_MS = 5_000;

const open = new Set();

process.on("exit", () => {
  for (const home of open) {
    home.processes().forEach(kill);
    rmSync(home.folder, { recursive: true, force: true, maxRetries: 5 });
  }
});
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => process.exit(1));

const wait = (ms) => new Promise((done) => setTimeout(done, ms));

function kill(pid) {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if (error.code !== "ESRCH") throw error;
  }
}

// One file of /proc; empty if the process has ended or belongs to another user.
function proc(pid, name) {
  try {
    return readFileSync(`/proc/${pid}/${name}`, "latin1");
  } catch {
    return "";
  }
}

// The state (R, S, Z, …) and the session id of a process; the name in parentheses may contain spaces.
function stat(pid) {
  const fields = proc(pid, "stat").split(") ").at(-1).split(" ");
  return { state: fields[0], session: Number(fields[3]) };
}

export class Home {
  constructor(folder) {
    this.folder = folder;
    this.profile = join(folder, "profile");
    this.downloads = join(folder, "downloads");
    // Every process of the browser inherits the mark, and most have the folder in their command line as well.
    this.env = {
      ...process.env,
      GLASSHEAD_BROWSER_HOME: folder,
      HOME: folder,
      TMPDIR: join(folder, "tmp"),
      XDG_CACHE_HOME: join(folder, "cache"),
      XDG_CONFIG_HOME: join(folder, "config"),
      XDG_DATA_HOME: join(folder, "data"),
      XDG_RUNTIME_DIR: join(folder, "run"),
      NO_AT_BRIDGE: "1",
    };
    this.sessions = new Set();
    this.quit = async () => {};
  }

  static async create() {
    const home = new Home(await mkdtemp(join(tmpdir(), "glasshead-browser-")));
    open.add(home);
    const { XDG_CACHE_HOME, XDG_CONFIG_HOME, XDG_DATA_HOME, TMPDIR } = home.env;
    for (const folder of [home.profile, home.downloads, XDG_CACHE_HOME, XDG_CONFIG_HOME, XDG_DATA_HOME, TMPDIR])
      await mkdir(folder);
    await mkdir(home.env.XDG_RUNTIME_DIR, { mode: 0o700 });
    await writeFile(join(XDG_CONFIG_HOME, "user-dirs.dirs"), `XDG_DOWNLOAD_DIR="${home.downloads}"\n`);
    return home;
  }

  /** Adds a process that leads its own session (spawned with `detached: true`). */
  add(child) {
    this.sessions.add(child.pid);
    return child;
  }

  /** The ids of all living processes of this browser. */
  processes() {
    const all = process.platform === "linux" ? readdirSync("/proc").filter((name) => /^\d+$/.test(name)) : [];
    return all.map(Number).filter((pid) => {
      const { state, session } = stat(pid);
      if (!state || state === "Z") return false;
      const marked = () => [proc(pid, "environ"), proc(pid, "cmdline")].some((text) => text.includes(this.folder));
      return this.sessions.has(session) || marked();
    });
  }

  async #ended(ms) {
    for (const end = Date.now() + ms; Date.now() < end; await wait(50)) if (this.processes().length === 0) return true;
    return false;
  }

  /** Asks the browser to quit, kills what is left of it, and removes the folder. */
  async close() {
    if (!open.has(this)) return;
    await Promise.race([this.quit().catch(() => {}), wait(QUIT_MS)]);
    if (!(await this.#ended(1_000))) {
      this.processes().forEach(kill);
      if (!(await this.#ended(QUIT_MS))) throw new Error(`processes ${this.processes()} do not end`);
    }
    await rm(this.folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
    open.delete(this);
  }
}
