//! The built-in media agent, which samples videos into moments. Every run has it.

use super::{Agent, CallContext, Card};
use crate::{
    error::Fault,
    exchange::{Answers, FramesRequest, Kind, Reply, Request},
    media::MediaStore,
};
use async_trait::async_trait;
use std::sync::Arc;

/// Answers [`Kind::Frames`] through the run's [`MediaStore`].
#[derive(Debug)]
pub struct MediaAgent {
    card: Card,
    store: Arc<MediaStore>,
}

impl MediaAgent {
    /// The agent's name, and the role that steps ask.
    pub const NAME: &str = "media";

    /// An agent that samples through `store`. The store then expects requests for the sampled frames.
    pub fn new(store: Arc<MediaStore>) -> MediaAgent {
        // ffmpeg's version is not part of the identity. Times come from the container, and scene scores differ between
        // versions only in the sixth digit, so sampling every video again is not worth it. The number counts our own
        // changes to sampling.
        let identity = "media sampling 1".to_owned();
        MediaAgent {
            card: Card {
                name: Self::NAME.to_owned(),
                answers: vec![Answers::usual(Kind::Frames)],
                identity,
                memo: true,
                own_labels: false,
            },
            store,
        }
    }
}

#[async_trait]
impl Agent for MediaAgent {
    fn card(&self) -> &Card {
        &self.card
    }

    async fn ask(&self, request: Request, _asking: CallContext) -> Result<Reply, Fault> {
        match request {
            Request::Frames(FramesRequest { video, sampling, distinct }) => {
                Ok(Reply::Frames(self.store.sample(&video, &sampling, distinct).await?))
            }
            other => {
                Err(Fault::failed(format!("the media agent samples videos; it cannot answer `{:?}`", other.kind())))
            }
        }
    }
}
