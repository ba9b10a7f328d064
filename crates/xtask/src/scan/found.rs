//! What a walk over tokens finds.

use super::Import;

/// All that was found, each in the order of the text.
#[derive(Debug, Default, Clone)]
pub struct Scanned {
    /// Functions with a body.
    pub functions: Vec<Function>,
    /// Paths, those of called functions and macros among them.
    pub paths: Vec<PathUse>,
    /// Calls of methods.
    pub methods: Vec<MethodCall>,
    /// Calls of macros.
    pub macros: Vec<MacroCall>,
    /// Texts.
    pub texts: Vec<Text>,
    /// Imports inside functions and inline modules, and those of the file itself if they were in the tokens.
    pub imports: Vec<Import>,
    /// Names bound by `let`, each with the text of what is bound.
    pub bindings: Vec<(String, String)>,
    /// Lines of `async` functions, blocks and closures.
    pub asyncs: Vec<usize>,
}

/// A function with a body.
#[derive(Debug, Clone)]
pub struct Function {
    /// Its name, after that of the type or trait it belongs to: `Partition::fold`.
    pub name: String,
    /// Line of `fn`.
    pub start: usize,
    /// Line of the closing brace.
    pub end: usize,
}

impl Function {
    /// Lines from `fn` to the closing brace.
    pub fn lines(&self) -> usize {
        self.end + 1 - self.start
    }
}

/// A path: `a::b::C`, or a name alone.
#[derive(Debug, Clone)]
pub struct PathUse {
    /// Its parts; `$crate` as `crate`.
    pub segments: Vec<String>,
    /// Line of the first.
    pub line: usize,
    /// Whether it is called as a function.
    pub called: bool,
    /// Whether it is called as a macro.
    pub is_macro: bool,
    /// The function that it stands in, as a position in [`Scanned::functions`].
    pub function: Option<usize>,
}

/// A call `receiver.name(…)`.
#[derive(Debug, Clone)]
pub struct MethodCall {
    /// The method's name.
    pub name: String,
    /// Its line.
    pub line: usize,
    /// What it is called on, as far as it is one chain of names and calls.
    pub receiver: String,
    /// Whether it takes no argument.
    pub no_arguments: bool,
}

/// A call `name!(…)`.
#[derive(Debug, Clone)]
pub struct MacroCall {
    /// Last part of its path.
    pub name: String,
    /// Its line.
    pub line: usize,
    /// The first argument, if it is a text.
    pub text: Option<String>,
    /// The first argument, if it is a name.
    pub word: Option<String>,
    /// The function that it stands in, as a position in [`Scanned::functions`].
    pub function: Option<usize>,
}

/// A text in quotes.
#[derive(Debug, Clone)]
pub struct Text {
    /// What it says.
    pub value: String,
    /// Its line.
    pub line: usize,
    /// Whether it is part of a `const` or `static`.
    pub constant: bool,
    /// Whether it is the first argument of a call, and of which function or method.
    pub argument_of: Option<String>,
}
