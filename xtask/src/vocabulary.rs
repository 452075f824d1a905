//! GPT-2's vocabulary for the page: the rank file in the crate tiktoken-rs, a dependency of the tests.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::root;

/// The crate that contains the file.
const PACKAGE: &str = "tiktoken-rs";

/// The path of the rank file, which is not in the repository.
pub fn gpt2_ranks() -> Result<PathBuf, String> {
    let output = Command::new("cargo")
        .args(["metadata", "--format-version", "1", "--locked"])
        .current_dir(root())
        .output()
        .map_err(|error| format!("`cargo metadata` cannot be started: {error}"))?;
    if !output.status.success() {
        return Err(format!("`cargo metadata` failed: {}", String::from_utf8_lossy(&output.stderr)));
    }
    let metadata: Value = serde_json::from_slice(&output.stdout).map_err(|error| format!("cargo metadata: {error}"))?;
    let manifest = manifest_of(&metadata, PACKAGE).ok_or(format!("{PACKAGE} is no longer a dependency"))?;
    let folder = Path::new(manifest).parent().unwrap_or(Path::new("."));
    Ok(folder.join("assets/r50k_base.tiktoken"))
}

/// The path of a package's Cargo.toml.
fn manifest_of<'m>(metadata: &'m Value, name: &str) -> Option<&'m str> {
    let packages = metadata["packages"].as_array()?;
    packages.iter().find(|package| package["name"] == name)?["manifest_path"].as_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rank_file_is_found_and_holds_gpt2s_tokens() {
        let ranks = std::fs::read_to_string(gpt2_ranks().unwrap()).unwrap();
        assert_eq!(ranks.lines().count(), 50_256);
        assert!(ranks.lines().next().unwrap().ends_with(" 0"));
    }
}
