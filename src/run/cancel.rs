//! Stopping a run from outside.

use std::sync::Arc;
use tokio::sync::watch;

/// Stops the runs that hold a clone of it.
#[derive(Debug, Clone)]
pub struct Cancel(Arc<watch::Sender<bool>>);

impl Default for Cancel {
    fn default() -> Cancel {
        Cancel(Arc::new(watch::Sender::new(false)))
    }
}

impl Cancel {
    /// Stops them. Finished exchanges stay in the memo and in the transcript.
    pub fn cancel(&self) {
        self.0.send_replace(true);
    }
    /// Waits until stopped.
    pub async fn cancelled(&self) {
        // the sender lives in self, so that waiting cannot fail
        let _ = self.0.subscribe().wait_for(|stopped| *stopped).await;
    }
}
