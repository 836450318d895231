//! Pictures in the prompt of a language model.

use super::{image::Fingerprint, prefix::PromptPosition};
use crate::error::Fault;

/// A picture that a network has looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenPicture {
    /// Its fingerprint.
    pub print: Fingerprint,
    /// The number of vectors that take its place in a prompt.
    pub vectors: u32,
    /// The text that takes the place of its mark; it has the mark once for each vector.
    pub text: String,
}

/// What a network saw for a prompt.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SeenPrompt {
    /// The pictures, or the pieces of a video, in their order.
    pub pictures: Vec<SeenPicture>,
    /// They are the pieces of one video, which has one mark.
    pub is_video: bool,
}

impl SeenPrompt {
    /// The texts that take the places of the marks, in their order.
    pub(super) fn texts(&self) -> Vec<String> {
        let texts = self.pictures.iter().map(|picture| picture.text.clone());
        if self.is_video { vec![texts.collect()] } else { texts.collect() }
    }
}

/// The positions of a prompt. Each picture token becomes the next vector of the pictures. Fails if the prompt has more or fewer picture
/// tokens than there are vectors: a text may contain the token, and a template may leave a picture out.
pub(super) fn with_pictures(
    ids: &[u32],
    token: Option<u32>,
    seen: &[SeenPicture],
) -> Result<Vec<PromptPosition>, Fault> {
    let mut vectors = seen.iter().flat_map(|picture| (0..picture.vectors).map(|n| (picture.print, n)));
    let mut read = Vec::with_capacity(ids.len());
    let unfit = || {
        Fault::failed(
            "the prompt has not one place for each picture; its text must not contain the model's mark for pictures"
                .to_owned(),
        )
    };
    for id in ids {
        read.push(match token.is_some_and(|token| token == *id) {
            true => {
                let (digest, n) = vectors.next().ok_or_else(unfit)?;
                PromptPosition::Picture { digest, n }
            }
            false => PromptPosition::Token(*id),
        });
    }
    if vectors.next().is_some() { Err(unfit()) } else { Ok(read) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_mark_is_a_vector_of_the_next_picture() {
        let seen = |print: u8, vectors| SeenPicture { print: [print; 32], vectors, text: String::new() };
        let pictures = [seen(1, 2), seen(2, 1)];
        let read = with_pictures(&[5, 9, 9, 6, 9], Some(9), &pictures).expect("it fits");
        let picture = |print: u8, n| PromptPosition::Picture { digest: [print; 32], n };
        let expected =
            [PromptPosition::Token(5), picture(1, 0), picture(1, 1), PromptPosition::Token(6), picture(2, 0)];
        assert_eq!(read, expected);
        for ids in [&[9, 9][..], &[9, 9, 9, 9], &[]] {
            assert!(with_pictures(ids, Some(9), &pictures).is_err(), "{ids:?}");
        }
        assert!(with_pictures(&[9], Some(9), &[]).is_err(), "a text with the mark");
        assert_eq!(with_pictures(&[9], None, &[]).expect("a text"), [PromptPosition::Token(9)]);
    }
}
