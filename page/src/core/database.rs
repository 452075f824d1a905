//! Stores saved runs in IndexedDB, for browsers without writable files in the origin-private file system: WebKitGTK,
//! and Safari before 26. Descriptions and bytes are in separate stores, so that listing reads no bytes.

use js_sys::{Array, Function, Promise, Reflect, Uint8Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::Blob;

const NAME: &str = "glasshead";
const ABOUT: &str = "about";
const BYTES: &str = "bytes";

type Result<T> = std::result::Result<T, JsValue>;

fn call(object: &JsValue, method: &str, arguments: &[JsValue]) -> Result<JsValue> {
    let function: Function = Reflect::get(object, &method.into())?.dyn_into()?;
    function.apply(object, &arguments.iter().collect())
}

/// Waits for one of these events of `target`; all but the first name count as failures.
async fn event(target: &JsValue, names: &[&str]) -> Result<()> {
    let promise = Promise::new(&mut |resolve, reject| {
        for (at, name) in names.iter().enumerate() {
            let listener = if at == 0 { &resolve } else { &reject };
            // Setting a handler on these objects cannot fail.
            let _ = Reflect::set(target, &(*name).into(), listener);
        }
    });
    JsFuture::from(promise).await.map(drop)
}

async fn result(request: JsValue) -> Result<JsValue> {
    event(&request, &["onsuccess", "onerror"]).await?;
    Reflect::get(&request, &"result".into())
}

/// A connection, closed on drop.
struct Database(JsValue);

impl Drop for Database {
    fn drop(&mut self) {
        // Fails only if the connection is already closed.
        let _ = call(&self.0, "close", &[]);
    }
}

impl Database {
    async fn open() -> Result<Self> {
        let factory = Reflect::get(&js_sys::global(), &"indexedDB".into())?;
        let request = call(&factory, "open", &[NAME.into(), 1.into()])?;
        let upgraded = request.clone();
        let create = Closure::once_into_js(move || -> Result<()> {
            let database = Reflect::get(&upgraded, &"result".into())?;
            [ABOUT, BYTES].iter().try_for_each(|&name| call(&database, "createObjectStore", &[name.into()]).map(drop))
        });
        Reflect::set(&request, &"onupgradeneeded".into(), &create)?;
        Ok(Self(result(request).await?))
    }

    fn transaction(&self, mode: &str) -> Result<JsValue> {
        let stores: Array = [ABOUT, BYTES].iter().map(|&name| JsValue::from(name)).collect();
        call(&self.0, "transaction", &[stores.into(), mode.into()])
    }
}

fn store(transaction: &JsValue, name: &str) -> Result<JsValue> {
    call(transaction, "objectStore", &[name.into()])
}

async fn complete(transaction: &JsValue) -> Result<()> {
    event(transaction, &["oncomplete", "onabort", "onerror"]).await
}

/// Stores a run under a key, replacing any previous one.
///
/// # Errors
/// The browser's message; the previous run is kept.
pub async fn put(key: &str, about: &str, run: &Blob) -> Result<()> {
    let bytes = JsFuture::from(run.array_buffer()).await?;
    let database = Database::open().await?;
    let transaction = database.transaction("readwrite")?;
    call(&store(&transaction, ABOUT)?, "put", &[about.into(), key.into()])?;
    call(&store(&transaction, BYTES)?, "put", &[bytes, key.into()])?;
    complete(&transaction).await
}

/// All keys and descriptions.
///
/// # Errors
/// The browser's message.
pub async fn list() -> Result<Vec<(String, String)>> {
    let database = Database::open().await?;
    let about = store(&database.transaction("readonly")?, ABOUT)?;
    let (keys, texts) = (call(&about, "getAllKeys", &[])?, call(&about, "getAll", &[])?);
    // Both requests belong to one transaction, which completes them in order.
    let texts = result(texts).await?;
    let (keys, texts) = (Array::from(&Reflect::get(&keys, &"result".into())?), Array::from(&texts));
    Ok(keys.iter().zip(texts.iter()).filter_map(|(key, text)| Some((key.as_string()?, text.as_string()?))).collect())
}

/// The run stored under a key.
///
/// # Errors
/// The browser's message, or null if there is no such run.
pub async fn get(key: &str) -> Result<Uint8Array> {
    let database = Database::open().await?;
    let bytes = store(&database.transaction("readonly")?, BYTES)?;
    let found = result(call(&bytes, "get", &[key.into()])?).await?;
    if found.is_undefined() { Err(JsValue::NULL) } else { Ok(Uint8Array::new(&found)) }
}

/// Deletes a run.
///
/// # Errors
/// The browser's message.
pub async fn delete(key: &str) -> Result<()> {
    let database = Database::open().await?;
    let transaction = database.transaction("readwrite")?;
    [ABOUT, BYTES].iter().try_for_each(|name| call(&store(&transaction, name)?, "delete", &[key.into()]).map(drop))?;
    complete(&transaction).await
}
