//! A walk over tokens: functions, paths, calls of methods, macros, texts.
//!
//! Tokens and not a syntax tree, so that what stands inside a macro (`proptest!`, `tokio::select!`, `format!`)
//! is seen, too. What it cannot see: names that a macro makes, and through which trait a method is called.
//! Attributes, and with them doc comments, are passed over.

mod cursor;
mod found;
mod import;

pub use found::{Function, MacroCall, MethodCall, PathUse, Scanned, Text};
pub use import::{Import, flatten};

use cursor::{gather_path, group_after, line_of, owner_of, receiver_before, skip_turbofish};
use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};

/// Walks over tokens.
pub fn scan(tokens: TokenStream) -> Scanned {
    let mut scanner = Scanner::default();
    scanner.level(&tokens.into_iter().collect::<Vec<_>>(), None);
    scanner.found
}

#[derive(Default)]
struct Scanner {
    found: Scanned,
    owner: Option<String>,
    function: Option<usize>,
    constant: bool,
}

impl Scanner {
    /// Tokens between one pair of brackets; `argument_of` names the function whose arguments they are.
    fn level(&mut self, tokens: &[TokenTree], argument_of: Option<&str>) {
        let mut at = 0;
        while at < tokens.len() {
            at = match &tokens[at] {
                TokenTree::Punct(punct) if punct.as_char() == '#' => after_attribute(tokens, at),
                TokenTree::Punct(punct) if punct.as_char() == '\'' => at + 2,
                TokenTree::Punct(punct) if punct.as_char() == '$' => self.metavariable(tokens, at),
                TokenTree::Punct(_) => at + 1,
                TokenTree::Literal(literal) => {
                    self.literal(literal, argument_of.filter(|_| at == 0));
                    at + 1
                }
                TokenTree::Group(group) => {
                    self.level(&group.stream().into_iter().collect::<Vec<_>>(), None);
                    at + 1
                }
                TokenTree::Ident(word) => self.word(&word.to_string(), tokens, at),
            };
        }
    }

    /// `$crate::path` is a path of this crate; other `$name`s are no names.
    fn metavariable(&mut self, tokens: &[TokenTree], at: usize) -> usize {
        match tokens.get(at + 1) {
            Some(TokenTree::Ident(word)) if word == "crate" => at + 1,
            Some(TokenTree::Ident(_)) => at + 2,
            _ => at + 1,
        }
    }

    fn literal(&mut self, literal: &proc_macro2::Literal, argument_of: Option<&str>) {
        if let syn::Lit::Str(text) = syn::Lit::new(literal.clone()) {
            self.found.texts.push(Text {
                value: text.value(),
                line: literal.span().start().line,
                constant: self.constant,
                argument_of: argument_of.map(str::to_owned),
            });
        }
    }

    fn word(&mut self, word: &str, tokens: &[TokenTree], at: usize) -> usize {
        match word {
            "fn" => self.function(tokens, at),
            "impl" | "trait" => self.block_of_type(tokens, at),
            "use" => self.import(tokens, at),
            "const" | "static" => self.constant(tokens, at),
            "let" => self.binding(tokens, at),
            "async" => {
                self.found.asyncs.push(line_of(&tokens[at]));
                at + 1
            }
            "crate" | "self" | "super" | "Self" => self.path(tokens, at),
            _ if is_keyword(word) => at + 1,
            _ => self.path(tokens, at),
        }
    }

    fn function(&mut self, tokens: &[TokenTree], at: usize) -> usize {
        let Some(TokenTree::Ident(name)) = tokens.get(at + 1) else { return at + 1 };
        let Some((body, group)) = group_after(tokens, at + 2) else { return at + 2 };
        let name = match &self.owner {
            Some(owner) => format!("{owner}::{name}"),
            None => name.to_string(),
        };
        let (start, end) = (line_of(&tokens[at]), group.span_close().end().line);
        self.found.functions.push(Function { name, start, end });
        let outside = (self.function.replace(self.found.functions.len() - 1), self.owner.take());
        self.level(&tokens[at + 2..body], None);
        self.level(&group.stream().into_iter().collect::<Vec<_>>(), None);
        (self.function, self.owner) = outside;
        body + 1
    }

    /// The block of an `impl` or `trait`; `impl Trait` as a type is passed over.
    fn block_of_type(&mut self, tokens: &[TokenTree], at: usize) -> usize {
        let Some((body, group)) = group_after(tokens, at + 1) else { return at + 1 };
        let Some(owner) = owner_of(&tokens[at + 1..body]) else { return at + 1 };
        let outside = self.owner.replace(owner);
        self.level(&tokens[at + 1..body], None);
        self.level(&group.stream().into_iter().collect::<Vec<_>>(), None);
        self.owner = outside;
        body + 1
    }

    fn import(&mut self, tokens: &[TokenTree], at: usize) -> usize {
        let is_end = |token: &TokenTree| matches!(token, TokenTree::Punct(punct) if punct.as_char() == ';');
        let Some(end) = tokens[at..].iter().position(is_end).map(|length| at + length) else { return at + 1 };
        let statement: TokenStream = tokens[at..=end].iter().cloned().collect();
        // `use<'a>` of a bound is no import.
        let Ok(item) = syn::parse2::<syn::ItemUse>(statement) else { return at + 1 };
        flatten(&item.tree, &mut Vec::new(), false, line_of(&tokens[at]), &mut self.found.imports);
        end + 1
    }

