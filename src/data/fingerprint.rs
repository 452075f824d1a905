//! Fingerprints of texts.

use std::io::{self, Read};

/// Computes the fingerprint of a text from its parts: FNV-1a, the same on every machine.
pub struct Fingerprint(u64);

impl Default for Fingerprint {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Fingerprint {
    /// Adds the next part of the text.
    pub fn add(&mut self, part: &[u8]) {
        let mix = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        self.0 = part.iter().fold(self.0, mix);
    }

    /// 16 hexadecimal digits.
    pub fn finish(self) -> String {
        format!("{:016x}", self.0)
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
