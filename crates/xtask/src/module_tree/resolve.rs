//! What a path means: through imports and re-exports to the file in which the thing is defined.

use super::ModuleTree;
use crate::scan::Import;

/// Steps through imports at most: more than any chain of re-exports, less than a circle of them.
const MAX_STEPS: usize = 32;

/// What a path leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// A module, by its position.
    Module(usize),
    /// Something in a file, by the file's position.
    File(usize),
}

impl ModuleTree {
    /// What `path` means in a module; nothing if it is another crate's or a local name.
    pub fn resolve(&self, module: usize, path: &[String]) -> Option<Target> {
        self.resolve_within(module, path, MAX_STEPS)
    }

    fn resolve_within(&self, module: usize, path: &[String], steps: usize) -> Option<Target> {
        let steps = steps.checked_sub(1)?;
        let (first, rest) = path.split_first()?;
        let mut at = match first.as_str() {
            "crate" => Target::Module(0),
            "self" => Target::Module(module),
            "super" => Target::Module(self.modules[module].parent?),
            name => self.named(module, name, rest.is_empty(), steps)?,
        };
        for (index, name) in rest.iter().enumerate() {
            let Target::Module(inside) = at else { break };
            at = match name.as_str() {
                "super" => Target::Module(self.modules[inside].parent?),
                "self" => at,
                // What a macro makes has no name here; it stands in the module's file.
                name => self
                    .named(inside, name, index + 1 == rest.len(), steps)
                    .unwrap_or(Target::File(self.modules[inside].file)),
            };
        }
        Some(at)
    }

    /// What a name means in a module. A module and a function may share a name: as the last part of a path the function
    /// is meant, before others the module.
    fn named(&self, module: usize, name: &str, is_last: bool, steps: usize) -> Option<Target> {
        let here = &self.modules[module];
        let child = here.children.get(name).map(|child| Target::Module(*child));
        let item = here.items.get(name).map(|file| Target::File(*file));
        let found = if is_last { item.or_else(|| self.imported(module, name, steps)) } else { None };
        let found = match (found, child) {
            (Some(Target::File(file)), _) => Some(Target::File(file)),
            (_, Some(child)) => Some(child),
            (other, None) => other,
        };
        found
            .or(item)
            .or_else(|| self.imported(module, name, steps))
            .or_else(|| self.through_all(module, name, steps))
    }

    fn imported(&self, module: usize, name: &str, steps: usize) -> Option<Target> {
        let imports = self.modules[module].imports.iter();
        imports
            .filter(|import| import.name.as_deref() == Some(name))
            .filter(|import| !self.leads_to_itself(module, import, name))
            .find_map(|import| self.resolve_within(module, &import.path, steps))
    }

    /// Looks through what `use …::*` brings.
    fn through_all(&self, module: usize, name: &str, steps: usize) -> Option<Target> {
        let steps = steps.checked_sub(1)?;
        let imports = self.modules[module].imports.iter().filter(|import| import.name.is_none());
        imports
            .filter(|import| !self.leads_to_itself(module, import, name))
            .filter_map(|import| self.resolve_within(module, &import.path, steps))
            .find_map(|target| match target {
                Target::Module(inside) if inside != module => self.named(inside, name, true, steps),
                _ => None,
            })
    }

    /// Whether the path of an import begins with the very name that is looked for, as in `use serde;`.
    fn leads_to_itself(&self, module: usize, import: &Import, name: &str) -> bool {
        let begins = import.path.first().is_none_or(|first| first == name);
        begins && !self.modules[module].children.contains_key(name)
    }
}
