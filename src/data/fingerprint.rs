//! Fingerprints of texts.

use std::hash::Hasher as _;
use std::io::{self, Read};

use fnv::FnvHasher;

/// Computes the fingerprint of a text from its parts: FNV-1a, the same on every machine.
#[derive(Default)]
pub struct Fingerprint(FnvHasher);

impl Fingerprint {
    /// Adds the next part of the text.
    pub fn add(&mut self, part: &[u8]) {
        self.0.write(part);
    }

    /// 16 hexadecimal digits.
    pub fn finish(self) -> String {
        format!("{:016x}", self.0.finish())
    }
}

/// The fingerprint of a whole text.
pub fn fingerprint(text: &str) -> String {
    let mut fingerprint = Fingerprint::default();
    fingerprint.add(text.as_bytes());
    fingerprint.finish()
}

/// Computes the fingerprint of everything that is read through it.
pub(super) struct FingerprintReader<'r, R> {
    pub reader: &'r mut R,
    pub fingerprint: Fingerprint,
}

impl<R: Read> Read for FingerprintReader<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.reader.read(buffer)?;
        self.fingerprint.add(&buffer[..n]);
        Ok(n)
    }
}
