// Starts the one wasm file, in the page and in its worker alike. The build puts in the two names.
import init from "./GLUE";

init({ module_or_path: new URL("./WASM", import.meta.url) }).catch((error) => {
  const message = `The program could not be loaded (${error}). Reload the page; if that does not help, use a current browser.`;
  if (typeof document === "undefined") {
    postMessage([JSON.stringify({ type: "failed", run: 0, message })]);
  } else {
    document.getElementById("app").innerHTML = "<p class='boot' role='alert'></p>";
    document.querySelector(".boot").textContent = message;
  }
});
