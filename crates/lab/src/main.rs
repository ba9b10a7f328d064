//! The `nearline-lab` program: everything is in [`nearline_lab::cli`].

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    nearline_lab::cli::main()
}
