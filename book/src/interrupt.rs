//! What a person or the system sends to end this program: Ctrl-C (SIGINT),
//! SIGTERM, or SIGHUP when the terminal's window is closed.

use std::io;
use std::os::unix::net::UnixStream;

use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::spawn_blocking;

/// The signals that end this program. While this lives, they do nothing else.
pub(crate) struct Interrupt(Signal, Signal, Signal);

impl Interrupt {
    /// From now on, no such signal is missed.
    ///
    /// # Errors
    ///
    /// That the system does not let us handle them.
    ///
    /// # Panics
    ///
    /// Outside of a runtime.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self(
            signal(SignalKind::interrupt())?,
            signal(SignalKind::terminate())?,
            signal(SignalKind::hangup())?,
        ))
    }

    /// Waits for one.
    pub(crate) async fn wait(&mut self) {
        tokio::select! {
            _ = self.0.recv() => {}
            _ = self.1.recv() => {}
            _ = self.2.recv() => {}
        }
    }
}

/// What runs one thread of futures. When it is dropped, it waits for the
/// [`spawn_blocking`] under way, so that temporary folders are removed.
///
/// # Errors
///
/// That a pair of Unix sockets cannot be made. Tokio waits for signals with
/// one, and panics without it.
pub(crate) fn runtime() -> io::Result<Runtime> {
    UnixStream::pair().map_err(|error| {
        let why = format!(
            "Unix sockets cannot be made here ({error}); \
             `cargo book doctor` says more"
        );
        io::Error::new(error.kind(), why)
    })?;
    Builder::new_current_thread().enable_all().build()
}

/// Does some work to its end. When a signal comes meanwhile, the result is
/// dropped: `None`. Where no [`runtime`] can be made, a signal ends this
/// program at once, and its temporary folders stay.
///
/// # Errors
///
/// That the system does not let us handle signals, and a panic of the work.
pub fn unless_interrupted<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<Option<T>> {
    let Ok(runtime) = runtime() else { return Ok(Some(work())) };
    runtime.block_on(async {
        let mut interrupt = Interrupt::new()?;
        tokio::select! {
            done = spawn_blocking(work) => Ok(Some(done?)),
            () = interrupt.wait() => Ok(None),
        }
    })
}
