//! A handle that stops runs from outside.

use std::sync::Arc;
use tokio::sync::watch;

/// A handle that stops every run with a clone of it.
#[derive(Debug, Clone)]
pub struct Cancel(Arc<watch::Sender<bool>>);

impl Default for Cancel {
    fn default() -> Cancel {
        Cancel(Arc::new(watch::Sender::new(false)))
    }
}

impl Cancel {
    /// Stops the runs. Finished exchanges stay in the memo and in the transcript.
    pub fn cancel(&self) {
        self.0.send_replace(true);
    }
    /// Waits until [`Cancel::cancel`] is called.
    pub async fn cancelled(&self) {
        // the sender lives in self, so waiting cannot fail
        let _ = self.0.subscribe().wait_for(|stopped| *stopped).await;
    }
}
