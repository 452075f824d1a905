//! Builds an exercise once, both as a recording and as the sheet that the reader sees.

use crate::gpu::backend::{Backend, ExecuteError};
use crate::gpu::context::Context;
use crate::gpu::recording::{Buffers, Recording, Slice};
use crate::ops::attention_scores::MASKED;
use crate::ops::matmul::{Layout, Shape, matmul};
use crate::ops::softmax::{self, softmax};
use crate::ops::{bias, mask};
use crate::types::lesson::{Axis, Made, Matrix, Part, Sheet};

/// Index of a matrix in the sheet.
pub(super) type At = usize;

/// Computes the cells of a shown matrix after everything else has been computed.
type Finish = Box<dyn Fn(&[Matrix]) -> Vec<f32>>;

/// Where the values of a matrix come from.
enum Source {
    /// A slice that the device computes.
    Device(Slice),
    /// Cells of a buffer in any order.
    Cells(Slice, Vec<usize>),
    /// Several buffers, one after the other.
    Stack(Vec<Slice>),
    /// Computed on the host from earlier matrices, by a calculation that no kernel has.
    After(Finish),
}

/// Builder of an exercise.
pub(super) struct Desk {
    buffers: Buffers,
    inputs: Vec<(Slice, Vec<u32>)>,
    /// The dispatches so far.
    pub(super) recording: Recording,
    sources: Vec<Source>,
    sheet: Sheet,
}

impl Default for Desk {
    fn default() -> Self {
        let (buffers, recording) = (Buffers::default(), Recording::new("lesson"));
        Self { buffers, inputs: Vec::new(), recording, sources: Vec::new(), sheet: Sheet::default() }
    }
}

impl Desk {
    /// Adds a buffer with these words.
    pub(super) fn words(&mut self, words: Vec<u32>) -> Slice {
        let slice = self.buffers.add("input", words.len());
        self.inputs.push((slice, words));
        slice
    }

    /// Adds a buffer of zeros.
    pub(super) fn zeros(&mut self, len: usize) -> Slice {
        self.buffers.add("output", len)
    }

    fn add(&mut self, name: &str, [rows, cols]: [usize; 2], axes: [Axis; 2], made: Made, source: Source) -> At {
        let matrix = Matrix { name: name.into(), rows, cols, values: Vec::new(), axes, made };
        self.sheet.matrices.push(matrix);
        self.sources.push(source);
        self.sources.len() - 1
    }

    /// Shows a buffer that has been or will be filled.
    pub(super) fn show(&mut self, name: &str, slice: Slice, shape: [usize; 2], axes: [Axis; 2], made: Made) -> At {
        self.add(name, shape, axes, made, Source::Device(slice))
    }

    /// Shows some cells of a buffer.
    pub(super) fn show_cells(
        &mut self,
        name: &str,
        (slice, cells): (Slice, Vec<usize>),
        shape: [usize; 2],
        axes: [Axis; 2],
        made: Made,
    ) -> At {
        self.add(name, shape, axes, made, Source::Cells(slice, cells))
    }

    /// Shows a matrix that is an input of the exercise.
    pub(super) fn given(&mut self, name: &str, values: &[f32], cols: usize, axes: [Axis; 2], made: Made) -> At {
        let slice = self.words(bytemuck::cast_slice(values).to_vec());
        self.show(name, slice, [values.len() / cols, cols], axes, made)
    }

    /// Shows a matrix with the rows of `like`, computed from others by a calculation that models do not contain.
    pub(super) fn after(
        &mut self,
        name: &str,
        like: At,
        cols: usize,
        made: Made,
        finish: impl Fn(&[Matrix]) -> Vec<f32> + 'static,
    ) -> At {
        let Matrix { rows, axes, cols: before, .. } = &self.sheet.matrices[like];
        let columns = if cols == *before { axes[1].clone() } else { Axis::Numbers };
        let (shape, axes) = ([*rows, cols], [axes[0].clone(), columns]);
        self.computed(name, shape, axes, made, finish)
    }

