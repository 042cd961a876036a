//! The delay matrix, read as a stream.

use std::io::{BufRead, Read};

use super::{FileError, InputFile, Problem};
use crate::model::{Delay, DelayError};

/// The rows of a delay matrix that are in use, each cell the larger of both directions.
///
/// All of the matrix is checked, but what is held is one line and these rows, four bytes a cell: a matrix of
/// 5,000 nodes is 100 MB, its 50 rows in use are one.
#[derive(Debug)]
pub struct MatrixRows {
    size: usize,
    rows: Vec<(usize, Vec<Delay>)>,
}

/// A matrix half read.
struct Reader {
    /// The number of the line that was read last, from 1.
    line: usize,
    /// The first blank line since the last row.
    blank: Option<usize>,
    /// How many rows were read.
    n_rows: usize,
    /// The cells of the row that was read last.
    cells: Vec<Delay>,
    found: MatrixRows,
}

/// No row of use is longer; a stream without line ends must not fill the memory.
const MAX_LINE: usize = 16 << 20;
/// A mistaken cell is quoted up to this many characters.
const MAX_QUOTE: usize = 40;
/// Integers up to here, and powers of ten up to the table's end, are exact as `f64`, so that their quotient
/// is what `str::parse` gives.
const MAX_EXACT: u64 = 1 << f64::MANTISSA_DIGITS;
const POWERS_OF_TEN: [f64; 16] =
    [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];

// === impl MatrixRows ===

impl MatrixRows {
    /// Reads a matrix and keeps the rows at the `wanted` indices that it has.
    pub fn read(mut matrix: impl BufRead, wanted: &[usize]) -> Result<Self, FileError> {
        let mut wanted = wanted.to_vec();
        wanted.sort_unstable();
        wanted.dedup();
        let rows = wanted.into_iter().map(|idx| (idx, Vec::new())).collect();
        let found = Self { size: 0, rows };
        let mut reader = Reader { line: 0, blank: None, n_rows: 0, cells: Vec::new(), found };
        let mut line = Vec::new();
        loop {
            line.clear();
            let limit = u64::try_from(MAX_LINE).unwrap_or(u64::MAX);
            let read = Read::by_ref(&mut matrix).take(limit).read_until(b'\n', &mut line);
            reader.line += 1;
            match read {
                Ok(0) => return reader.finish(),
                Ok(MAX_LINE) => return Err(reader.error(MAX_LINE, Problem::LongLine { limit: MAX_LINE })),
                Ok(_) => reader.take_line(&line)?,
                Err(error) => return Err(FileError::whole(InputFile::Matrix, Problem::Read(error))),
            }
        }
    }

    /// How many rows and columns the matrix has.
    pub fn size(&self) -> usize {
        self.size
    }

    /// The row at `idx`, if it was wanted and the matrix has it.
    pub fn row(&self, idx: usize) -> Option<&[Delay]> {
        let found = self.rows.binary_search_by_key(&idx, |(idx, _)| *idx).ok()?;
        self.rows.get(found).map(|(_, row)| row.as_slice())
    }

    /// The first row of the matrix tells its size.
    fn resize(&mut self, size: usize) {
        self.size = size;
        self.rows.retain(|(idx, _)| *idx < size);
        for (_, row) in &mut self.rows {
            row.resize(size, Delay::ZERO);
        }
    }

    /// Takes what row `from` of the matrix says of the wanted rows: all of it if it is one of them, and its
    /// cell in the column of each.
    fn merge(&mut self, from: usize, cells: &[Delay]) {
        for (idx, row) in &mut self.rows {
            if *idx == from {
                for (known, cell) in row.iter_mut().zip(cells) {
                    *known = (*known).max(*cell);
                }
            } else if let (Some(known), Some(cell)) = (row.get_mut(from), cells.get(*idx)) {
                *known = (*known).max(*cell);
            }
        }
    }
}

// === impl Reader ===

