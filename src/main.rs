//! The `nearline` program: everything is in [`nearline::cli`].

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    nearline::cli::main()
}
