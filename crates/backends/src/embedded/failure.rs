//! Failures of the file system and of the embedded databases, as the ports know them.

use nearline_ports::PortError;
use std::fmt::Display;
use std::io::ErrorKind;

/// What can be done, said with every damage.
pub(super) const ADVICE: &str = "nothing was changed; restore the directory from a copy, or let `nearline repair` save \
    what is left into a new one: it says what is gone";

/// The device failed.
const EIO: i32 = 5;

/// The file system said no.
pub(super) fn unavailable(what: &str, error: &dyn Display) -> PortError {
    PortError::Unavailable { what: what.into(), detail: error.to_string() }
}

/// Stored data is not what was written.
pub(super) fn damaged(what: &str, detail: impl Into<String>) -> PortError {
    PortError::Damaged { what: what.into(), detail: detail.into() }
}

/// Whether the database takes no more writes after this: it ends with the first that fails.
pub(super) fn takes_no_more(error: &fjall::Error) -> bool {
    match error {
        fjall::Error::Poisoned => true,
        fjall::Error::Io(error) | fjall::Error::Storage(fjall::LsmError::Io(error)) => {
            matches!(
                error.kind(),
                ErrorKind::StorageFull
                    | ErrorKind::QuotaExceeded
                    | ErrorKind::FileTooLarge
                    | ErrorKind::ReadOnlyFilesystem
            ) || error.raw_os_error() == Some(EIO)
        }
        _ => false,
    }
}

/// What an error of the database at `what` means.
pub(super) fn storage(what: &str, error: fjall::Error) -> PortError {
    match error {
        fjall::Error::Io(error) | fjall::Error::Storage(fjall::LsmError::Io(error)) => match error.kind() {
            // A file that is not there, cut off, or not what it was.
            ErrorKind::NotFound | ErrorKind::UnexpectedEof | ErrorKind::InvalidData => {
                damaged(what, format!("{error}; {ADVICE}"))
            }
            _ => unavailable(what, &error),
        },
        fjall::Error::Poisoned => unavailable(
            what,
            &"an earlier write failed and nothing is written any more; check the disk; `nearline serve` opens it anew once it takes writes, other programs are to be started again",
        ),
        fjall::Error::Locked => {
            PortError::Misconfigured(format!("{what} is open already; stop the process that has it"))
        }
        error => damaged(what, format!("{error:?}; {ADVICE}")),
    }
}

/// Runs what may take long off the caller's thread.
pub(super) async fn blocking<T: Send + 'static>(
    what: &str,
    work: impl FnOnce() -> Result<T, PortError> + Send + 'static,
) -> Result<T, PortError> {
    let (answer, outcome) = tokio::sync::oneshot::channel();
    // One type for all kinds of work: what tokio has for a task is compiled once.
    let work: Box<dyn FnOnce() + Send> = Box::new(move || drop(answer.send(work())));
    match tokio::task::spawn_blocking(work).await {
        Ok(()) => outcome.await.unwrap_or_else(|error| Err(unavailable(what, &error))),
        Err(error) => Err(unavailable(what, &error)),
    }
}
