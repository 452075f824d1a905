//! Writes safetensors files deterministically. The safetensors crate writes metadata in hash map order; here equal
//! content gives equal bytes.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use safetensors::SafeTensorError;
use safetensors::tensor::TensorView;
use serde_json::json;

/// The longest header that readers accept, in bytes.
pub const MAX_HEADER_BYTES: usize = 100_000_000;

/// The header starts after its length field and is padded to the alignment at which tensors of every type may begin.
const ALIGNMENT: usize = 8;

/// A file with these tensors and this metadata. Metadata is sorted by key; tensors are sorted by element size, largest
/// first, then by name.
///
/// # Errors
/// [`SafeTensorError::HeaderTooLarge`] when names and metadata exceed [`MAX_HEADER_BYTES`].
pub fn to_bytes<'t, N: AsRef<str>>(
    tensors: impl IntoIterator<Item = (N, TensorView<'t>)>,
    metadata: &BTreeMap<&str, String>,
) -> Result<Vec<u8>, SafeTensorError> {
    let mut tensors: Vec<(N, TensorView<'t>)> = tensors.into_iter().collect();
    tensors.sort_by(|(a, left), (b, right)| right.dtype().cmp(&left.dtype()).then_with(|| a.as_ref().cmp(b.as_ref())));
    let mut header = format!("{{\"__metadata__\":{}", serde_json::to_string(metadata)?);
    let mut end = 0;
    for (name, tensor) in &tensors {
        let start = end;
        end += tensor.data().len();
        let info = json!({ "dtype": tensor.dtype(), "shape": tensor.shape(), "data_offsets": [start, end] });
        // Writing into a string cannot fail.
        let _ = write!(header, ",{}:{info}", serde_json::to_string(name.as_ref())?);
    }
    header.push('}');
    let padded = header.len().next_multiple_of(ALIGNMENT);
    if padded > MAX_HEADER_BYTES {
        return Err(SafeTensorError::HeaderTooLarge);
    }
    let mut bytes = Vec::with_capacity(size_of::<u64>() + padded + end);
    bytes.extend((padded as u64).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.resize(size_of::<u64>() + padded, b' ');
    tensors.iter().for_each(|(_, tensor)| bytes.extend(tensor.data()));
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use safetensors::{Dtype, SafeTensors};

    #[test]
    fn the_library_reads_what_was_written_in_one_order() {
        let (floats, flags) = ([1.5f32, -2.0, 3.0].map(f32::to_le_bytes).concat(), [1u8, 0, 1]);
        let names = ["b", "a \"quoted\"", "c"];
        let metadata: BTreeMap<&str, String> =
            ["step", "config", "format", "batches"].into_iter().map(|key| (key, format!("{key} \"\n"))).collect();
        let written = |order: [usize; 3]| {
            let view = |at: usize| {
                let (dtype, bytes) = if at == 1 { (Dtype::BOOL, &flags[..]) } else { (Dtype::F32, &floats[..]) };
                (names[at], TensorView::new(dtype, vec![3], bytes).unwrap())
            };
            to_bytes(order.map(view), &metadata).unwrap()
        };
        let bytes = written([0, 1, 2]);
        assert_eq!(bytes, written([2, 0, 1]));
        let header = String::from_utf8_lossy(&bytes[8..]).into_owned();
        let places = ["\"batches\"", "\"config\"", "\"format\"", "\"step\""].map(|key| header.find(key).unwrap());
        assert!(places.is_sorted(), "{header}");
        let (_, info) = SafeTensors::read_metadata(&bytes).unwrap();
        let read = info.metadata().as_ref().unwrap();
        assert!(read.len() == 4 && metadata.iter().all(|(key, value)| read[*key] == *value), "{read:?}");
        let tensors = SafeTensors::deserialize(&bytes).unwrap();
        assert_eq!(tensors.names().len(), 3);
        assert_eq!(tensors.tensor("b").unwrap().data(), floats);
        assert_eq!(tensors.tensor("a \"quoted\"").unwrap().data(), flags);
        let none: [(&str, TensorView<'_>); 0] = [];
        assert!(SafeTensors::deserialize(&to_bytes(none, &BTreeMap::new()).unwrap()).unwrap().is_empty());
        let long = BTreeMap::from([("text", "x".repeat(MAX_HEADER_BYTES))]);
        assert!(matches!(to_bytes([("b", tensors.tensor("b").unwrap())], &long), Err(SafeTensorError::HeaderTooLarge)));
    }
}
