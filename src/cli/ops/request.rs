//! Decodes a request and reports every possible problem before anything is computed.

use std::borrow::Cow;
use std::path::PathBuf;
use std::str::Utf8Error;

use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensorError, SafeTensors};
use serde_json::{Map, Value};
use thiserror::Error;

use crate::align::AlignError;
use crate::config::ConfigError;
use crate::data::DataError;
use crate::gpu::backend::ExecuteError;
use crate::interop::InteropError;
use crate::tensor_file::MAX_HEADER_BYTES;
use crate::train::trainer::TrainError;

/// The reason why a request fails.
#[derive(Debug, Error)]
pub enum OpError {
    /// The blob is not valid safetensors.
    #[error("the message is no safetensors blob: {0}")]
    Format(#[from] SafeTensorError),
    /// The header is longer than safetensors allows.
    #[error(
        "the header of the request has {bytes} bytes, and safetensors allows {MAX_HEADER_BYTES}; send a long text as a U8 \
         tensor named text instead of in args"
    )]
    RequestHeader {
        /// The header's length.
        bytes: u64,
    },
    /// The names of an answer's tensors do not fit into the header.
    #[error(
        "the names of the answer's {tensors} tensors take more than the {MAX_HEADER_BYTES} bytes that safetensors allows \
         for a header; ask for fewer tensors"
    )]
    AnswerHeader {
        /// The number of tensors.
        tensors: usize,
    },
    /// The operation is unknown.
    #[error("op is {op:?}; it has to be one of {known}")]
    Unknown {
        /// The requested operation.
        op: String,
        /// All operations.
        known: String,
    },
    /// A tensor or argument is missing or invalid.
    #[error("{field} is {found}; it has to be {expected}")]
    Field {
        /// The tensor or argument.
        field: String,
        /// The received value.
        found: String,
        /// The expected value.
        expected: String,
    },
    /// A result is too large.
    #[error("{what} would take {needed}; the most is {most}; send smaller tensors")]
    TooLarge {
        /// The buffer or dispatch.
        what: String,
        /// The required size.
        needed: String,
        /// The limit.
        most: String,
    },
    /// The sizes are not a valid model configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The device failed.
    #[error(transparent)]
    Execute(#[from] ExecuteError),
    /// A model's tensors or configuration are unsupported.
    #[error(transparent)]
    Model(#[from] InteropError),
    /// A step cannot be computed.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// A text or vocabulary is invalid.
    #[error(transparent)]
    Data(#[from] DataError),
    /// Alignment data or settings are invalid.
    #[error(transparent)]
    Align(#[from] AlignError),
    /// Files cannot be deduplicated.
    #[error(transparent)]
    Files(#[from] glasshead_filter::files::FilesError),
    /// A file is no classifier.
    #[error(transparent)]
    Classifier(#[from] glasshead_filter::classify::ClassifierError),
    /// A file cannot be read or written.
    #[error("path {path}: {source}")]
    File {
        /// The path.
        path: PathBuf,
        /// The system's error message.
        source: std::io::Error,
    },
}

/// The error for a tensor or argument.
pub(super) fn wrong<T>(
    field: impl Into<String>,
    found: impl Into<String>,
    expected: impl Into<String>,
) -> Result<T, OpError> {
    Err(OpError::Field { field: field.into(), found: found.into(), expected: expected.into() })
}

/// The number of elements of a tensor with this shape.
pub(super) fn elements(what: &str, shape: &[usize]) -> Result<usize, OpError> {
    const MAX: usize = 1 << 30; // 4 GiB of f32
    let len = shape.iter().try_fold(1usize, |product, &size| product.checked_mul(size));
    len.filter(|&len| len <= MAX).ok_or_else(|| OpError::TooLarge {
        what: what.into(),
        needed: format!("a tensor of shape {shape:?}"),
        most: format!("{MAX} elements"),
    })
}

/// A tensor of floating-point numbers.
#[derive(Clone, Debug)]
pub(super) struct Floats {
    pub(super) name: String,
    pub(super) shape: Vec<usize>,
    pub(super) values: Vec<f32>,
}

/// A tensor of integers.
#[derive(Clone, Debug)]
pub(super) struct Ints {
    pub(super) name: String,
    pub(super) shape: Vec<usize>,
    pub(super) values: Vec<i64>,
}

impl Floats {
    /// The last N dimensions, and the product of the leading dimensions.
    pub(super) fn last<const N: usize>(&self, letters: &str) -> Result<(usize, [usize; N]), OpError> {
        let split = self.shape.len().checked_sub(N).map(|at| self.shape.split_at(at));
        match split.map(|(leading, last)| (leading, <[usize; N]>::try_from(last))) {
            Some((leading, Ok(last))) => Ok((leading.iter().product(), last)),
            _ => wrong(&self.name, format!("of shape {:?}", self.shape), format!("of shape {letters}")),
        }
    }

    /// All dimensions; there must be N.
    pub(super) fn dims<const N: usize>(&self, letters: &str) -> Result<[usize; N], OpError> {
        self.last(letters).and_then(|(_, dims)| self.expect(&dims).map(|()| dims))
    }

    /// Rejects any other shape.
    pub(super) fn expect(&self, shape: &[usize]) -> Result<(), OpError> {
        if self.shape == shape {
            return Ok(());
        }
        wrong(&self.name, format!("of shape {:?}", self.shape), format!("of shape {shape:?}"))
    }
}

impl Ints {
    /// The values as ids, all of which must be below `bound`.
    pub(super) fn below(&self, bound: usize) -> Result<Vec<u32>, OpError> {
        let most =
            bound.checked_sub(1).map_or("left out, because there is none".into(), |most| format!("from 0 to {most}"));
        let id = |(at, &id): (usize, &i64)| match u32::try_from(id) {
            Ok(id) if (id as usize) < bound => Ok(id),
            _ => wrong(format!("element {at} of {}", self.name), id.to_string(), most.clone()),
        };
        self.values.iter().enumerate().map(id).collect()
    }

    /// Rejects any other shape.
    pub(super) fn expect(&self, shape: &[usize]) -> Result<(), OpError> {
        if self.shape == shape {
            return Ok(());
        }
        wrong(&self.name, format!("of shape {:?}", self.shape), format!("of shape {shape:?}"))
    }
}

/// Broadcasts `values` from shape `from` to shape `to`, as in NumPy.
pub(super) fn broadcast<T: Copy>(name: &str, values: &[T], from: &[usize], to: &[usize]) -> Result<Vec<T>, OpError> {
    let skipped = to.len().checked_sub(from.len());
    let fits = |skipped: usize| from.iter().zip(&to[skipped..]).all(|(&from, &to)| from == to || from == 1);
    let Some(skipped) = skipped.filter(|&skipped| fits(skipped)) else {
        return wrong(name, format!("of shape {from:?}"), format!("of shape {to:?} or one that broadcasts to it"));
    };
    let len = elements(name, to)?;
    let source = |index: usize| {
        let (mut rest, mut at, mut stride) = (index, 0, 1);
        for (axis, &size) in to.iter().enumerate().rev() {
            if axis >= skipped {
                let own = from[axis - skipped];
                at += if own == 1 { 0 } else { rest % size * stride };
                stride *= own;
            }
            rest /= size;
        }
        at
    };
    Ok((0..len).map(|index| values[source(index)]).collect())
}

/// A decoded request.
pub(super) struct Request<'a> {
    pub(super) op: String,
    args: Map<String, Value>,
    pub(super) tensors: SafeTensors<'a>,
    frame: &'a [u8],
}

impl<'a> Request<'a> {
    pub(super) fn parse(frame: &'a [u8]) -> Result<Self, OpError> {
        if let Some(bytes) = frame.first_chunk().map(|length| u64::from_le_bytes(*length))
            && bytes > MAX_HEADER_BYTES as u64
            && bytes < frame.len() as u64
        {
            return Err(OpError::RequestHeader { bytes });
        }
        let (_, header) = SafeTensors::read_metadata(frame)?;
        let metadata = header.metadata().clone().unwrap_or_default();
        let Some(op) = metadata.get("op") else { return wrong("op", "missing", "the name of an operation") };
        // JSON, or the bare name, which is easier to write by hand.
        let op = serde_json::from_str(op).unwrap_or_else(|_| op.clone());
        let args = match metadata.get("args") {
            None => Map::new(),
            Some(json) => match serde_json::from_str(json) {
                Ok(Value::Object(args)) => args,
                Ok(_) => return wrong("args", "not an object", "a JSON object"),
                Err(error) => return wrong("args", format!("not JSON ({error})"), "a JSON object"),
            },
        };
        Ok(Self { op, args, tensors: SafeTensors::deserialize(frame)?, frame })
    }

    /// All tensors as a safetensors blob.
    pub(super) fn blob(&self) -> &'a [u8] {
        self.frame
    }

    fn view(&self, name: &str, expected: &str) -> Result<TensorView<'a>, OpError> {
        self.tensors.tensor(name).or_else(|_| wrong(format!("tensor {name}"), "missing", expected))
    }

    /// Whether the request contains an optional tensor.
    pub(super) fn has(&self, name: &str) -> bool {
        self.tensors.tensor(name).is_ok()
    }

    /// The bytes and shape of a tensor of one type, without dimensions of size 0.
    fn typed(&self, name: &str, dtype: Dtype) -> Result<(&'a [u8], Vec<usize>), OpError> {
        let expected = format!("a tensor of type {dtype:?}");
        let view = self.view(name, &expected)?;
        if view.dtype() != dtype {
            return wrong(name, format!("of type {:?}", view.dtype()), format!("of type {dtype:?}"));
        }
        if view.shape().contains(&0) {
            return wrong(name, format!("of shape {:?}", view.shape()), "at least 1 long in every dimension");
        }
        Ok((view.data(), view.shape().to_vec()))
    }

    /// An F32 tensor.
    pub(super) fn floats(&self, name: &str) -> Result<Floats, OpError> {
        let (bytes, shape) = self.typed(name, Dtype::F32)?;
        Ok(Floats { name: name.into(), shape, values: bytemuck::pod_collect_to_vec(bytes) })
    }

    /// An I64 tensor.
    pub(super) fn ints(&self, name: &str) -> Result<Ints, OpError> {
        let (bytes, shape) = self.typed(name, Dtype::I64)?;
        Ok(Ints { name: name.into(), shape, values: bytemuck::pod_collect_to_vec(bytes) })
    }

    /// A BOOL tensor as values 0 and 1, and its shape.
    pub(super) fn flags(&self, name: &str) -> Result<(Vec<u32>, Vec<usize>), OpError> {
        let (bytes, shape) = self.typed(name, Dtype::BOOL)?;
        Ok((bytes.iter().map(|&byte| u32::from(byte != 0)).collect(), shape))
    }

    /// A tensor of any integer type.
    pub(super) fn any_ints(&self, name: &str) -> Result<Ints, OpError> {
        let view = self.view(name, "a tensor of whole numbers")?;
        let bytes = view.data();
        let values: Vec<i64> = match view.dtype() {
            Dtype::U8 => bytes.iter().map(|&byte| byte.into()).collect(),
            Dtype::I8 => bytes.iter().map(|&byte| (byte as i8).into()).collect(),
            Dtype::U16 => widened::<u16>(bytes),
            Dtype::I16 => widened::<i16>(bytes),
            Dtype::U32 => widened::<u32>(bytes),
            Dtype::I32 => widened::<i32>(bytes),
            Dtype::I64 => widened::<i64>(bytes),
            Dtype::U64 => {
                let words: Vec<u64> = bytemuck::pod_collect_to_vec(bytes);
                let word = |&word: &u64| {
                    i64::try_from(word).or_else(|_| wrong(name, format!("{word} somewhere"), "less than 2^63"))
                };
                words.iter().map(word).collect::<Result<_, _>>()?
            }
            other => return wrong(name, format!("of type {other:?}"), "of a type of whole numbers"),
        };
        Ok(Ints { name: name.into(), shape: view.shape().to_vec(), values })
    }

    /// Any argument; null if missing.
    pub(super) fn arg(&self, name: &str) -> &Value {
        self.args.get(name).unwrap_or(&Value::Null)
    }

    fn parsed<T>(&self, name: &str, expected: &str, parse: impl Fn(&'_ Value) -> Option<T>) -> Result<T, OpError> {
        let value = self.arg(name);
        let found = if value.is_null() { "missing".into() } else { value.to_string() };
        parse(value).map_or_else(|| wrong(format!("argument {name}"), found, expected), Ok)
    }

    /// A finite number for which `ok` is true.
    pub(super) fn number(&self, name: &str, expected: &str, ok: impl Fn(f64) -> bool) -> Result<f64, OpError> {
        self.parsed(name, expected, |value| value.as_f64().filter(|&x| x.is_finite() && ok(x)))
    }

    /// A number for which `ok` is true and that fits into f32.
    pub(super) fn single(&self, name: &str, expected: &str, ok: impl Fn(f64) -> bool) -> Result<f32, OpError> {
        let value = self.number(name, expected, ok)?;
        if (value as f32).is_finite() {
            return Ok(value as f32);
        }
        wrong(format!("argument {name}"), value.to_string(), "between -3.4e38 and 3.4e38, which f32 can hold")
    }

    /// An integer, at least 0.
    pub(super) fn count(&self, name: &str) -> Result<u64, OpError> {
        self.parsed(name, "a whole number from 0 on", Value::as_u64)
    }

    /// An integer, at least 1.
    pub(super) fn size(&self, name: &str) -> Result<usize, OpError> {
        let size = |value: &Value| value.as_u64().filter(|&n| n > 0).and_then(|n| usize::try_from(n).ok());
        self.parsed(name, "a whole number from 1 on", size)
    }

    /// Any integer.
    pub(super) fn int(&self, name: &str) -> Result<i64, OpError> {
        self.parsed(name, "a whole number", Value::as_i64)
    }

    /// A boolean.
    pub(super) fn flag(&self, name: &str) -> Result<bool, OpError> {
        self.parsed(name, "true or false", Value::as_bool)
    }

    /// A string.
    pub(super) fn text(&self, name: &str) -> Result<String, OpError> {
        self.parsed(name, "a string", |value| value.as_str().map(str::to_string))
    }

    /// A text: the argument with this name, or a U8 tensor, for texts of any length.
    pub(super) fn long_text(&self, name: &str) -> Result<Cow<'a, str>, OpError> {
        if !self.has(name) {
            return self.text(name).map(Cow::Owned);
        }
        if !self.arg(name).is_null() {
            return wrong(format!("argument {name}"), "sent twice", "either in args or a U8 tensor");
        }
        let view = self.view(name, "a U8 tensor")?;
        if view.dtype() != Dtype::U8 {
            return wrong(format!("tensor {name}"), format!("of type {:?}", view.dtype()), "of type U8");
        }
        let not_utf8 = |error: Utf8Error| {
            wrong(format!("byte {} of tensor {name}", error.valid_up_to()), "not UTF-8", "part of a text in UTF-8")
        };
        std::str::from_utf8(view.data()).map(Cow::Borrowed).or_else(not_utf8)
    }

    /// A list.
    pub(super) fn list(&self, name: &str, expected: &str) -> Result<Vec<Value>, OpError> {
        self.parsed(name, expected, |value| value.as_array().cloned())
    }

    /// An object.
    pub(super) fn object(&self, name: &str, expected: &str) -> Result<Map<String, Value>, OpError> {
        self.parsed(name, expected, |value| value.as_object().cloned())
    }
}

fn widened<T: bytemuck::Pod + Into<i64>>(bytes: &[u8]) -> Vec<i64> {
    bytemuck::pod_collect_to_vec::<u8, T>(bytes).into_iter().map(Into::into).collect()
}
