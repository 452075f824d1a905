// Makes the page available offline. The build inserts version and file names; a new version is a different script,
// which the browser detects when it checks for updates.
const VERSION = "BUILD";
const FILES = ["FILES"];
const CACHE = `glasshead ${VERSION}`;

self.addEventListener("install", (event) => {
  // All files or none. Files with hashes in their names were just loaded by the browser; the page itself may be
  // outdated.
  const request = (file) => new Request(file, { cache: file === "./" ? "no-cache" : "default" });
  const fetched = (cache) => cache.addAll(FILES.map(request));
  event.waitUntil(caches.open(CACHE).then(fetched).then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => {
  const clean = async () => {
    const old = (await caches.keys()).filter((name) => name.startsWith("glasshead ") && name !== CACHE);
    await Promise.all(old.map((name) => caches.delete(name)));
    await self.clients.claim();
    for (const client of await self.clients.matchAll({ type: "window" })) client.postMessage({ version: VERSION });
  };
  event.waitUntil(clean());
});

// The page itself comes from the network if available, so that it is never outdated. All other files have a hash of
// their content in their names, so cached ones are valid.
self.addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.method !== "GET" || new URL(request.url).origin !== self.location.origin) return;
  const page = request.mode === "navigate";
  const kept = () => caches.match(page ? "./" : request, { cacheName: CACHE });
  const answer = async () => {
    if (!page) {
      const response = await kept();
      if (response) return response;
    }
    try {
      const response = await fetch(request);
      // Optional files, such as GPT-2's vocabulary.
      if (response.ok && !page && /-[0-9a-f]{16}\.\w+$/.test(request.url)) {
        (await caches.open(CACHE)).put(request, response.clone());
      }
      return response;
    } catch (error) {
      const response = page && (await kept());
      if (response) return response;
      throw error;
    }
  };
  event.respondWith(answer());
});
