//! What the browser keeps of runs: a table of their descriptions and one of their files, in IndexedDB, which all
//! browsers have and which writes both or neither.

use js_sys::{Array, Promise};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{Blob, IdbDatabase, IdbOpenDbRequest, IdbRequest, IdbTransaction, IdbTransactionMode as Mode};

const DATABASE: &str = "glasshead";
const VERSION: u32 = 1;
/// Descriptions, as JSON, by key.
const ABOUT: &str = "about";
/// Files, as blobs, by the same keys.
const FILES: &str = "files";

/// Keeps a description and its file under a new key.
///
/// # Errors
/// What the browser says, for example that its storage is full.
pub async fn put(key: &str, about: &str, file: &Blob) -> Result<(), JsValue> {
    let transaction = open().await?.transaction_with_str_sequence_and_mode(&both(), Mode::Readwrite)?;
    transaction.object_store(ABOUT)?.put_with_key(&about.into(), &key.into())?;
    transaction.object_store(FILES)?.put_with_key(file, &key.into())?;
    finished(&transaction).await
}

/// All keys and descriptions.
///
/// # Errors
/// What the browser says.
pub async fn list() -> Result<Vec<(String, String)>, JsValue> {
    let store = open().await?.transaction_with_str(ABOUT)?.object_store(ABOUT)?;
    let (keys, values) = (store.get_all_keys()?, store.get_all()?);
    let (keys, values): (Array, Array) = (answer(&keys).await?.into(), answer(&values).await?.into());
    let texts = |list: Array| list.iter().map(|text| text.as_string().unwrap_or_default()).collect::<Vec<_>>();
    Ok(texts(keys).into_iter().zip(texts(values)).collect())
}

/// The file under a key.
///
/// # Errors
/// What the browser says, or nothing when there is no such file.
pub async fn get(key: &str) -> Result<Blob, JsValue> {
    let store = open().await?.transaction_with_str(FILES)?.object_store(FILES)?;
    answer(&store.get(&key.into())?).await?.dyn_into()
}

/// Forgets a description and its file.
///
/// # Errors
/// What the browser says.
pub async fn delete(key: &str) -> Result<(), JsValue> {
    let transaction = open().await?.transaction_with_str_sequence_and_mode(&both(), Mode::Readwrite)?;
    transaction.object_store(ABOUT)?.delete(&key.into())?;
    transaction.object_store(FILES)?.delete(&key.into())?;
    finished(&transaction).await
}

fn both() -> JsValue {
    Array::of2(&ABOUT.into(), &FILES.into()).into()
}

async fn open() -> Result<IdbDatabase, JsValue> {
    let factory = web_sys::window().ok_or(JsValue::NULL)?.indexed_db()?.ok_or(JsValue::NULL)?;
    let request = factory.open_with_u32(DATABASE, VERSION)?;
    let create = Closure::once(move |event: web_sys::Event| -> Result<(), JsValue> {
        let request: IdbOpenDbRequest = event.target().ok_or(JsValue::NULL)?.dyn_into()?;
        let database: IdbDatabase = request.result()?.dyn_into()?;
        database.create_object_store(ABOUT)?;
        database.create_object_store(FILES)?;
        Ok(())
    });
    request.set_onupgradeneeded(Some(create.as_ref().unchecked_ref()));
    answer(&request).await?.dyn_into()
}

/// Waits for a request. A promise's own functions serve as the handlers.
async fn answer(request: &IdbRequest) -> Result<JsValue, JsValue> {
    let promise = Promise::new(&mut |resolve, reject| {
        request.set_onsuccess(Some(&resolve));
        request.set_onerror(Some(&reject));
    });
    JsFuture::from(promise).await?;
    request.result()
}

async fn finished(transaction: &IdbTransaction) -> Result<(), JsValue> {
    let promise = Promise::new(&mut |resolve, reject| {
        transaction.set_oncomplete(Some(&resolve));
        transaction.set_onerror(Some(&reject));
        transaction.set_onabort(Some(&reject));
    });
    JsFuture::from(promise).await.map(drop)
}