    /// `const NAME: Type = …;`, but no `const fn`, no `*const T`, no `const` block.
    fn constant(&mut self, tokens: &[TokenTree], at: usize) -> usize {
        let mut name = at + 1;
        if matches!(tokens.get(name), Some(TokenTree::Ident(word)) if word == "mut") {
            name += 1;
        }
        let is = |at: usize, sign: char| matches!(tokens.get(at), Some(TokenTree::Punct(punct)) if punct.as_char() == sign);
        if !matches!(tokens.get(name), Some(TokenTree::Ident(_))) || !is(name + 1, ':') {
            return at + 1;
        }
        let Some(end) = (name..tokens.len()).find(|&at| is(at, ';')) else { return at + 1 };
        let outside = std::mem::replace(&mut self.constant, true);
        self.level(&tokens[name + 1..end], None);
        self.constant = outside;
        end
    }

    /// Notes what a name is bound to; the tokens themselves are walked over afterwards.
    fn binding(&mut self, tokens: &[TokenTree], at: usize) -> usize {
        let is =
            |at: usize, sign: char| matches!(&tokens[at], TokenTree::Punct(punct) if punct.as_char() == sign);
        let Some(sign) = (at + 1..tokens.len()).find(|&at| is(at, '=') || is(at, ';')) else { return at + 1 };
        if is(sign, '=') {
            let conditional = at > 0
                && matches!(&tokens[at - 1], TokenTree::Ident(word) if word == "if" || word == "while");
            let is_block = |at: usize| matches!(&tokens[at], TokenTree::Group(group) if group.delimiter() == Delimiter::Brace);
            let is_end = |&at: &usize| is(at, ';') || conditional && is_block(at);
            let end = (sign..tokens.len()).find(is_end).unwrap_or(tokens.len());
            let text = |part: &[TokenTree]| part.iter().cloned().collect::<TokenStream>().to_string();
            self.found.bindings.push((text(&tokens[at + 1..sign]), text(&tokens[sign + 1..end])));
        }
        at + 1
    }

    fn path(&mut self, tokens: &[TokenTree], at: usize) -> usize {
        if cursor::is_after_dot(tokens, at) {
            return self.method(tokens, at);
        }
        let (segments, end) = gather_path(tokens, at);
        let line = line_of(&tokens[at]);
        let called_at = skip_turbofish(tokens, end);
        let arguments = match tokens.get(called_at) {
            Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Parenthesis => Some(group),
            _ => None,
        };
        let is_macro = matches!(
            (tokens.get(end), tokens.get(end + 1)),
            (Some(TokenTree::Punct(punct)), Some(TokenTree::Group(_)))
                if punct.as_char() == '!' && punct.spacing() == Spacing::Alone
        );
        if is_macro && let Some(TokenTree::Group(group)) = tokens.get(end + 1) {
            self.macro_call(&segments, line, group.stream());
        }
        let name = segments.last().cloned().unwrap_or_default();
        let called = arguments.is_some();
        self.found.paths.push(PathUse { segments, line, called, is_macro, function: self.function });
        match arguments {
            Some(group) => {
                self.level(&tokens[end..called_at], None);
                self.level(&group.stream().into_iter().collect::<Vec<_>>(), Some(&name));
                called_at + 1
            }
            None => end,
        }
    }

    fn method(&mut self, tokens: &[TokenTree], at: usize) -> usize {
        let called_at = skip_turbofish(tokens, at + 1);
        let Some(TokenTree::Group(group)) = tokens.get(called_at) else { return at + 1 };
        if group.delimiter() != Delimiter::Parenthesis {
            return at + 1;
        }
        let name = tokens[at].to_string();
        self.found.methods.push(MethodCall {
            line: line_of(&tokens[at]),
            receiver: receiver_before(tokens, at),
            no_arguments: group.stream().is_empty(),
            name: name.clone(),
        });
        self.level(&tokens[at + 1..called_at], None);
        self.level(&group.stream().into_iter().collect::<Vec<_>>(), Some(&name));
        called_at + 1
    }

    fn macro_call(&mut self, segments: &[String], line: usize, arguments: TokenStream) {
        let (mut text, mut word) = (None, None);
        match arguments.into_iter().next() {
            Some(TokenTree::Literal(literal)) => {
                if let syn::Lit::Str(value) = syn::Lit::new(literal) {
                    text = Some(value.value());
                }
            }
            Some(TokenTree::Ident(ident)) => word = Some(ident.to_string()),
            _ => {}
        }
        let name = segments.last().cloned().unwrap_or_default();
        self.found.macros.push(MacroCall { name, line, text, word, function: self.function });
    }
}

/// Past `#[…]` or `#![…]`.
fn after_attribute(tokens: &[TokenTree], at: usize) -> usize {
    let bang = matches!(tokens.get(at + 1), Some(TokenTree::Punct(punct)) if punct.as_char() == '!');
    let group = at + 1 + usize::from(bang);
    match tokens.get(group) {
        Some(TokenTree::Group(brackets)) if brackets.delimiter() == Delimiter::Bracket => group + 1,
        _ => at + 1,
    }
}

fn is_keyword(word: &str) -> bool {
    const KEYWORDS: &str = " as await break const continue dyn else enum extern false for if in loop match mod \
        move mut pub ref return struct true type union unsafe where while yield ";
    KEYWORDS.contains(&format!(" {word} "))
}
