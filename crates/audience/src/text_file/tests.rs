use super::*;
use flate2::{Compression, write::GzEncoder};
use std::io::Write;

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text).expect("compressed");
    encoder.finish().expect("compressed")
}

fn open(bytes: &[u8]) -> anyhow::Result<TextFile> {
    TextFile::read_from(Cursor::new(bytes.to_vec()), "f")
}

fn lines(bytes: &[u8]) -> (Vec<String>, u64) {
    let mut file = open(bytes).expect("opened");
    let mut lines = Vec::new();
    while let Some(line) = file.next_line().expect("read") {
        assert_eq!(line.number, lines.len() as u64 + 1);
        lines.push(line.text.expect("short"));
    }
    (lines, file.latin1_lines())
}

#[test]
fn either_encoding_either_line_end_and_a_byte_order_mark_are_read_as_they_were_meant() {
    for (bytes, expected, latin1) in [
        (&b"a\nb\n"[..], vec!["a", "b"], 0),
        (b"a\r\nb", vec!["a", "b"], 0),
        (b"\xef\xbb\xbfa\n\nb\n", vec!["a", "", "b"], 0),
        ("Amélie\nŻal\n".as_bytes(), vec!["Amélie", "Żal"], 0),
        (b"Am\xe9lie\nCaf\xe9", vec!["Amélie", "Café"], 2),
        // One bad byte does not spoil the rest of a file in UTF-8, and is not replaced either.
        (b"Am\xc3\xa9lie\nCaf\xe9\n", vec!["Amélie", "Café"], 1),
        (b"", vec![], 0),
    ] {
        let expected: Vec<String> = expected.into_iter().map(str::to_owned).collect();
        assert_eq!(lines(bytes), (expected, latin1), "{bytes:?}");
    }
}

#[test]
fn gzip_of_one_member_or_several_is_read_through() {
    let joined = [gzip(b"\xef\xbb\xbfa\nb"), gzip(b"c\n"), gzip(b""), gzip(b"\xef\xbb\xbfd\n")].concat();
    assert_eq!(lines(&joined).0, ["a", "bc", "d"]);
    let end = |bytes: &[u8]| open(bytes).expect("opened").next_line().expect("read").expect("one").end;
    assert_eq!(end(&gzip(b"four\nmore")), 5, "counted as it is decompressed");
}

#[test]
fn a_gzip_file_that_is_cut_off_is_an_error_not_the_end() {
    let whole = gzip("line\n".repeat(100_000).as_bytes());
    let mut file = open(&whole[..whole.len() - 20]).expect("opened");
    let error = loop {
        match file.next_line() {
            Ok(Some(_)) => {}
            Ok(None) => panic!("taken as the end"),
            Err(error) => break error,
        }
    };
    assert!(error.to_string().contains("is the gzip file whole?"), "{error:#}");
}

#[test]
fn what_is_no_text_is_refused_with_what_it_is_and_what_to_do() {
    for (bytes, expected) in [
        (&b"PK\x03\x04zip"[..], "unpack it"),
        (b"PAR1....", "nearline-lab to-jsonl"),
        (b"\x28\xb5\x2f\xfd..", "zstd"),
        (b"\xff\xfe{\0", "UTF-16"),
        (b"{\0\"\0", "UTF-16LE"),
        (&gzip(b"PAR1...."), "Parquet"),
        (&gzip(&gzip(b"x")), "compressed twice"),
    ] {
        let error = open(bytes).err().expect("refused").to_string();
        assert!(error.contains(expected), "{error}");
    }
    let directory = tempfile::tempdir().expect("directory");
    let error = TextFile::open(directory.path()).err().expect("refused").to_string();
    assert!(error.contains("is a directory"), "{error}");
}
