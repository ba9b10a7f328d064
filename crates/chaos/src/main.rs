//! The `nearline-chaos` program: everything is in [`nearline_chaos::cli`].

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    nearline_chaos::cli::main()
}
