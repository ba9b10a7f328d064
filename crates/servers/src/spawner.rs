//! Starts processes that end with this one.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::{LazyLock, mpsc};

/// A command that runs `binary`; on Linux under `setpriv`, where it is installed: the kernel kills the
/// process when the thread that started it is gone, even if that was killed. `setpriv` becomes the
/// program, so its process id is the program's.
pub fn command(binary: &Path) -> Command {
    let setpriv = if cfg!(target_os = "linux") { on_path("setpriv") } else { None };
    match setpriv {
        Some(setpriv) => {
            let mut command = Command::new(setpriv);
            command.args(["--pdeathsig", "KILL", "--"]).arg(binary);
            command
        }
        None => Command::new(binary),
    }
}

/// Starts it from a thread that lives as long as this process: the caller's may end before.
///
/// # Errors
/// The system's.
pub fn spawn(command: Command) -> io::Result<Child> {
    type Request = (Command, mpsc::SyncSender<io::Result<Child>>);
    static SPAWNER: LazyLock<io::Result<mpsc::Sender<Request>>> = LazyLock::new(|| {
        let (sender, requests) = mpsc::channel::<Request>();
        let work = move || {
            for (mut command, answer) in requests {
                // Nobody else holds the other end, and it waits.
                let _ = answer.send(command.spawn());
            }
        };
        std::thread::Builder::new().name("nearline-servers".into()).spawn(work).map(|_| sender)
    });
    let gone = || io::Error::other("the thread that starts servers is gone");
    let spawner = SPAWNER.as_ref().map_err(|error| io::Error::new(error.kind(), error.to_string()))?;
    let (answer, outcome) = mpsc::sync_channel(1);
    spawner.send((command, answer)).map_err(|_| gone())?;
    outcome.recv().map_err(|_| gone())?
}

/// The program of this name on `PATH`.
pub(super) fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(program)).find(|path| path.is_file())
}
