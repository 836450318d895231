//! `look`: a prompt about one or several pictures, answered with text.

use super::{Decoding, Exchange, Item, MediaRef, Message, Modalities, Modality, SayReply, SayRequest, ScriptReply};
use serde::{Deserialize, Serialize};

/// Asks `prompt` about `images`. The pictures precede the text, in this order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LookRequest {
    /// The pictures: image files, or frames of videos.
    pub images: Vec<Item>,
    /// The pictures are frames of one video, in order of time. A model that reads videos sees what moves; others see single pictures. The
    /// default is not serialised, so that the memo finds exchanges of earlier versions.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub video: bool,
    /// The prompt about them.
    pub prompt: String,
    /// Decoding settings.
    pub decoding: Decoding,
}

impl LookRequest {
    /// The same request as a chat of one message.
    pub fn into_say(self) -> SayRequest {
        let LookRequest { images, video, prompt, decoding } = self;
        let messages = vec![Message { images, video, ..Message::new("user", prompt) }];
        SayRequest { decoding, ..SayRequest::new(messages) }
    }
}

impl Exchange for LookRequest {
    type Reply = SayReply;
    const USUAL: Modalities = Modalities::of(&[Modality::Text, Modality::Image]);

    fn media(&mut self) -> Vec<MediaRef<'_>> {
        self.images.iter_mut().filter_map(Item::media).collect()
    }

    fn items(&self) -> Vec<Item> {
        self.images.clone()
    }

    fn takes(&self) -> Modalities {
        self.images.iter().fold(Modalities::of(&[Modality::Text]), |all, image| all.and(image.takes()))
    }

    fn samples(&self) -> bool {
        self.decoding.samples()
    }

    fn words(&self) -> String {
        self.images.iter().map(Item::words).chain([self.prompt.clone()]).collect::<Vec<_>>().join("\n")
    }

    fn reads_script(written: &ScriptReply) -> bool {
        matches!(written, ScriptReply::Text(_) | ScriptReply::Count(_))
    }

    fn scripted(&self, written: &ScriptReply) -> Result<SayReply, String> {
        self.clone().into_say().scripted(written)
    }

    fn text(reply: &SayReply) -> Option<&str> {
        Some(&reply.text)
    }
}