impl Reader {
    fn take_line(&mut self, line: &[u8]) -> Result<(), FileError> {
        if let Err((offset, problem)) = parse_row(line, &mut self.cells) {
            return Err(self.error(offset, problem));
        }
        if self.cells.is_empty() {
            self.blank.get_or_insert(self.line);
            return Ok(());
        }
        if self.n_rows == 0 {
            self.found.resize(self.cells.len());
        }
        self.check_shape(line)?;
        self.found.merge(self.n_rows, &self.cells);
        self.n_rows += 1;
        Ok(())
    }

    /// The row just read must fit below those before it.
    fn check_shape(&self, line: &[u8]) -> Result<(), FileError> {
        let columns = self.found.size;
        // Blank lines before the first row are as suspect as those between rows.
        if let Some(blank) = self.blank {
            return Err(FileError::at(InputFile::Matrix, blank, 1, Problem::BlankRow));
        }
        if self.cells.len() != columns {
            let values = self.cells.len();
            return Err(self.error(offset_of_value(line, columns), Problem::Ragged { values, columns }));
        }
        if self.n_rows == columns {
            return Err(self.error(0, Problem::TooManyRows { columns }));
        }
        Ok(())
    }

    fn finish(self) -> Result<MatrixRows, FileError> {
        let (rows, columns) = (self.n_rows, self.found.size);
        if rows == 0 {
            let expected = "round-trip times in milliseconds, one row a line";
            return Err(FileError::whole(InputFile::Matrix, Problem::Empty { expected }));
        }
        if rows < columns {
            let last_line = self.blank.unwrap_or(self.line) - 1;
            let problem = Problem::TooFewRows { rows, columns };
            return Err(FileError::at(InputFile::Matrix, last_line, 1, problem));
        }
        Ok(self.found)
    }

    fn error(&self, offset: usize, problem: Problem) -> FileError {
        FileError::at(InputFile::Matrix, self.line, offset + 1, problem)
    }
}

/// Reads the cells of one line; where one is wrong, says at which byte it begins.
fn parse_row(line: &[u8], cells: &mut Vec<Delay>) -> Result<(), (usize, Problem)> {
    cells.clear();
    let mut rest = line.trim_ascii_start();
    while !rest.is_empty() {
        let (delay, after) = match parse_plain(rest) {
            Some(parsed) => parsed,
            None => parse_any(rest).map_err(|problem| (line.len() - rest.len(), problem))?,
        };
        cells.push(delay);
        rest = after.trim_ascii_start();
    }
    Ok(())
}

/// Reads digits with at most one point, nearly all that matrices are made of, up to white space. Whatever
/// else stands there, or needs more digits than are exact, is left to [`parse_any`].
fn parse_plain(text: &[u8]) -> Option<(Delay, &[u8])> {
    let mut rest = text;
    let (mut mantissa, mut n_digits, mut n_decimals, mut in_fraction) = (0_u64, 0_u32, 0_usize, false);
    while let [byte, after @ ..] = rest {
        match byte {
            b'0'..=b'9' => {
                mantissa = mantissa.wrapping_mul(10).wrapping_add(u64::from(byte - b'0'));
                n_digits += 1;
                n_decimals += usize::from(in_fraction);
            }
            b'.' if !in_fraction => in_fraction = true,
            _ if byte.is_ascii_whitespace() => break,
            _ => return None,
        }
        rest = after;
    }
    // 18 digits don't overflow.
    if n_digits == 0 || n_digits > 18 {
        return None;
    }
    Some((delay_of(mantissa, n_decimals)?, rest))
}

/// The delay of `mantissa / 10^n_decimals` milliseconds, if it can be had exactly and is one.
fn delay_of(mantissa: u64, n_decimals: usize) -> Option<Delay> {
    let scale = match n_decimals {
        0 => 1000,
        1 => 100,
        2 => 10,
        3 => 1,
        _ if mantissa <= MAX_EXACT => {
            #[expect(clippy::cast_precision_loss, reason = "the range was checked")]
            let millis = mantissa as f64 / POWERS_OF_TEN.get(n_decimals)?;
            return Delay::from_millis_f64(millis).ok();
        }
        _ => return None,
    };
    let micros = mantissa.checked_mul(scale)?;
    Delay::from_micros(u32::try_from(micros).ok()?).ok()
}

