//! The answer to a request.

use std::collections::BTreeMap;

use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensorError};
use serde_json::{Value, json};

use super::request::OpError;
use crate::tensor_file;

/// The tensor with a result whose JSON is too long for a header.
const RESULT_TENSOR: &str = "result_json";

/// The maximum length of an error message, which may quote the request.
const MAX_SENTENCE_CHARS: usize = 2000;

/// A result and named tensors.
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

    /// An answer with one F32 tensor.
    pub(super) fn floats(name: &str, shape: &[usize], values: &[f32]) -> Self {
        Self::default().and(name, shape, values)
    }

    /// Adds an F32 tensor.
    pub(super) fn and(self, name: impl Into<String>, shape: &[usize], values: &[f32]) -> Self {
        self.and_bytes(name, Dtype::F32, shape, bytemuck::cast_slice(values).to_vec())
    }

    /// Adds an F32 tensor of numbers computed in f64.
    pub(super) fn and_doubles(self, name: &str, shape: &[usize], values: &[f64]) -> Self {
        let values: Vec<f32> = values.iter().map(|&value| value as f32).collect();
        self.and(name, shape, &values)
    }

    /// Adds an I64 tensor.
    pub(super) fn and_ints(self, name: &str, shape: &[usize], values: &[i64]) -> Self {
        self.and_bytes(name, Dtype::I64, shape, bytemuck::cast_slice(values).to_vec())
    }

    /// Adds a tensor of any type.
    pub(super) fn and_bytes(mut self, name: impl Into<String>, dtype: Dtype, shape: &[usize], bytes: Vec<u8>) -> Self {
        self.tensors.push((name.into(), dtype, shape.to_vec(), bytes));
        self
    }

    /// The encoded message; `kernels` names the GPU kernels that ran. A result too long for the header is stored in a
    /// U8 tensor, whose name is `result_tensor` in the metadata.
    pub(super) fn to_blob(&self, kernels: &[&str]) -> Result<Vec<u8>, OpError> {
        let result = self.result.to_string();
        let mut metadata = BTreeMap::from([("ok", "true".to_string())]);
        if !kernels.is_empty() {
            metadata.insert("kernels", json!(kernels).to_string());
        }
        metadata.insert("result", result);
        match tensor_file::to_bytes(self.views()?, &metadata) {
            Err(SafeTensorError::HeaderTooLarge) => (),
            blob => return Ok(blob?),
        }
        let result = metadata.insert("result", Value::Null.to_string()).unwrap_or_default();
        metadata.insert("result_tensor", Value::from(RESULT_TENSOR).to_string());
        let mut views = self.views()?;
        views.push((RESULT_TENSOR, TensorView::new(Dtype::U8, vec![result.len()], result.as_bytes())?));
        tensor_file::to_bytes(views, &metadata).map_err(|error| match error {
            SafeTensorError::HeaderTooLarge => OpError::AnswerHeader { tensors: self.tensors.len() },
            other => other.into(),
        })
    }

    fn views(&self) -> Result<Vec<(&str, TensorView<'_>)>, OpError> {
        let mut views = Vec::with_capacity(self.tensors.len() + 1);
        for (name, dtype, shape, bytes) in &self.tensors {
            views.push((name.as_str(), TensorView::new(*dtype, shape.clone(), bytes)?));
        }
        Ok(views)
    }
}

/// The encoded error message.
pub(super) fn error_blob(error: &OpError) -> Vec<u8> {
    let mut sentence = error.to_string();
    if let Some((end, _)) = sentence.char_indices().nth(MAX_SENTENCE_CHARS) {
        sentence.truncate(end);
        sentence.push('…');
    }
    let metadata = BTreeMap::from([
        ("ok", "false".to_string()),
        ("result", Value::Null.to_string()),
        ("error", Value::from(sentence).to_string()),
    ]);
    let no_tensors: [(&str, TensorView<'_>); 0] = [];
    // Cannot fail for a short header.
    tensor_file::to_bytes(no_tensors, &metadata).unwrap_or_default()
}
