use std::io::{self, BufReader, Read};

use super::*;
use crate::model::{Bytes, Delay};

const NAMES: &str = r#"{"a": 0, "b": 1, "c": 2}"#;
const MATRIX: &str = "0 1 2\n3 0 4\n5 6 0\n";

fn read(matrix: &str, metadata: &str, wanted: &[&str]) -> Result<Vec<DelayRow>, FileError> {
    let wanted: Vec<NodeName> = wanted.iter().map(|name| NodeName::from(*name)).collect();
    read_rows(matrix.as_bytes(), metadata, &wanted)
}

#[track_caller]
fn check<T: std::fmt::Debug>(read: Result<T, FileError>, expected: &str) {
    assert_eq!(read.unwrap_err().within("file"), expected);
}

#[track_caller]
fn check_matrix(text: &str, expected: &str) {
    check(MatrixRows::read(text.as_bytes(), &[0]), expected);
}

#[test]
fn a_row_is_the_larger_of_both_directions() {
    let rows = read(MATRIX, NAMES, &["a", "c", "elsewhere"]).unwrap();
    let shown: Vec<String> = rows.iter().map(|row| format!("{} {:?}", row.from, row.to)).collect();
    assert_eq!(
        shown,
        [
            r#"a [(NodeName("b"), 3 ms), (NodeName("c"), 5 ms)]"#,
            r#"c [(NodeName("a"), 5 ms), (NodeName("b"), 6 ms)]"#,
            "elsewhere []",
        ]
    );
}

#[test]
fn every_notation_that_tools_print_is_read() {
    let matrix = "  0 1e-05\t.5 \r\n -0.0 0 5.\n1.5E1 +2 0\n\n  \n";
    let rows = read(matrix, NAMES, &["a", "b"]).unwrap();
    let micros: Vec<Vec<u32>> =
        rows.iter().map(|row| row.to.iter().map(|(_, delay)| delay.as_micros()).collect()).collect();
    assert_eq!(micros, [[1, 15_000], [1, 5_000]]);
}

