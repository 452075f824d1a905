//! A document on its way through the filters.

/// The maximum length of a document in bytes; longer ones are skipped and counted.
pub const MAX_DOCUMENT_BYTES: usize = 8 << 20;

/// What a source delivers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// The address of a page, or the name of a file; may be empty.
    pub url: String,
    /// The content.
    pub content: Content,
}

/// The content of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// A web page.
    Html {
        /// As transferred.
        bytes: Vec<u8>,
        /// The encoding that the server declared.
        charset: Option<String>,
    },
    /// Text that was extracted before.
    Text(String),
}

impl Document {
    /// A document of plain text.
    pub fn text(url: impl Into<String>, text: impl Into<String>) -> Self {
        Self { url: url.into(), content: Content::Text(text.into()) }
    }

    /// A web page.
    pub fn html(url: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        Self { url: url.into(), content: Content::Html { bytes: bytes.into(), charset: None } }
    }

    /// The number of bytes of the content.
    pub fn n_bytes(&self) -> usize {
        match &self.content {
            Content::Html { bytes, .. } => bytes.len(),
            Content::Text(text) => text.len(),
        }
    }
}