    /// As [`Desk::after`], with an explicit shape.
    pub(super) fn computed(
        &mut self,
        name: &str,
        shape: [usize; 2],
        axes: [Axis; 2],
        made: Made,
        finish: impl Fn(&[Matrix]) -> Vec<f32> + 'static,
    ) -> At {
        self.add(name, shape, axes, made, Source::After(Box::new(finish)))
    }

    /// Hides the latest matrix.
    pub(super) fn forget_last(&mut self) {
        self.sheet.matrices.pop();
        self.sources.pop();
    }

    /// The buffer of a matrix, for use by kernels.
    ///
    /// # Panics
    /// When the matrix is not a single buffer on the device.
    pub(super) fn slice_of(&self, at: At) -> Slice {
        match &self.sources[at] {
            Source::Device(slice) => *slice,
            Source::Cells(..) | Source::Stack(_) | Source::After(_) => panic!("matrix {at} is not a whole buffer"),
        }
    }

    /// a·b, or a·bᵀ.
    pub(super) fn product(&mut self, name: &str, [a, b]: [At; 2], transposed: bool) -> At {
        let (a_shown, b_shown) = (&self.sheet.matrices[a], &self.sheet.matrices[b]);
        let (m, k) = (a_shown.rows, a_shown.cols);
        let n = if transposed { b_shown.rows } else { b_shown.cols };
        let axes = [a_shown.axes[0].clone(), b_shown.axes[usize::from(!transposed)].clone()];
        let layout = if transposed { Layout::Nt } else { Layout::Nn };
        let y = self.zeros(m * n);
        let bindings = [self.slice_of(a), self.slice_of(b), y];
        matmul(&mut self.recording, layout, bindings, Shape { m, n, k }, None);
        self.show(name, y, [m, n], axes, Made::Product { a, b, transposed })
    }

    /// Copies a buffer: a · 1.
    pub(super) fn copy(&mut self, slice: Slice, [rows, cols]: [usize; 2]) -> Slice {
        let ones = self.words((0..cols * cols).map(|i| f32::from(i % (cols + 1) == 0).to_bits()).collect());
        let copy = self.zeros(rows * cols);
        let shape = Shape { m: rows, n: cols, k: cols };
        matmul(&mut self.recording, Layout::Nn, [slice, ones, copy], shape, None);
        copy
    }

    /// One row of a buffer with this shape, computed by a matmul with a one-hot row.
    pub(super) fn pick(&mut self, slice: Slice, row: usize, [rows, cols]: [usize; 2]) -> Slice {
        let one = self.words((0..rows).map(|i| f32::from(i == row).to_bits()).collect());
        let picked = self.zeros(cols);
        matmul(&mut self.recording, Layout::Nn, [one, slice, picked], Shape { m: 1, n: cols, k: rows }, None);
        picked
    }

    /// Joins two rows of `width` elements to one, [a | b], by matmuls with shifted unit matrices.
    pub(super) fn beside(&mut self, rows: [Slice; 2], width: usize) -> Slice {
        let mut both = None;
        for (i, row) in rows.into_iter().enumerate() {
            let unit = |cell: usize| f32::from(cell % (2 * width) == cell / (2 * width) + i * width).to_bits();
            let shift = self.words((0..2 * width * width).map(unit).collect());
            let (sum, shape) = (self.zeros(2 * width), Shape { m: 1, n: 2 * width, k: width });
            matmul(&mut self.recording, Layout::Nn, [row, shift, sum], shape, both);
            both = Some(sum);
        }
        // There are two rows.
        both.unwrap_or(rows[0])
    }

    /// The index of the next matrix.
    pub(super) fn next(&self) -> At {
        self.sources.len()
    }

    /// Shows buffers of equal length as rows of one matrix.
    pub(super) fn stack(&mut self, name: &str, slices: Vec<Slice>, axes: [Axis; 2], made: Made) -> At {
        let shape = [slices.len(), slices.first().map_or(0, |slice| slice.len)];
        self.add(name, shape, axes, made, Source::Stack(slices))
    }

