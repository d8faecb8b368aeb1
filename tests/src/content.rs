//! The files that the servers serve: the same bytes everywhere, checkable at any offset.

use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::path::Path;

/// Name and length in bytes of each file of pattern bytes.
pub const FILES: &[(&str, u64)] = &[
    ("empty", 0),
    ("1k", 1 << 10),
    ("1m", 1 << 20),
    ("64m", 64 << 20),
];

/// Number of files in `small/`, named `0`, `1`, …
pub const SMALL_FILES: u64 = 100;

/// Number of files in the folder that [`many_files`](crate::servers::many_files) makes.
pub const MANY_FILES: u64 = 10_000;
/// Length of each of them in bytes.
pub const MANY_LENGTH: usize = 4096;

/// Length in bytes of the file `small/{index}`.
pub fn small_length(index: u64) -> u64 {
    100 + index * 10
}

/// The file `text`: lines that compress well, about 100 KB.
pub fn text() -> String {
    (0..2000)
        .map(|line| format!("line {line}: the transfer library for programs\n"))
        .collect()
}

/// Overwrites `out` with the pattern's bytes from `offset` on.
pub fn fill(offset: u64, out: &mut [u8]) {
    let mut at = offset;
    let mut rest = out;
    while !rest.is_empty() {
        let word = word(at / 8);
        let skip = (at % 8) as usize;
        let take = (8 - skip).min(rest.len());
        let (now, later) = rest.split_at_mut(take);
        now.copy_from_slice(&word[skip..skip + take]);
        rest = later;
        at += take as u64;
    }
}

/// The pattern's first `length` bytes.
pub fn bytes(length: usize) -> Vec<u8> {
    let mut out = vec![0; length];
    fill(0, &mut out);
    out
}

/// Where `data` first differs from the pattern from `offset` on.
///
/// # Errors
/// The offset in the pattern of the first wrong byte.
pub fn check(offset: u64, data: &[u8]) -> Result<(), u64> {
    let mut expected = [0; 4096];
    for (index, piece) in data.chunks(expected.len()).enumerate() {
        let start = offset + (index * 4096) as u64;
        let expected = &mut expected[..piece.len()];
        fill(start, expected);
        if let Some(wrong) = piece
            .iter()
            .zip(&*expected)
            .position(|(have, want)| have != want)
        {
            return Err(start + wrong as u64);
        }
    }
    Ok(())
}

/// Whether the file at `path` is exactly the pattern's first `length` bytes.
///
/// # Errors
/// A sentence that says how it differs, or why it cannot be read.
pub fn check_file(path: &Path, length: u64) -> Result<(), String> {
    let fail = |error: io::Error| format!("{}: {error}", path.display());
    let mut file = File::open(path).map_err(fail)?;
    let have = file.metadata().map_err(fail)?.len();
    if have != length {
        return Err(format!(
            "{} has {have} bytes instead of {length}",
            path.display()
        ));
    }
    let mut piece = vec![0; 256 * 1024];
    let mut offset = 0;
    loop {
        let read = file.read(&mut piece).map_err(fail)?;
        if read == 0 {
            return Ok(());
        }
        check(offset, &piece[..read])
            .map_err(|at| format!("{} has a wrong byte at {at}", path.display()))?;
        offset += read as u64;
    }
}

/// Writes the pattern's first `length` bytes to a new file.
///
/// # Errors
/// The file cannot be written.
pub fn write_file(path: &Path, length: u64) -> io::Result<()> {
    let mut out = BufWriter::new(File::create(path)?);
    let mut piece = vec![0; 64 * 1024];
    let mut offset = 0;
    while offset < length {
        let take = (length - offset).min(piece.len() as u64) as usize;
        fill(offset, &mut piece[..take]);
        out.write_all(&piece[..take])?;
        offset += take as u64;
    }
    out.flush()
}

/// Writes all files into `folder`, which then is a server's document root.
///
/// # Errors
/// The folder cannot be written.
pub(crate) fn write_all(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder.join("small"))?;
    for (name, length) in FILES {
        write_file(&folder.join(name), *length)?;
    }
    for index in 0..SMALL_FILES {
        write_file(&folder.join(format!("small/{index}")), small_length(index))?;
    }
    fs::write(folder.join("text"), text())
}

/// Writes [`MANY_FILES`] files of [`MANY_LENGTH`] bytes into `folder`, named `0`, `1`, …;
/// file `index` has the pattern's bytes from `index * MANY_LENGTH` on.
///
/// # Errors
/// The folder cannot be written.
pub(crate) fn write_many(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let mut piece = vec![0; MANY_LENGTH];
    for index in 0..MANY_FILES {
        fill(index * MANY_LENGTH as u64, &mut piece);
        fs::write(folder.join(index.to_string()), &piece)?;
    }
    Ok(())
}

/// Eight bytes of the pattern: SplitMix64 of their index, so that no piece repeats another.
fn word(index: u64) -> [u8; 8] {
    let mut mixed = index.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (mixed ^ (mixed >> 31)).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_piece_is_the_same_wherever_it_is_cut() {
        let whole = bytes(10_000);
        for (from, to) in [(0, 10_000), (1, 9), (7, 8), (8, 4105), (4095, 9_999)] {
            assert_eq!(check(from as u64, &whole[from..to]), Ok(()), "{from}..{to}");
        }
    }

    #[test]
    fn one_wrong_byte_is_found_where_it_is() {
        let mut data = bytes(9_000);
        data[8_191] ^= 1;
        assert_eq!(check(0, &data), Err(8_191));
        assert_eq!(
            check(0, &data[1..]),
            Err(0),
            "shifted by one is wrong from the start"
        );
    }
}
