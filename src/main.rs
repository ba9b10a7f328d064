//! The `nearline` program: everything is in [`nearline::cli`].

fn main() -> std::process::ExitCode {
    nearline::cli::main()
}
