//! An answer on its way out.

use std::collections::HashMap;

use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde_json::Value;

use super::request::OpError;

/// A result and tensors by name.
#[derive(Debug, Default)]
pub(super) struct Answer {
    result: Value,
    tensors: Vec<(String, Dtype, Vec<usize>, Vec<u8>)>,
}

impl Answer {
    /// A result without tensors.
    pub(super) fn result(result: impl Into<Value>) -> Self {
        Self { result: result.into(), tensors: Vec::new() }
    }

    /// One F32 tensor.
    pub(super) fn floats(name: &str, shape: &[usize], values: &[f32]) -> Self {
        Self::default().and(name, shape, values)
    }

    /// One more F32 tensor.
    pub(super) fn and(self, name: impl Into<String>, shape: &[usize], values: &[f32]) -> Self {
        self.and_bytes(name, Dtype::F32, shape, bytemuck::cast_slice(values).to_vec())
    }

    /// One more I64 tensor.
    pub(super) fn and_ints(self, name: &str, shape: &[usize], values: &[i64]) -> Self {
        self.and_bytes(name, Dtype::I64, shape, bytemuck::cast_slice(values).to_vec())
    }

    /// One more tensor of any type.
    pub(super) fn and_bytes(mut self, name: impl Into<String>, dtype: Dtype, shape: &[usize], bytes: Vec<u8>) -> Self {
        self.tensors.push((name.into(), dtype, shape.to_vec(), bytes));
        self
    }

    /// The message.
    pub(super) fn to_blob(&self) -> Result<Vec<u8>, OpError> {
        let mut views = Vec::with_capacity(self.tensors.len());
        for (name, dtype, shape, bytes) in &self.tensors {
            views.push((name, TensorView::new(*dtype, shape.clone(), bytes)?));
        }
        let metadata = HashMap::from([("ok".into(), "true".into()), ("result".into(), self.result.to_string())]);
        Ok(safetensors::serialize(views, Some(metadata))?)
    }
}

/// The message that tells what was wrong.
pub(super) fn error_blob(error: &OpError) -> Vec<u8> {
    let sentence = Value::from(error.to_string()).to_string();
    let entries = [("ok", "false".to_string()), ("result", "null".to_string()), ("error", sentence)];
    let metadata = HashMap::from(entries.map(|(key, value)| (key.to_string(), value)));
    let no_tensors: [(&str, TensorView<'_>); 0] = [];
    // Without tensors there is nothing that the library could refuse.
    safetensors::serialize(no_tensors, Some(metadata)).unwrap_or_default()
}
