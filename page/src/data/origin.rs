//! Where the pages of the Data view come from.

/// Where the pages come from.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Source {
    /// Not chosen yet.
    #[default]
    None,
    /// Pages of the built-in generator.
    Generated {
        /// Equal seeds give equal pages.
        seed: u64,
        /// Their size.
        megabytes: u32,
    },
    /// The user's files.
    Files {
        /// Their names.
        names: Vec<String>,
        /// Their size in bytes.
        bytes: u64,
    },
}

impl Source {
    /// The source in a few words.
    pub fn title(&self) -> String {
        match self {
            Self::None => "No pages yet".into(),
            Self::Generated { seed, .. } => format!("Generated pages · seed {seed}"),
            Self::Files { names, .. } => match names.as_slice() {
                [] => "No pages yet".into(),
                [only] => only.clone(),
                [first, rest @ ..] => format!("{first} and {} more", rest.len()),
            },
        }
    }
}
