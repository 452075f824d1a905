//! What the page and the worker say to each other about the data to train on.

use serde::{Deserialize, Serialize};

/// What the page asks about data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "data", rename_all = "snake_case")]
pub enum DataCommand {
    /// Take the text of the files' records from another field.
    ChooseField {
        /// One of [`DataEvent::Fields`].
        field: String,
    },
}

/// What the worker tells about data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "data", rename_all = "snake_case")]
pub enum DataEvent {
    /// The fields of the files' records that hold text; none when no file has records. The first is taken unless told
    /// otherwise.
    Fields {
        /// Their names.
        fields: Vec<String>,
    },
}
