//! Checkpoints: `ckpt_save`, `ckpt_load`. A safetensors file with `meta` as JSON in its header.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use safetensors::SafeTensors;
use serde_json::Value;

use super::answer::Answer;
use super::request::{OpError, Request, wrong};
use super::{MAX_FRAME_BYTES, Server};
use crate::tensor_file;

fn path(request: &Request<'_>) -> Result<PathBuf, OpError> {
    request.text("path").map(PathBuf::from)
}

/// Saves the tensors and the metadata. The file is written atomically.
pub(super) fn ckpt_save(_: &mut Server<'_>, request: &Request<'_>) -> Result<Answer, OpError> {
    let path = path(request)?;
    let metadata = BTreeMap::from([("meta", request.arg("meta").to_string())]);
    let bytes = tensor_file::to_bytes(request.tensors.iter(), &metadata)?;
    let mut half_done = path.clone().into_os_string();
    half_done.push(".part");
    fs::write(&half_done, bytes)
        .and_then(|()| fs::rename(&half_done, &path))
        .map_err(|source| OpError::File { path, source })?;
    Ok(Answer::default())
}

/// Loads a checkpoint. `meta` is null for files of other programs.
pub(super) fn ckpt_load(_: &mut Server<'_>, request: &Request<'_>) -> Result<Answer, OpError> {
    let path = path(request)?;
    let bytes = fs::metadata(&path).and_then(|facts| {
        let small = facts.len() <= MAX_FRAME_BYTES;
        if small { fs::read(&path).map(Some) } else { Ok(None) }
    });
    let Some(bytes) = bytes.map_err(|source| OpError::File { path: path.clone(), source })? else {
        return wrong(path.display().to_string(), "larger", format!("at most {MAX_FRAME_BYTES} bytes long"));
    };
    let parsed =
        SafeTensors::read_metadata(&bytes).and_then(|(_, header)| Ok((header, SafeTensors::deserialize(&bytes)?)));
    let (header, tensors) = match parsed {
        Ok(parsed) => parsed,
        Err(error) => return wrong(path.display().to_string(), error.to_string(), "a whole safetensors file"),
    };
    let meta = header.metadata().as_ref().and_then(|metadata| metadata.get("meta"));
    let meta = meta.and_then(|json| serde_json::from_str(json).ok()).unwrap_or(Value::Null);
    let add = |answer: Answer, (name, view): (&str, safetensors::tensor::TensorView<'_>)| {
        answer.and_bytes(name, view.dtype(), view.shape(), view.data().to_vec())
    };
    Ok(tensors.iter().fold(Answer::result(meta), add))
}
