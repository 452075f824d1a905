//! Masking of personal data: e-mail addresses, phone numbers and IP addresses are replaced by fixed strings.
//!
//! Each kind is found by a scanner that looks at whole runs of characters, so that parts of longer numbers, versions and
//! domain names are never taken for it.

use serde::{Deserialize, Serialize};

mod emails;
mod ips;
mod phones;

/// Replaces an e-mail address.
pub const EMAIL: &str = "|||EMAIL_ADDRESS|||";
/// Replaces a phone number.
pub const PHONE: &str = "|||PHONE_NUMBER|||";
/// Replaces an IP address.
pub const IP: &str = "|||IP_ADDRESS|||";

/// What is masked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Masking {
    /// Whether the stage runs.
    pub enabled: bool,
    /// Mask e-mail addresses.
    pub emails: bool,
    /// Mask phone numbers.
    pub phones: bool,
    /// Mask IPv4 addresses.
    pub ips: bool,
    /// Mask IPv6 addresses too.
    pub ipv6: bool,
}

impl Default for Masking {
    fn default() -> Self {
        Self { enabled: true, emails: true, phones: true, ips: true, ipv6: false }
    }
}

/// The number of replacements by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Masked {
    /// E-mail addresses.
    pub emails: u64,
    /// Phone numbers.
    pub phones: u64,
    /// IP addresses.
    pub ips: u64,
}

impl Masked {
    /// All replacements.
    pub fn total(&self) -> u64 {
        self.emails + self.phones + self.ips
    }
}

/// Replaces e-mail addresses, and counts them.
pub fn mask_emails(text: &str) -> (String, u64) {
    replace(text, &emails::find(text), EMAIL)
}

/// Replaces phone numbers, and counts them.
pub fn mask_phones(text: &str) -> (String, u64) {
    replace(text, &phones::find(text), PHONE)
}

/// Replaces IPv4 addresses, with `ipv6` also IPv6 addresses, and counts them.
pub fn mask_ips(text: &str, ipv6: bool) -> (String, u64) {
    replace(text, &ips::find(text, ipv6), IP)
}

/// Masks everything that the settings name. Addresses go first, because their digits may look like phone numbers.
pub fn mask(text: &str, masking: &Masking) -> (String, Masked) {
    let mut masked = Masked::default();
    let mut text = text.to_string();
    if masking.emails {
        (text, masked.emails) = mask_emails(&text);
    }
    if masking.ips {
        (text, masked.ips) = mask_ips(&text, masking.ipv6);
    }
    if masking.phones {
        (text, masked.phones) = mask_phones(&text);
    }
    (text, masked)
}

fn replace(text: &str, ranges: &[(usize, usize)], with: &str) -> (String, u64) {
    let (mut out, mut at) = (String::with_capacity(text.len()), 0);
    for &(start, end) in ranges {
        out.push_str(&text[at..start]);
        out.push_str(with);
        at = end;
    }
    out.push_str(&text[at..]);
    (out, ranges.len() as u64)
}
