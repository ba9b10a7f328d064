//! What the programs write to a terminal with.

use anyhow::Context;
use std::borrow::Cow;
use std::io::{ErrorKind, Write};

/// Writes `text` to standard output. A reader that has seen enough (`| head`) is no failure.
///
/// # Errors
/// Where standard output cannot be written.
pub fn print_all(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(error).context("standard output cannot be written")
        }
        _ => Ok(()),
    }
}

/// As [`print_all`], for lines of text that others wrote a part of: cleaned.
///
/// # Errors
/// As [`print_all`].
pub fn print_clean(text: &str) -> anyhow::Result<()> {
    print_all(&clean_lines(text))
}

/// As [`print_all`], for JSON: what steers a terminal stands as an escape of JSON, so that it means the same.
///
/// # Errors
/// As [`print_all`].
pub fn print_json(json: &str) -> anyhow::Result<()> {
    print_all(&clean_json(json))
}

fn clean_json(json: &str) -> Cow<'_, str> {
    let is_dangerous = |c| is_control(c) && c != '\n';
    if !json.contains(is_dangerous) {
        return Cow::Borrowed(json);
    }
    let mut cleaned = String::with_capacity(json.len() + 16);
    for c in json.chars() {
        match is_dangerous(c) {
            // Outside of strings JSON has none of them.
            true => {
                let units = c
                    .encode_utf16(&mut [0; 2])
                    .iter()
                    .map(|unit| format!("\\u{unit:04x}"))
                    .collect::<String>();
                cleaned.push_str(&units);
            }
            false => cleaned.push(c),
        }
    }
    Cow::Owned(cleaned)
}

/// `text` as it may go to a terminal: whatever could move the cursor, change colours, titles or the
/// clipboard, or turn the direction of writing, stands as an escape (`\u{1b}`). For all text that others wrote.
pub fn clean(text: &str) -> Cow<'_, str> {
    if !text.contains(is_control) {
        return Cow::Borrowed(text);
    }
    let mut cleaned = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_control(c) {
            cleaned.extend(c.escape_default());
        } else {
            cleaned.push(c);
        }
    }
    Cow::Owned(cleaned)
}

/// As [`clean`], for text of several lines: line ends and tabs stay.
pub fn clean_lines(text: &str) -> Cow<'_, str> {
    let is_dangerous = |c| is_control(c) && !matches!(c, '\n' | '\t');
    if !text.contains(is_dangerous) {
        return Cow::Borrowed(text);
    }
    let clean = |c: char| if is_dangerous(c) { c.escape_default().to_string() } else { c.to_string() };
    Cow::Owned(text.chars().map(clean).collect())
}

/// C0 and C1 controls, what separates lines, what turns the direction of writing, and tags that nobody sees.
fn is_control(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        || matches!(c, '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// `1234567` as `1,234,567`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{clean, clean_json, clean_lines, grouped};

    #[test]
    fn what_steers_a_terminal_is_shown_and_not_done() {
        for plain in ["", "Amélie", "日本 🎬", "a \\ b"] {
            assert_eq!(clean(plain), plain);
        }
        for (dirty, shown) in [
            ("\u{1b}[2J", "\\u{1b}[2J"),
            ("\u{1b}]0;title\u{7}", "\\u{1b}]0;title\\u{7}"),
            ("a\rb\nc\td", "a\\rb\\nc\\td"),
            ("\u{9b}31m", "\\u{9b}31m"),
            ("\u{202e}gpj.exe", "\\u{202e}gpj.exe"),
            ("a\u{7f}\u{0}", "a\\u{7f}\\u{0}"),
        ] {
            assert_eq!(clean(dirty), shown);
        }
        assert_eq!(
            clean_json("{\"a\":\"\u{9b}\u{202e}\u{e0041}é\"}\n"),
            "{\"a\":\"\\u009b\\u202e\\udb40\\udc41é\"}\n"
        );
        assert_eq!(clean_lines("a\tb\n\u{1b}c"), "a\tb\n\\u{1b}c");
    }

    #[test]
    fn numbers_are_grouped_by_thousands() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
    }
}
