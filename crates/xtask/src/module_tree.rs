//! The modules of one crate, the files they stand in, and what a path in one of them means.

mod resolve;

pub use resolve::Target;

use crate::scan::{Import, PathUse, Scanned, flatten, scan};
use crate::source::{SourceFile, attributes, is_test};
use quote::ToTokens;
use std::collections::{BTreeMap, BTreeSet};

/// All modules that a root file leads to.
#[derive(Debug, Default)]
pub struct ModuleTree {
    /// The modules; the root is the first.
    pub modules: Vec<Module>,
}

/// One module: a file, or a block inside one.
#[derive(Debug, Default)]
pub struct Module {
    /// Position of its file among those of the room.
    pub file: usize,
    /// The module it belongs to.
    pub parent: Option<usize>,
    /// Modules that belong to it.
    pub children: BTreeMap<String, usize>,
    /// Names of its items, and the file of each: its own, or for an exported macro that of its definition.
    pub items: BTreeMap<String, usize>,
    /// What it imports.
    pub imports: Vec<Import>,
    /// Paths that it uses.
    pub paths: Vec<PathUse>,
}

/// Positions of the files that some roots lead to.
pub fn reached(files: &[SourceFile], roots: &[String], with_tests: bool) -> BTreeSet<usize> {
    let mut found = BTreeSet::new();
    for root in roots {
        found.extend(ModuleTree::outline(files, root, with_tests).modules.iter().map(|module| module.file));
    }
    found
}

impl ModuleTree {
    /// Reads the tree of the product that begins at a root file; an empty one if there is no such file.
    pub fn read(files: &[SourceFile], root: &str) -> Self {
        Self::begin(Reader { files, with_tests: false, with_paths: true, tree: Self::default() }, root)
    }

    /// The modules alone, without the paths that they use.
    pub fn outline(files: &[SourceFile], root: &str, with_tests: bool) -> Self {
        Self::begin(Reader { files, with_tests, with_paths: false, tree: Self::default() }, root)
    }

    /// The files of a module and of all that it is inside of.
    pub fn files_above(&self, module: usize) -> BTreeSet<usize> {
        let modules = std::iter::successors(Some(module), |at| self.modules[*at].parent);
        modules.map(|at| self.modules[at].file).collect()
    }

    fn begin(mut reader: Reader<'_>, root: &str) -> Self {
        let files = reader.files;
        if let Some(file) = reader.position(root) {
            let folder = parent_of(root);
            reader.tree.modules.push(Module { file, ..Module::default() });
            reader.fill(0, &files[file].syntax.items, &folder);
        }
        reader.tree
    }
}

struct Reader<'a> {
    files: &'a [SourceFile],
    with_tests: bool,
    with_paths: bool,
    tree: ModuleTree,
}

impl Reader<'_> {
    fn position(&self, path: &str) -> Option<usize> {
        self.files.iter().position(|file| file.path == path)
    }

    /// Fills a module from its items; `folder` is where the files of its modules are.
    fn fill(&mut self, module: usize, items: &[syn::Item], folder: &str) {
        for item in items {
            if !self.with_tests && is_test(attributes(item)) {
                continue;
            }
            match item {
                syn::Item::Use(item) => {
                    let exported = !matches!(item.vis, syn::Visibility::Inherited);
                    let line = item.use_token.span.start().line;
                    flatten(
                        &item.tree,
                        &mut Vec::new(),
                        exported,
                        line,
                        &mut self.tree.modules[module].imports,
                    );
                }
                syn::Item::Mod(item) => self.module(module, item, folder),
                item => self.item(module, item),
            }
        }
    }

    fn item(&mut self, module: usize, item: &syn::Item) {
        let file = self.tree.modules[module].file;
        if let syn::Item::Macro(definition) = item
            && let Some(name) = &definition.ident
        {
            let exported = definition.attrs.iter().any(|attribute| attribute.path().is_ident("macro_export"));
            let at = if exported { 0 } else { module };
            self.tree.modules[at].items.insert(name.to_string(), file);
        }
        if let Some(name) = name_of(item) {
            self.tree.modules[module].items.insert(name, file);
        }
        if !self.with_paths {
            return;
        }
        let mut tokens = item.to_token_stream();
        if let syn::Item::Impl(block) = item {
            let mut block = block.clone();
            block
                .items
                .retain(|item| !matches!(item, syn::ImplItem::Fn(function) if is_test(&function.attrs)));
            tokens = block.into_token_stream();
        }
        let Scanned { paths, imports, .. } = scan(tokens);
        let module = &mut self.tree.modules[module];
        module.paths.extend(paths);
        module.imports.extend(imports);
    }

    fn module(&mut self, parent: usize, item: &syn::ItemMod, folder: &str) {
        let name = item.ident.to_string();
        let file_of_parent = self.tree.modules[parent].file;
        let (file, below) = match &item.content {
            Some(_) => (file_of_parent, format!("{folder}/{name}")),
            None => {
                let Some((file, below)) = self.file_of(item, &name, file_of_parent, folder) else { return };
                (file, below)
            }
        };
        let module = self.tree.modules.len();
        self.tree.modules.push(Module { file, parent: Some(parent), ..Module::default() });
        self.tree.modules[parent].children.insert(name, module);
        let files = self.files;
        match &item.content {
            Some((_, items)) => self.fill(module, items, &below),
            None => self.fill(module, &files[file].syntax.items, &below),
        }
    }

    /// The file of `mod name;` and the folder of its own modules.
    fn file_of(
        &self,
        item: &syn::ItemMod,
        name: &str,
        parent: usize,
        folder: &str,
    ) -> Option<(usize, String)> {
        if let Some(path) = path_attribute(&item.attrs) {
            let path = normal(&format!("{}/{path}", parent_of(&self.files[parent].path)));
            return self.position(&path).map(|file| (file, parent_of(&path)));
        }
        let below = format!("{folder}/{name}");
        let file = self.position(&format!("{below}.rs"));
        file.or_else(|| self.position(&format!("{below}/mod.rs"))).map(|file| (file, below))
    }
}

fn parent_of(path: &str) -> String {
    path.rsplit_once('/').map_or(String::new(), |(folder, _)| folder.to_owned())
}

/// A path without `..`.
fn normal(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            ".." => drop(parts.pop()),
            "." | "" => {}
            part => parts.push(part),
        }
    }
    parts.join("/")
}

fn path_attribute(attributes: &[syn::Attribute]) -> Option<String> {
    attributes.iter().find_map(|attribute| {
        let syn::Meta::NameValue(pair) = &attribute.meta else { return None };
        let syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) = &pair.value else { return None };
        pair.path.is_ident("path").then(|| text.value())
    })
}

fn name_of(item: &syn::Item) -> Option<String> {
    let name = match item {
        syn::Item::Const(item) => &item.ident,
        syn::Item::Enum(item) => &item.ident,
        syn::Item::Fn(item) => &item.sig.ident,
        syn::Item::Static(item) => &item.ident,
        syn::Item::Struct(item) => &item.ident,
        syn::Item::Trait(item) => &item.ident,
        syn::Item::Type(item) => &item.ident,
        syn::Item::Union(item) => &item.ident,
        _ => return None,
    };
    Some(name.to_string())
}
