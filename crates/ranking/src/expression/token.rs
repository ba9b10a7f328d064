//! Text to tokens.

use super::kind::ExpressionError;

/// A token.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    /// A name, `true` and `in` included.
    Name(String),
    Int(i64),
    Double(f64),
    Text(String),
    /// An operator or a bracket.
    Sign(&'static str),
    End,
}

/// Longest first, so that `<=` is not read as `<`.
const SIGNS: [&str; 22] = [
    "&&", "||", "==", "!=", "<=", ">=", "<", ">", "!", "+", "-", "*", "/", "%", "(", ")", "[", "]", ",", ".",
    "?", ":",
];

/// A token and its place: characters from 1.
pub(super) type Placed = (Token, usize);

/// The tokens of `text`, the last of which is [`Token::End`].
pub(super) fn tokens(text: &str) -> Result<Vec<Placed>, ExpressionError> {
    let chars: Vec<char> = text.chars().collect();
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(&c) = chars.get(at) {
        let place = at + 1;
        if c.is_whitespace() {
            at += 1;
        } else if c.is_ascii_alphabetic() || c == '_' {
            let start = at;
            while chars.get(at).is_some_and(|c| c.is_ascii_alphanumeric() || *c == '_') {
                at += 1;
            }
            tokens.push((Token::Name(chars[start..at].iter().collect()), place));
        } else if c.is_ascii_digit() {
            tokens.push((number(&chars, &mut at)?, place));
        } else if c == '\'' || c == '"' {
            tokens.push((Token::Text(quoted(&chars, &mut at)?), place));
        } else if let Some(sign) = SIGNS.iter().find(|sign| starts_with(&chars[at..], sign)) {
            at += sign.len();
            tokens.push((Token::Sign(sign), place));
        } else {
            let hint = match c {
                '=' => "; equality is ==",
                '&' | '|' => "; logical operators are && and ||",
                _ => "",
            };
            return Err(ExpressionError::at(place, format!("{c:?} is no operator{hint}")));
        }
    }
    tokens.push((Token::End, chars.len() + 1));
    Ok(tokens)
}

fn starts_with(chars: &[char], sign: &str) -> bool {
    sign.chars().enumerate().all(|(at, c)| chars.get(at) == Some(&c))
}

fn number(chars: &[char], at: &mut usize) -> Result<Token, ExpressionError> {
    let start = *at;
    let digits = |at: &mut usize| {
        while chars.get(*at).is_some_and(char::is_ascii_digit) {
            *at += 1;
        }
    };
    digits(at);
    let mut is_double = false;
    if chars.get(*at) == Some(&'.') && chars.get(*at + 1).is_some_and(char::is_ascii_digit) {
        is_double = true;
        *at += 1;
        digits(at);
    }
    if matches!(chars.get(*at), Some('e' | 'E')) {
        is_double = true;
        *at += 1;
        if matches!(chars.get(*at), Some('+' | '-')) {
            *at += 1;
        }
        digits(at);
    }
    let text: String = chars[start..*at].iter().collect();
    let wrong = || ExpressionError::at(start + 1, format!("{text} is no number that can be taken"));
    if chars.get(*at).is_some_and(|c| c.is_ascii_alphanumeric() || *c == '_') {
        return Err(wrong());
    }
    if is_double {
        let value: f64 = text.parse().map_err(|_| wrong())?;
        return if value.is_finite() { Ok(Token::Double(value)) } else { Err(wrong()) };
    }
    text.parse().map(Token::Int).map_err(|_| wrong())
}

fn quoted(chars: &[char], at: &mut usize) -> Result<String, ExpressionError> {
    let (start, quote) = (*at, chars[*at]);
    let mut text = String::new();
    *at += 1;
    while let Some(&c) = chars.get(*at) {
        *at += 1;
        if c == quote {
            return Ok(text);
        }
        if c != '\\' {
            text.push(c);
            continue;
        }
        let escaped = match chars.get(*at) {
            Some(c @ ('\\' | '\'' | '"' | '`' | '?')) => *c,
            Some('n') => '\n',
            Some('t') => '\t',
            Some('r') => '\r',
            _ => {
                let detail = "only \\\\ \\' \\\" \\n \\t and \\r are taken after a backslash";
                return Err(ExpressionError::at(*at, detail));
            }
        };
        text.push(escaped);
        *at += 1;
    }
    Err(ExpressionError::at(start + 1, format!("the text that starts here has no closing {quote}")))
}
