//! Small steps over a slice of tokens.

use proc_macro2::{Delimiter, Group, TokenTree};

/// Line at which a token begins.
pub fn line_of(token: &TokenTree) -> usize {
    token.span().start().line
}

fn is_sign(token: Option<&TokenTree>, sign: char) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == sign)
}

/// The next block in braces from `from` on, if no semicolon comes first.
pub fn group_after(tokens: &[TokenTree], from: usize) -> Option<(usize, &Group)> {
    for (at, token) in tokens.iter().enumerate().skip(from) {
        match token {
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => return Some((at, group)),
            TokenTree::Punct(punct) if punct.as_char() == ';' => return None,
            _ => {}
        }
    }
    None
}

/// The parts of the path that begins at `at`, and where it ends. Generic arguments end it.
pub fn gather_path(tokens: &[TokenTree], at: usize) -> (Vec<String>, usize) {
    let mut segments = vec![tokens[at].to_string()];
    let mut end = at + 1;
    while is_sign(tokens.get(end), ':') && is_sign(tokens.get(end + 1), ':') {
        let Some(TokenTree::Ident(next)) = tokens.get(end + 2) else { break };
        segments.push(next.to_string());
        end += 3;
    }
    (segments, end)
}

/// Past `::<…>`, if it stands at `at`.
pub fn skip_turbofish(tokens: &[TokenTree], at: usize) -> usize {
    if !(is_sign(tokens.get(at), ':') && is_sign(tokens.get(at + 1), ':') && is_sign(tokens.get(at + 2), '<'))
    {
        return at;
    }
    end_of_angles(tokens, at + 2).unwrap_or(at)
}

/// Past the `>` that closes the `<` at `at`; the `>` of an arrow closes nothing.
fn end_of_angles(tokens: &[TokenTree], at: usize) -> Option<usize> {
    let mut depth = 0_usize;
    for (here, token) in tokens.iter().enumerate().skip(at) {
        if is_sign(Some(token), '<') {
            depth += 1;
        } else if is_sign(Some(token), '>') && !(here > 0 && is_sign(tokens.get(here - 1), '-')) {
            depth -= 1;
            if depth == 0 {
                return Some(here + 1);
            }
        }
    }
    None
}

/// Whether the word at `at` is a field or method: after one dot, not after the two of a range.
pub fn is_after_dot(tokens: &[TokenTree], at: usize) -> bool {
    let dot = |back: usize| at >= back && is_sign(tokens.get(at - back), '.');
    dot(1) && !dot(2)
}

/// What the method at `at` is called on: the chain of names, calls and indices before its dot.
pub fn receiver_before(tokens: &[TokenTree], at: usize) -> String {
    let belongs = |token: &TokenTree| match token {
        TokenTree::Ident(word) => {
            !matches!(word.to_string().as_str(), "return" | "in" | "match" | "if" | "while")
        }
        TokenTree::Punct(punct) => matches!(punct.as_char(), '.' | ':' | '?'),
        TokenTree::Group(group) => group.delimiter() != Delimiter::Brace,
        TokenTree::Literal(_) => false,
    };
    let start = tokens[..at].iter().rposition(|token| !belongs(token)).map_or(0, |before| before + 1);
    let words: Vec<String> = tokens[start..at - 1].iter().map(ToString::to_string).collect();
    words.concat().trim_start_matches('.').to_owned()
}

/// The type of `impl<…> Trait for Type<…>` or the name of a trait, from the words between `impl` and the block.
pub fn owner_of(words: &[TokenTree]) -> Option<String> {
    let mut at = if is_sign(words.first(), '<') { end_of_angles(words, 0)? } else { 0 };
    let mut depth = 0_usize;
    for (here, token) in words.iter().enumerate().skip(at) {
        match token {
            TokenTree::Punct(punct) if punct.as_char() == '<' => depth += 1,
            TokenTree::Punct(punct) if punct.as_char() == '>' => depth = depth.saturating_sub(1),
            TokenTree::Ident(word) if word == "where" => break,
            TokenTree::Ident(word) if word == "for" && depth == 0 && !is_sign(words.get(here + 1), '<') => {
                at = here + 1;
            }
            _ => {}
        }
    }
    while !matches!(words.get(at)?, TokenTree::Ident(word) if word != "dyn" && word != "mut") {
        at += 1;
    }
    gather_path(words, at).0.pop()
}
