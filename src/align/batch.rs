//! Rows of tokens with their response mask.

use super::error::AlignError;
use super::responses::Responses;

/// The tokens of a prompt and its response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRow {
    /// The ids of the prompt, then those of the response including its end.
    pub ids: Vec<u32>,
    /// Number of ids of the prompt.
    pub prompt_len: usize,
}

impl TokenRow {
    /// A row from its parts.
    pub fn new(prompt: &[u32], response: &[u32]) -> Self {
        Self { ids: [prompt, response].concat(), prompt_len: prompt.len() }
    }

    /// The ids of the response.
    pub fn response(&self) -> &[u32] {
        self.ids.get(self.prompt_len..).unwrap_or_default()
    }
}

/// Rows side by side, all (B, T) and row-major: position t of the labels is the token that follows position t of the inputs.
/// Every prompt begins at position 0; shorter rows are padded on the right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenBatch {
    /// B.
    pub n_rows: usize,
    /// T.
    pub n_cols: usize,
    /// Input ids.
    pub inputs: Vec<u32>,
    /// The ids to predict.
    pub labels: Vec<u32>,
    /// Whether the label belongs to the response.
    pub mask: Vec<bool>,
}

impl TokenBatch {
    /// As wide as the longest row needs: its tokens minus one, but at least 1.
    pub fn new(rows: &[TokenRow], pad: u32) -> Self {
        let longest = rows.iter().map(|row| row.ids.len()).max().unwrap_or(0);
        let mut batch = Self::empty(rows.len(), longest.saturating_sub(1).max(1), pad);
        rows.iter().enumerate().for_each(|(at, row)| batch.write(at, row));
        batch
    }

    /// With exactly `n_cols` columns, at most the context length.
    ///
    /// # Errors
    /// When a row has more than `n_cols` + 1 tokens.
    pub fn with_width(rows: &[TokenRow], n_cols: usize, pad: u32) -> Result<Self, AlignError> {
        let most = n_cols + 1;
        if let Some((at, row)) = rows.iter().enumerate().find(|(_, row)| row.ids.len() > most) {
            return Err(AlignError::TooLong { row: at + 1, found: row.ids.len(), most });
        }
        let mut batch = Self::empty(rows.len(), n_cols, pad);
        rows.iter().enumerate().for_each(|(at, row)| batch.write(at, row));
        Ok(batch)
    }

    fn empty(n_rows: usize, n_cols: usize, pad: u32) -> Self {
        let len = n_rows * n_cols;
        Self { n_rows, n_cols, inputs: vec![pad; len], labels: vec![pad; len], mask: vec![false; len] }
    }

    /// Writes a row that is at most one token longer than the batch is wide.
    fn write(&mut self, at: usize, row: &TokenRow) {
        let (start, n) = (at * self.n_cols, row.ids.len());
        let inputs = n.min(self.n_cols);
        self.inputs[start..start + inputs].copy_from_slice(&row.ids[..inputs]);
        let n_labels = n.saturating_sub(1);
        self.labels[start..start + n_labels].copy_from_slice(&row.ids[n - n_labels..]);
        // Label t is token t + 1. The first token of a row has no label, even if the prompt is empty.
        let first = row.prompt_len.saturating_sub(1).min(n_labels);
        self.mask[start + first..start + n_labels].fill(true);
    }

    /// The response mask.
    ///
    /// # Errors
    /// When there are no rows.
    pub fn responses(&self) -> Result<Responses<'_>, AlignError> {
        Responses::new(&self.mask, self.n_cols)
    }
}
