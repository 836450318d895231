//! Serves a model's thread the samples of a sound.

use crate::{error::Fault, infer::job::SampleRequest, media::MediaStore, value::Moment};
use tokio::sync::mpsc;

/// The sound of a request, and the requests of the model's thread for its samples.
pub(super) struct Listening {
    pub(super) moment: Moment,
    pub(super) pulls: mpsc::Receiver<SampleRequest>,
}

impl Listening {
    /// Decodes the samples that the model's thread requests, until it drops its sender.
    pub(super) async fn serve(mut self, store: &MediaStore) {
        let Moment { media, start, end, .. } = self.moment;
        while let Some(pull) = self.pulls.recv().await {
            let all = end.on_grid(pull.rate_hz).saturating_sub(start.on_grid(pull.rate_hz));
            let all = usize::try_from(all).unwrap_or(0);
            let (from, to) = (pull.from, pull.to.min(all));
            let samples = if from < to {
                store.window(&media, start, from..to, pull.rate_hz).await.map_err(Fault::from)
            } else {
                Ok(Vec::new())
            };
            pull.back.send(samples).ok();
        }
    }
}
