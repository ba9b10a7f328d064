//! What a `use` brings.

/// One name that a `use` brings, or all of them.
#[derive(Debug, Clone)]
pub struct Import {
    /// The name here; none for `*`.
    pub name: Option<String>,
    /// What it stands for.
    pub path: Vec<String>,
    /// Whether it is `pub` in some way: handed on.
    pub exported: bool,
    /// Its line.
    pub line: usize,
}

/// The single imports of a tree in braces.
pub fn flatten(
    tree: &syn::UseTree,
    path: &mut Vec<String>,
    exported: bool,
    line: usize,
    into: &mut Vec<Import>,
) {
    let mut add = |name: Option<String>, path: Vec<String>| into.push(Import { name, path, exported, line });
    match tree {
        syn::UseTree::Path(part) => {
            path.push(part.ident.to_string());
            flatten(&part.tree, path, exported, line, into);
            path.pop();
        }
        syn::UseTree::Name(name) if name.ident == "self" => add(path.last().cloned(), path.clone()),
        syn::UseTree::Name(name) => add(Some(name.ident.to_string()), with(path, name.ident.to_string())),
        syn::UseTree::Rename(rename) if rename.ident == "self" => {
            add(Some(rename.rename.to_string()), path.clone());
        }
        syn::UseTree::Rename(rename) => {
            add(Some(rename.rename.to_string()), with(path, rename.ident.to_string()));
        }
        syn::UseTree::Glob(_) => add(None, path.clone()),
        syn::UseTree::Group(group) => {
            for tree in &group.items {
                flatten(tree, path, exported, line, into);
            }
        }
    }
}

fn with(path: &[String], last: String) -> Vec<String> {
    path.iter().cloned().chain(std::iter::once(last)).collect()
}
