//! One Rust file: its text, its items, and what a walk over its tokens found.

use crate::XtaskError;
use crate::files::{below, read};
use crate::scan::{Scanned, scan};
use quote::ToTokens;
use std::path::Path;

/// What a file belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Folder {
    /// Part of a library or program.
    Product,
    /// A test, bench or example, or a module that only tests have.
    Test,
    /// Under `src`, but no `mod` leads to it.
    Unreached,
}

/// One Rust file.
pub struct SourceFile {
    /// Path below the root, with slashes.
    pub path: String,
    /// What it belongs to.
    pub folder: Folder,
    /// Its lines.
    pub lines: usize,
    /// Its text.
    pub text: String,
    /// Its items.
    pub syntax: syn::File,
    /// Found in all of it.
    pub all: Scanned,
    /// Found in what is not under `#[cfg(test)]` or `#[test]`.
    pub product: Scanned,
}

impl SourceFile {
    /// Reads and parses a file.
    ///
    /// # Errors
    /// If it cannot be read or is no Rust.
    pub fn read(root: &Path, path: &Path, folder: Folder) -> Result<Self, XtaskError> {
        let text = read(path)?;
        let malformed = |line: usize, error: &dyn std::fmt::Display| XtaskError::Malformed {
            path: path.to_owned(),
            detail: format!("line {line}: {error}"),
        };
        let syntax = syn::parse_file(&text).map_err(|error| malformed(error.span().start().line, &error))?;
        let mut product = syntax.clone();
        remove_tests(&mut product.items);
        Ok(Self {
            path: below(root, path),
            folder,
            lines: text.lines().count(),
            all: scan(syntax.to_token_stream()),
            product: scan(product.into_token_stream()),
            syntax,
            text,
        })
    }

    /// The path as the plan names it: without `crates/`.
    pub fn short(&self) -> &str {
        short(&self.path)
    }

    /// What was found in its part of the product: nothing in a file of the tests.
    pub fn in_product(&self) -> Option<&Scanned> {
        (self.folder == Folder::Product).then_some(&self.product)
    }
}

/// A path as the plan names it: without `crates/`.
pub fn short(path: &str) -> &str {
    path.strip_prefix("crates/").unwrap_or(path)
}

/// Whether attributes say that something is there for tests alone.
pub fn is_test(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let path = attribute.path();
        if path.segments.last().is_some_and(|segment| segment.ident == "test") {
            return true;
        }
        let syn::Meta::List(list) = &attribute.meta else { return false };
        let condition = list.tokens.to_string();
        path.is_ident("cfg") && (condition == "test" || condition.starts_with("all (test"))
    })
}

fn remove_tests(items: &mut Vec<syn::Item>) {
    items.retain(|item| !is_test(attributes(item)));
    for item in items {
        match item {
            syn::Item::Mod(module) => {
                if let Some((_, items)) = &mut module.content {
                    remove_tests(items);
                }
            }
            syn::Item::Impl(block) => block.items.retain(|item| match item {
                syn::ImplItem::Fn(function) => !is_test(&function.attrs),
                syn::ImplItem::Const(constant) => !is_test(&constant.attrs),
                _ => true,
            }),
            _ => {}
        }
    }
}

/// The attributes of an item.
pub fn attributes(item: &syn::Item) -> &[syn::Attribute] {
    match item {
        syn::Item::Const(item) => &item.attrs,
        syn::Item::Enum(item) => &item.attrs,
        syn::Item::ExternCrate(item) => &item.attrs,
        syn::Item::Fn(item) => &item.attrs,
        syn::Item::ForeignMod(item) => &item.attrs,
        syn::Item::Impl(item) => &item.attrs,
        syn::Item::Macro(item) => &item.attrs,
        syn::Item::Mod(item) => &item.attrs,
        syn::Item::Static(item) => &item.attrs,
        syn::Item::Struct(item) => &item.attrs,
        syn::Item::Trait(item) => &item.attrs,
        syn::Item::TraitAlias(item) => &item.attrs,
        syn::Item::Type(item) => &item.attrs,
        syn::Item::Union(item) => &item.attrs,
        syn::Item::Use(item) => &item.attrs,
        _ => &[],
    }
}
