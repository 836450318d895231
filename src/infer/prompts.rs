//! The prompt of a job: its pictures are looked at, and its positions are read from its messages.

use super::{
    decode::{Decoder, TextGenerator},
    job::{Input, Job},
    prefix::PromptPosition,
    seen::{SeenPrompt, with_pictures},
};
use crate::{
    error::Fault,
    exchange::{Decoding, Item, Request},
};
use image::RgbImage;
use std::sync::Arc;

/// A prompt.
pub(super) struct Prompt {
    /// As the network reads it.
    pub(super) read: Vec<PromptPosition>,
    /// As token ids; a picture's token is repeated for each of its vectors.
    pub(super) tokens: Vec<u32>,
    pub(super) settings: Decoding,
    /// The number of lines that were left out.
    pub(super) left_out: usize,
}

/// Pictures without a time count as frames of two in a second, as the models that read videos expect them.
const FRAME_S: f64 = 0.5;

/// The time of each picture of a request, in seconds from the start of its video.
fn times(request: &Request) -> impl Iterator<Item = f64> {
    let time = |(n, item)| match item {
        Item::Frame(moment) => moment.start.seconds() - moment.media.start.seconds(),
        _ => n as f64 * FRAME_S,
    };
    request.items().into_iter().enumerate().map(time)
}

impl<D: Decoder> TextGenerator<D> {
    /// The prompt of a job, whose pictures the network looks at. Fails if it leaves no room for a reply.
    pub(super) fn prompt(&mut self, job: &Job) -> Result<Prompt, Fault> {
        let say = match &job.request {
            Request::Say(say) => say.clone(),
            Request::Look(look) => look.clone().into_say(),
            _ => return Err(Fault::failed("a language model only answers `say`".to_owned())),
        };
        let picture = |input: &Input| if let Input::Image(picture) = input { Some(picture.clone()) } else { None };
        let pictures: Vec<Arc<RgbImage>> = job.inputs.iter().filter_map(picture).collect();
        let is_video = self.decoder.video_mark().is_some() && say.messages.iter().any(|message| message.video);
        let seen = match (pictures.is_empty(), is_video) {
            (true, _) => SeenPrompt::default(),
            (false, false) => {
                let pictures = self.decoder.see(&pictures.iter().map(|picture| &**picture).collect::<Vec<_>>())?;
                SeenPrompt { pictures, is_video }
            }
            (false, true) => {
                let frames: Vec<_> = times(&job.request).zip(pictures.iter().map(|picture| &**picture)).collect();
                SeenPrompt { pictures: self.decoder.watch(&frames)?, is_video }
            }
        };
        let settings = say.decoding.or(&self.decode).or(&self.defaults);
        let (tokens, left_out) = self.fitted(job, &say, &settings, &seen)?;
        let read = with_pictures(&tokens, self.mark(&seen).map(|(token, _)| token), &seen.pictures)?;
        Ok(Prompt { read, tokens, settings, left_out })
    }
}
