//! Text, tokens and batches. Knows nothing of the GPU.