/// Reads any number up to white space, or says what is wrong with what stands there.
fn parse_any(text: &[u8]) -> Result<(Delay, &[u8]), Problem> {
    let end = text.iter().position(u8::is_ascii_whitespace).unwrap_or(text.len());
    let (cell, after) = text.split_at_checked(end).unwrap_or((text, &[]));
    let parsed = match std::str::from_utf8(cell).ok().and_then(|cell| cell.parse::<f64>().ok()) {
        // Too large for an `f64` is not the same as the text `inf`.
        Some(f64::INFINITY) if cell.iter().any(u8::is_ascii_digit) => Err(DelayError::TooLarge),
        Some(millis) => Delay::from_millis_f64(millis),
        None => Err(DelayError::NotANumber),
    };
    let quote = || String::from_utf8_lossy(cell).chars().take(MAX_QUOTE).collect();
    parsed.map(|delay| (delay, after)).map_err(|error| Problem::NotADelay { text: quote(), error })
}

/// Where the value at `idx` of a line begins; the line's end, if it has fewer.
fn offset_of_value(line: &[u8], idx: usize) -> usize {
    let starts_value = |(_, pair): &(usize, &[u8])| matches!(pair, [before, at] if before.is_ascii_whitespace() && !at.is_ascii_whitespace());
    let leading = usize::from(line.first().is_some_and(u8::is_ascii_whitespace));
    let mut starts = line.windows(2).enumerate().filter(starts_value).map(|(offset, _)| offset + 1);
    // The first value begins at no change if nothing stands before it.
    starts.nth((idx + leading).saturating_sub(1)).unwrap_or(line.trim_ascii_end().len())
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;
    use crate::random::Random;

    #[test]
    fn the_fast_path_reads_what_the_slow_path_reads() {
        for text in [
            "0",
            "25",
            "0.4",
            "12.345",
            "5.",
            ".5",
            "0.0001",
            "0.30000000000000004",
            "100.00000000001",
            "599999.9999",
            "00.50",
            "1234567890123456789",
            "123456.789012345678901",
            "9007199254740993.5",
        ] {
            let slow = parse_any(text.as_bytes()).map(|(delay, _)| delay).ok();
            if let Some((fast, rest)) = parse_plain(text.as_bytes()) {
                assert_eq!((Some(fast), rest.len()), (slow, 0), "{text}");
            }
        }
    }

    #[test]
    fn rows_equal_those_of_a_naive_reading() {
        let mut random = Random(0x5eed);
        for _ in 0..300 {
            let size = 1 + random.below(12);
            let micros: Vec<Vec<u32>> =
                (0..size).map(|_| (0..size).map(|_| random.below(600_000)).collect()).collect();
            let mut text = String::new();
            for row in &micros {
                for cell in row {
                    let millis = f64::from(*cell) / 1000.0;
                    match random.below(3) {
                        0 => write!(text, "{millis} "),
                        1 => write!(text, "{millis:.3}\t"),
                        _ => write!(text, "{millis:.18e}  "),
                    }
                    .unwrap();
                }
                text.push('\n');
            }
            let wanted: Vec<usize> = (0..size).filter(|_| random.below(2) == 0).collect();
            let rows = MatrixRows::read(text.as_bytes(), &wanted).unwrap();
            assert_eq!(rows.size(), size);
            for (i, row) in micros.iter().enumerate() {
                let naive: Vec<u32> =
                    row.iter().zip(&micros).map(|(there, back)| (*there).max(back[i])).collect();
                let read =
                    rows.row(i).map(|row| row.iter().map(|delay| delay.as_micros()).collect::<Vec<_>>());
                assert_eq!(read, wanted.contains(&i).then_some(naive), "row {i} of\n{text}");
            }
        }
    }
}