    /// Copies a matrix, multiplied by `factor`; masked above the diagonal if `causal`.
    pub(super) fn scaled(&mut self, name: &str, of: At, factor: f32, causal: bool) -> At {
        let shown = &self.sheet.matrices[of];
        let ([rows, cols], axes) = ([shown.rows, shown.cols], shown.axes.clone());
        let visible = (0..rows * cols).map(|cell| u32::from(!causal || cell % cols <= cell / cols)).collect();
        // Kernels work in place, and both matrices are shown.
        let copy = self.copy(self.slice_of(of), [rows, cols]);
        let visible = self.words(visible);
        mask::mask(&mut self.recording, [visible, copy], factor, MASKED);
        let made = match causal {
            true => Made::Masked { of, infinite: true },
            false => Made::Scaled { of, factor, shift: 0.0 },
        };
        self.show(name, copy, [rows, cols], axes, made)
    }

    /// Copies a one-row matrix with `shift` added to every element.
    pub(super) fn shifted(&mut self, name: &str, of: At, shift: f32) -> At {
        let moved = self.scaled(name, of, 1.0, false);
        let slice = self.slice_of(moved);
        let shifts = self.words(vec![shift.to_bits(); slice.len]);
        bias::bias(&mut self.recording, [shifts, slice], 1);
        self.sheet.matrices[moved].made = Made::Scaled { of, factor: 1.0, shift };
        moved
    }

    /// Softmax over the rows of a matrix.
    pub(super) fn softmax(&mut self, name: &str, of: At) -> At {
        let hidden = self.scaled("", of, 1.0, false);
        let slice = self.slice_of(hidden);
        self.forget_last();
        let Matrix { rows, cols, axes, .. } = self.sheet.matrices[of].clone();
        softmax(&mut self.recording, slice, softmax::Params { n_rows: rows as u32, n_cols: cols as u32 });
        self.show(name, slice, [rows, cols], axes, Made::Softmax { of, stable: true })
    }

    /// Adds an equation of matrices, given by their indices, and signs.
    pub(super) fn line(&mut self, parts: impl IntoIterator<Item = Part>) {
        self.sheet.lines.push(parts.into_iter().collect());
    }

    /// Runs the recording and fills in the values.
    pub(super) async fn run(mut self, context: Option<&Context>) -> Result<Sheet, ExecuteError> {
        let mut backend = match context {
            Some(context) => Backend::gpu(context, &self.buffers).await?,
            None => Backend::cpu(&self.buffers),
        };
        for (slice, words) in &self.inputs {
            backend.write(*slice, words);
        }
        for dispatch in &self.recording.dispatches {
            let name = dispatch.kernel.name;
            if !self.sheet.kernels.iter().any(|known| known == name) {
                self.sheet.kernels.push(name.into());
            }
        }
        if !self.recording.dispatches.is_empty() {
            let program = backend.prepare(self.recording);
            backend.run(program);
        }
        for (at, source) in self.sources.into_iter().enumerate() {
            let values = match source {
                Source::Device(slice) => backend.read_f32(slice).await?,
                Source::Cells(slice, cells) => {
                    let all = backend.read_f32(slice).await?;
                    cells.into_iter().map(|cell| all[cell]).collect()
                }
                Source::Stack(slices) => {
                    let mut values = Vec::new();
                    for slice in slices {
                        values.extend(backend.read_f32(slice).await?);
                    }
                    values
                }
                Source::After(finish) => finish(&self.sheet.matrices[..at]),
            };
            // The value that stands for −∞ on the device is shown as −∞.
            let infinite = |value: f32| if value == MASKED { f32::NEG_INFINITY } else { value };
            self.sheet.matrices[at].values = values.into_iter().map(infinite).collect();
        }
        Ok(self.sheet)
    }
}

/// A matrix as a part of an equation.
pub(super) fn m(at: At) -> Part {
    Part::Matrix(at)
}

/// A transposed matrix as a part of an equation.
pub(super) fn t(at: At) -> Part {
    Part::Transposed(at)
}

/// A sign as a part of an equation.
pub(super) fn s(sign: &str) -> Part {
    Part::Sign(sign.into())
}
