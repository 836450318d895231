//! The messages of a chat, and their parts.

use super::{
    super::{
        api_error::{ApiError, printable},
        state::SharedState,
    },
    parts::RequestMedia,
};
use crate::{
    exchange::{Item, Message},
    value::Media,
};
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::Arc;

/// A message.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::serve) struct ChatMessage {
    /// `system`, `developer` (the same), `user` or `assistant`.
    pub role: String,
    /// A text, or parts.
    pub content: Content,
}

/// The content of a message.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(in crate::serve) enum Content {
    /// A text.
    Text(String),
    /// Texts, pictures, videos and sounds.
    Parts(Vec<ContentPart>),
}

/// A part of a message.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub(in crate::serve) enum ContentPart {
    /// A text.
    Text {
        /// The text.
        text: String,
    },
    /// A picture.
    ImageUrl {
        /// Where it is.
        image_url: PartUrl,
    },
    /// A video.
    VideoUrl {
        /// Where it is.
        video_url: PartUrl,
    },
    /// A sound.
    InputAudio {
        /// Its bytes.
        input_audio: PartSound,
    },
}

/// Where a picture or a video is.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::serve) struct PartUrl {
    /// `data:TYPE;base64,…`; for a video also `library:DIGEST`.
    pub url: String,
}

/// A sound.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::serve) struct PartSound {
    /// Its bytes in base64.
    pub data: String,
    /// The format: wav or mp3.
    pub format: String,
}

/// A message whose media were read.
#[derive(Debug, Default)]
pub(super) struct ReadMessage {
    pub role: String,
    pub text: String,
    pub images: Vec<Item>,
    pub videos: Vec<Arc<Media>>,
}

impl From<ReadMessage> for Message {
    fn from(read: ReadMessage) -> Message {
        Message { images: read.images, ..Message::new(read.role, read.text) }
    }
}

/// Reads the messages and their media.
pub(super) async fn read(
    messages: Vec<ChatMessage>,
    media: &mut RequestMedia,
    state: &SharedState,
) -> Result<Vec<ReadMessage>, ApiError> {
    if messages.is_empty() {
        return Err(ApiError::bad("messages: the list is empty").param("messages"));
    }
    let mut all = Vec::with_capacity(messages.len());
    for (number, message) in messages.into_iter().enumerate() {
        let param = format!("messages[{number}]");
        let role = match message.role.as_str() {
            "system" | "developer" => "system",
            "user" => "user",
            "assistant" => "assistant",
            other => {
                let shown = printable(other, 40);
                let message = format!("{param}.role: found `{shown}`, expected system, developer, user or assistant");
                return Err(ApiError::bad(message).param(format!("{param}.role")));
            }
        };
        let mut read = ReadMessage { role: role.to_owned(), ..ReadMessage::default() };
        match message.content {
            Content::Text(text) => read.text = text,
            Content::Parts(parts) => {
                for (at, part) in parts.into_iter().enumerate() {
                    let param = format!("{param}.content[{at}]");
                    one(part, &param, &mut read, media, state).await?;
                }
            }
        }
        all.push(read);
    }
    Ok(all)
}

async fn one(
    part: ContentPart,
    param: &str,
    read: &mut ReadMessage,
    media: &mut RequestMedia,
    state: &SharedState,
) -> Result<(), ApiError> {
    match part {
        ContentPart::Text { text } => {
            if !read.text.is_empty() {
                read.text.push('\n');
            }
            read.text.push_str(&text);
        }
        ContentPart::ImageUrl { image_url } => {
            read.images.push(Item::Image(media.image(state, &format!("{param}.image_url.url"), &image_url.url).await?));
        }
        ContentPart::VideoUrl { video_url } => {
            read.videos.push(media.video(state, &format!("{param}.video_url.url"), &video_url.url).await?);
        }
        ContentPart::InputAudio { input_audio } => {
            let url = format!("data:audio/{};base64,{}", input_audio.format, input_audio.data);
            read.videos.push(media.video(state, &format!("{param}.input_audio.data"), &url).await?);
        }
    }
    Ok(())
}
