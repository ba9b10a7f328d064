//! The `nearline` program: everything is in [`nearline::cli`].

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    take_small_pages();
    nearline::cli::main()
}

/// Takes memory by the page of 4 KiB. Of huge ones, the kernel clears 2 MiB at each first touch, and keeps all while a part
/// is in use: a tenth more CPU time, and a third more memory, for a stream of events.
fn take_small_pages() {
    #[cfg(target_os = "linux")]
    // Where that is refused it is as fast as it may be.
    let _refused = rustix::thread::disable_transparent_huge_pages(true);
}