#[test]
fn rows_without_a_name_are_of_no_interest() {
    let rows = read(MATRIX, r#"{"c": 2, "a": 0}"#, &["a"]).unwrap();
    assert_eq!(rows[0].to, [("c".into(), Delay::from_micros(5_000).unwrap())]);
}

#[test]
fn a_malformed_matrix_is_refused_with_line_and_column() {
    check_matrix("0 1\n1 abc\n", r#"file:2:3: "abc" is not a number of milliseconds"#);
    check_matrix("0 1\n  nan 0\n", r#"file:2:3: "nan" is not a number of milliseconds"#);
    check_matrix("0 inf\n1 0\n", r#"file:1:3: "inf" is not a number of milliseconds"#);
    check_matrix("0 -\n1 0\n", r#"file:1:3: "-" is not a number of milliseconds"#);
    check_matrix("0 1.2.3\n1 0\n", r#"file:1:3: "1.2.3" is not a number of milliseconds"#);
    check_matrix("0 -1.5\n1 0\n", r#"file:1:3: "-1.5" is negative"#);
    check_matrix("0 600001\n1 0\n", r#"file:1:3: "600001" is over 600000 ms"#);
    check_matrix("0 1e999\n1 0\n", r#"file:1:3: "1e999" is over 600000 ms"#);
    check_matrix(
        "0,1\n1,0\n",
        r#"file:1:1: "0,1" is not a number of milliseconds; separate the values with spaces"#,
    );
    check_matrix("0 \u{b5}\n", "file:1:3: \"\u{b5}\" is not a number of milliseconds");
    check_matrix(
        &format!("0 {}\n", "x".repeat(1000)),
        &format!(r#"file:1:3: "{}" is not a number of milliseconds"#, "x".repeat(40)),
    );
}

#[test]
fn a_matrix_of_another_shape_is_refused() {
    let empty = "file: is empty; it should hold round-trip times in milliseconds, one row a line";
    check_matrix("", empty);
    check_matrix(" \n\n", empty);
    let same = "all rows must have the same number";
    check_matrix(
        "0 1 2\n1 0\n2 1 0\n",
        &format!("file:2:4: the row has 2 values, but the first has 3; {same}"),
    );
    check_matrix("0 1\n1 0  7 8\n", &format!("file:2:6: the row has 4 values, but the first has 2; {same}"));
    check_matrix(" 0 1\n  1 0 7\n", &format!("file:2:7: the row has 3 values, but the first has 2; {same}"));
    check_matrix("0 1\n", "file:1:1: the matrix ends after 1 of 2 rows; it must be square");
    check_matrix("0 1 2\n1 0 1\n\n", "file:2:1: the matrix ends after 2 of 3 rows; it must be square");
    check_matrix("0\n1\n", "file:2:1: row 2 is more than the 1 columns of the matrix; it must be square");
    let blank = "the line is blank; only the end of the matrix may have blank lines";
    check_matrix("0 1\n\n \n1 0\n", &format!("file:2:1: {blank}"));
    check_matrix("\n0 1\n1 0\n", &format!("file:1:1: {blank}"));
}

#[test]
fn a_stream_that_never_ends_a_line_is_refused() {
    let endless = BufReader::new(io::repeat(b' '));
    check(
        MatrixRows::read(endless, &[0]),
        "file:1:16777217: the line is longer than 16777216 bytes; write one row of the matrix a line",
    );
}

#[test]
fn a_matrix_that_cannot_be_read_to_its_end_is_refused() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("disk on fire"))
        }
    }
    let half = BufReader::new("0 1\n".as_bytes().chain(Broken));
    check(MatrixRows::read(half, &[0]), "file: can't be read: disk on fire");
}

#[test]
fn malformed_metadata_is_refused() {
    let check_metadata = |text: &str, expected: &str| check(Metadata::parse(text), expected);
    check_metadata("", "file: is empty; it should hold a JSON object: node name to row index");
    check_metadata("{}", r#"file: names no node; write {"<node name>": <row index>, …}"#);
    check_metadata("[1]", "file:1:1: invalid type: sequence, expected an object: node name to row index");
    check_metadata("{\"a\": 0,\n \"b\"", "file:2:4: EOF while parsing an object");
    check_metadata("{\"a\": 0} {}", "file:1:10: trailing characters");
    check_metadata("{\"a\": 0,\n\"a\": 1}", "file:2:7: \"a\" is there twice; each node has one row");
    check_metadata(
        "{\"a\": 1,\n\"b\": 1}",
        "file:2:7: \"b\" has row index 1, but so has \"a\"; each node has its own row",
    );
    for value in ["-1", "1.5", "\"0\"", "null", "[]", "1e3"] {
        let Err(error) = Metadata::parse(&format!(r#"{{"a": {value}}}"#)) else { panic!("{value} was read") };
        assert!(error.to_string().contains("is no row index; give a whole number"), "{error}");
    }
}

#[test]
fn metadata_must_match_the_matrix() {
    check(
        read(MATRIX, r#"{"a": 0, "z": 3}"#, &["a"]),
        r#"file: "z" has row index 3, but the matrix has 3 rows; the last is 2"#,
    );
}

#[test]
fn nodes_have_the_memory_given_and_no_other_limit() {
    let text = r#"[{"name": "a", "allocatable_memory": "8Gi", "cloud": true},
                   {"name": "b", "allocatable_memory": 1024, "note": "ignored"}]"#;
    let nodes = parse_nodes(text).unwrap();
    let [a, b] = nodes.as_slice() else { panic!("two nodes, not {}", nodes.len()) };
    assert_eq!((a.name.as_str(), a.allocatable.memory), ("a", Bytes(8 << 30)));
    assert_eq!(a.labels.get("kubernetes.io/role"), Some("cloud"));
    assert_eq!((b.allocatable.memory, b.labels.is_empty()), (Bytes(1024), true));
    assert_eq!((b.allocatable.cpu, b.allowed_pods), (UNLIMITED_CPU, UNLIMITED_PODS));
    let single = parse_nodes(r#"{"name": "c", "allocatable_memory": "1Gi"}"#).unwrap();
    assert_eq!(merge_nodes([nodes, single]).unwrap().len(), 3);
}

#[test]
fn malformed_nodes_are_refused() {
    let check_nodes = |text: &str, expected: &str| check(parse_nodes(text), expected);
    check_nodes(
        " \n",
        r#"file: is empty; it should hold a JSON list of {"name", "allocatable_memory", "cloud"}"#,
    );
    check_nodes("[{\n\"cloud\": true}]", "file:2:14: missing field `name`");
    check_nodes("\"edge-1\"", "file:1:8: invalid type: string \"edge-1\", expected a sequence");
    check_nodes(
        r#"[{"name": "a", "allocatable_memory": "8GB"}]"#,
        "file: node \"a\": allocatable_memory: \"8GB\" is no quantity: it must be a decimal number with a suffix such as m, k, Mi, Gi or e3",
    );
    check_nodes(
        r#"[{"name": "a", "allocatable_memory": "-1Gi"}]"#,
        "file: node \"a\": allocatable_memory: \"-1Gi\" is negative; give an amount such as \"8Gi\"",
    );
    check_nodes(
        r#"[{"name": "", "allocatable_memory": "1Gi"}]"#,
        "file: node \"\": name: is empty; give the node's name",
    );
    check_nodes(
        r#"[{"name": "a", "allocatable_memory": true}]"#,
        "file:1:42: an amount of memory such as \"8Gi\"",
    );
    let twice = || parse_nodes(r#"{"name": "a", "allocatable_memory": "1Gi"}"#).unwrap();
    check(
        merge_nodes([twice(), twice()]),
        r#"file: node "a" is there twice; names must be unique over all files"#,
    );
}

/// xorshift64*: small, and the same on every machine.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % bound
    }
}

#[test]
fn rows_equal_those_of_a_naive_reading() {
    let mut random = Random(0x5eed);
    for _ in 0..300 {
        let size = 1 + usize::try_from(random.below(12)).unwrap();
        let micros: Vec<Vec<u32>> = (0..size)
            .map(|_| (0..size).map(|_| u32::try_from(random.below(600_000)).unwrap()).collect())
            .collect();
        let mut text = String::new();
        for row in &micros {
            for cell in row {
                let millis = f64::from(*cell) / 1000.0;
                match random.below(3) {
                    0 => text += &format!("{millis} "),
                    1 => text += &format!("{millis:.3}\t"),
                    _ => text += &format!("{millis:.18e}  "),
                }
            }
            text.push('\n');
        }
        let wanted: Vec<usize> = (0..size).filter(|_| random.below(2) == 0).collect();
        let rows = MatrixRows::read(text.as_bytes(), &wanted).unwrap();
        assert_eq!(rows.size(), size);
        for i in 0..size {
            let naive: Vec<u32> = (0..size).map(|j| micros[i][j].max(micros[j][i])).collect();
            let read = rows.row(i).map(|row| row.iter().map(|delay| delay.as_micros()).collect::<Vec<_>>());
            assert_eq!(read, wanted.contains(&i).then_some(naive), "row {i} of\n{text}");
        }
    }
}
