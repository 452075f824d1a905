//! `glasshead data generate`: dirty pages around the built-in stories.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use clap::Args;
use flate2::Compression;
use flate2::write::GzEncoder;
use glasshead_filter::generate::{DirtyPages, Mix, Page};

use crate::cli::in_file;
use crate::data::StoryGenerator;

#[derive(Args)]
pub(in crate::cli) struct GenerateArgs {
    /// The file: .jsonl with pages, labels and texts, or .warc.gz with pages only.
    #[arg(long)]
    out: PathBuf,
    /// The size of the pages in megabytes.
    #[arg(long, default_value_t = 10.0)]
    megabytes: f64,
    /// Equal seeds give equal pages.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Also write the labels and texts without pages to this .jsonl file, in the same order.
    #[arg(long)]
    labels: Option<PathBuf>,
}

pub(super) fn generate(args: GenerateArgs) -> Result<(), String> {
    let mut stories = StoryGenerator::new(args.seed);
    let pages = DirtyPages::new(args.seed, Mix::default(), move || stories.next_story());
    let create =
        |path: &PathBuf| File::create(path).map(|file| BufWriter::with_capacity(1 << 20, file)).map_err(in_file(path));
    let mut out = create(&args.out)?;
    let mut labels = args.labels.as_ref().map(|path| create(path).map(|out| (path, out))).transpose()?;
    let archive = args.out.to_string_lossy().contains(".warc");
    let (mut n_bytes, mut n_pages) = (0usize, 0usize);
    for page in pages {
        if n_bytes as f64 >= args.megabytes * 1e6 {
            break;
        }
        n_bytes += page.html.len();
        n_pages += 1;
        let written = if archive { write_record(&mut out, &page) } else { write_row(&mut out, &page) };
        written.map_err(in_file(&args.out))?;
        if let Some((path, labels)) = &mut labels {
            write_row(labels, &Page { html: String::new(), ..page }).map_err(in_file(path))?;
        }
    }
    out.flush().map_err(in_file(&args.out))?;
    if let Some((path, labels)) = &mut labels {
        labels.flush().map_err(in_file(path))?;
    }
    say!("{n_pages} pages, {:.1} MB", n_bytes as f64 / 1e6);
    Ok(())
}

fn write_row(out: &mut impl Write, page: &Page) -> io::Result<()> {
    serde_json::to_writer(&mut *out, page)?;
    out.write_all(b"\n")
}

/// Writes a page as a member of a compressed archive.
fn write_record(out: &mut impl Write, page: &Page) -> io::Result<()> {
    let response = format!("HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n\r\n{}", page.html);
    let mut member = GzEncoder::new(out, Compression::default());
    write!(
        member,
        "WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: {}\r\nContent-Type: application/http; msgtype=response\r\n\
         Content-Length: {}\r\n\r\n{response}\r\n\r\n",
        page.url,
        response.len(),
    )?;
    member.finish().map(drop)
}
