//! The files that make the page an app: the manifest for installation, and the service worker that caches the page for
//! offline use.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash as _, Hasher as _};
use std::path::Path;

use serde_json::json;

use crate::bundle;
use crate::icons::{ICONS, png};
use crate::root;

/// A hash that identifies a build by its parts.
pub fn version(parts: &[&str]) -> String {
    let mut hasher = DefaultHasher::new();
    parts.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

/// Writes the manifest with the icons, and the service worker that caches `files` and the page itself.
pub fn write(out: &Path, version: &str, icon: &str, files: &[&str]) -> Result<(), String> {
    let mut icons = vec![json!({ "src": icon, "sizes": "any", "type": "image/svg+xml", "purpose": "any" })];
    let svg = bundle::read(&out.join(icon))?;
    for icon in &ICONS {
        let purpose = if icon.maskable { "maskable" } else { "any" };
        let name = bundle::write_hashed(&png(&svg, icon)?, out, &format!("icon-{purpose}-{}", icon.size), "png")?;
        let sizes = format!("{0}x{0}", icon.size);
        icons.push(json!({ "src": name, "sizes": sizes, "type": "image/png", "purpose": purpose }));
    }
    let manifest = json!({
        "name": "Glasshead",
        "short_name": "Glasshead",
        "description": "Train a Transformer language model in this browser, and look into every attention head.",
        "id": "./",
        "start_url": "./",
        "scope": "./",
        "display": "standalone",
        "background_color": "#15181c",
        "theme_color": "#15181c",
        "icons": icons,
    });
    bundle::write(&out.join("manifest.webmanifest"), format!("{manifest:#}\n").as_bytes())?;
    let script = script(&bundle::read(&root().join("www/sw.js"))?, version, files);
    bundle::write(&out.join("sw.js"), script.as_bytes())
}

/// The service worker's script with its version and files filled in.
fn script(template: &str, version: &str, files: &[&str]) -> String {
    let all: Vec<String> = ["", "manifest.webmanifest"].iter().chain(files).map(|file| format!("./{file}")).collect();
    template.replace("[\"FILES\"]", &json!(all).to_string()).replace("BUILD", version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_service_worker_knows_its_build() {
        let (one, other) = (version(&["a", "b"]), version(&["a", "c"]));
        assert_ne!(one, other);
        let script = script(include_str!("../../www/sw.js"), &one, &["boot-1.js", "glasshead-2.wasm"]);
        assert!(script.contains(&format!("const VERSION = \"{one}\";")));
        let files = "const FILES = [\"./\",\"./manifest.webmanifest\",\"./boot-1.js\",\"./glasshead-2.wasm\"];";
        assert!(script.contains(files), "{script}");
    }
}
