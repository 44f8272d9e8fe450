//! A temporary file in which the finished parts of a report wait for the end of the run.

use std::io::{self, Read as _, Seek as _, SeekFrom, Write};
use std::ops::Range;

use tempfile::SpooledTempFile;

/// How many octets wait in memory before a file is made.
const IN_MEMORY: usize = 1 << 16;

/// The parts, one after the other.
pub(super) struct Spool {
    file: io::BufWriter<SpooledTempFile>,
    length: u64,
}

impl Spool {
    /// An empty one. A file is made only when there is much to keep.
    pub fn new() -> Self {
        Self { file: io::BufWriter::new(SpooledTempFile::new(IN_MEMORY)), length: 0 }
    }

    /// Keeps a part, and gives back its place, in octets.
    pub fn append(&mut self, part: &[u8]) -> io::Result<Range<u64>> {
        self.file.write_all(part)?;
        let start = self.length;
        self.length += u64::try_from(part.len()).map_err(io::Error::other)?;
        Ok(start..self.length)
    }

    /// Copies a part to `out`. Nothing can be appended after this.
    pub fn copy(&mut self, part: &Range<u64>, out: &mut impl Write) -> io::Result<()> {
        self.file.flush()?;
        let file = self.file.get_mut();
        file.seek(SeekFrom::Start(part.start))?;
        let copied = io::copy(&mut file.take(part.end - part.start), out)?;
        if copied == part.end - part.start { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_come_back_in_any_order() {
        let mut spool = Spool::new();
        let long = vec![b'x'; 2 * IN_MEMORY];
        let parts = [spool.append(b"one").unwrap(), spool.append(&long).unwrap(), spool.append(b"three").unwrap()];
        let mut out = Vec::new();
        for part in parts.iter().rev() {
            spool.copy(part, &mut out).unwrap();
        }
        assert_eq!(out, [b"three", &long[..], b"one"].concat());
    }
}
