//! Animated GIFs, decoded according to the format's definition.

use glasshead_page::draw::colors::ColorMap;
use glasshead_page::draw::gif::{Gif, lzw};
use glasshead_page::draw::heat::ColorScale;
use proptest::prelude::*;

/// Decodes GIF's LZW with eight bits per index.
fn unpacked(bytes: &[u8]) -> Vec<u8> {
    let (mut table, mut out) = (Vec::<Vec<u8>>::new(), Vec::new());
    let (mut width, mut at, mut before) = (9, 0, None::<Vec<u8>>);
    loop {
        let code = (0..width).map(|i| usize::from(bytes[(at + i) / 8] >> ((at + i) % 8) & 1) << i).sum::<usize>();
        at += width;
        match code {
            256 => {
                table = (0..258).map(|i| if i < 256 { vec![i as u8] } else { Vec::new() }).collect();
                (width, before) = (9, None);
            }
            257 => return out,
            _ => {
                let known = table.get(code).cloned();
                let entry = known.unwrap_or_else(|| {
                    let before = before.clone().expect("a first code is known");
                    [&before[..], &before[..1]].concat()
                });
                if let Some(before) = before.filter(|_| table.len() < 4096) {
                    table.push([&before[..], &entry[..1]].concat());
                }
                if table.len() == 1 << width && width < 12 {
                    width += 1;
                }
                out.extend_from_slice(&entry);
                before = Some(entry);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn what_is_packed_comes_out_again(n in 0usize..12_000, kinds in 1u32..256, seed: u32) {
        let mut x = seed | 1;
        let indices: Vec<u8> = (0..n).map(|_| {
            x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            ((x >> 16) % kinds) as u8
        }).collect();
        prop_assert_eq!(unpacked(&lzw(&indices)), indices);
    }
}

#[test]
fn long_runs_pack_small() {
    let indices = vec![7; 300_000];
    let packed = lzw(&indices);
    assert!(packed.len() < 2_000, "{} bytes", packed.len());
    assert_eq!(unpacked(&packed), indices);
}

#[test]
fn a_film_has_its_frames_and_its_colours() {
    let scale = ColorScale::weights(ColorMap::Cividis);
    let mut gif = Gif::new([3, 2], &scale);
    assert_eq!(gif.size(), [3, 2]);
    let [r, g, b] = scale.at(1.0);
    let first = [[r, g, b, 255], [0, 0, 0, 255], [255, 255, 255, 255]].concat().repeat(2);
    gif.push(&first, 20);
    gif.push(&[128; 24], 20);
    let bytes = gif.finish();
    assert!(bytes.starts_with(b"GIF89a\x03\0\x02\0\xf7\0\0") && bytes.ends_with(&[0x3b]));
    let palette = &bytes[13..13 + 768];
    let mut at = 13 + 768 + 19;
    let mut frames = Vec::new();
    while bytes[at] == 0x21 {
        assert_eq!(bytes[at..at + 8], [0x21, 0xf9, 4, 0, 20, 0, 0, 0]);
        at += 8 + 10 + 1;
        let mut packed = Vec::new();
        while bytes[at] > 0 {
            packed.extend_from_slice(&bytes[at + 1..=at + usize::from(bytes[at])]);
            at += 1 + usize::from(bytes[at]);
        }
        at += 1;
        let colors = unpacked(&packed).into_iter().map(|i| palette[3 * usize::from(i)..][..3].to_vec());
        frames.push(colors.collect::<Vec<_>>());
    }
    assert_eq!((at, frames.len()), (bytes.len() - 1, 2));
    assert_eq!(frames[0].concat(), [[r, g, b], [0; 3], [255; 3]].concat().repeat(2));
    let near = frames[1][0].iter().all(|&channel| channel.abs_diff(128) < 4);
    assert!(near && frames[1].len() == 6, "{:?}", frames[1]);
}
