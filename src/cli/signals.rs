//! Signals of the system that a verb hears as long as it runs.

/// A signal, from the moment that this is made: one that comes while nobody waits for it is not lost. (A future of
/// `tokio::signal::ctrl_c` hears only what comes after it was made, so a loop that makes one each time loses some.)
pub(super) struct Signals {
    #[cfg(unix)]
    signal: Option<tokio::signal::unix::Signal>,
    /// Whether Ctrl-C is meant, where there is nothing else.
    #[cfg(not(unix))]
    interrupts: bool,
}

impl Signals {
    /// Ctrl-C.
    pub(super) fn interrupts() -> Self {
        Self {
            #[cfg(unix)]
            signal: tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt()).ok(),
            #[cfg(not(unix))]
            interrupts: true,
        }
    }

    /// A terminal that goes away, where there is such a thing.
    pub(super) fn hangups() -> Self {
        Self {
            #[cfg(unix)]
            signal: tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup()).ok(),
            #[cfg(not(unix))]
            interrupts: false,
        }
    }

    /// The next one.
    pub(super) async fn next(&mut self) {
        #[cfg(unix)]
        if let Some(signal) = &mut self.signal {
            signal.recv().await;
            return;
        }
        #[cfg(not(unix))]
        if self.interrupts && tokio::signal::ctrl_c().await.is_ok() {
            return;
        }
        std::future::pending().await
    }
}
