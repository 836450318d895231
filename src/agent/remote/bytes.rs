//! Pictures and sound from the media store, encoded for endpoints.

use super::MediaBytes;
use crate::{
    error::Fault,
    exchange::Item,
    media::MediaStore,
    value::{Media, Time},
};
use async_trait::async_trait;
use image::{ImageFormat, RgbImage, codecs::jpeg::JpegEncoder};
use std::{io::Cursor, sync::Arc};

/// The sample rate of sound: speech models use it.
const RATE_HZ: u32 = 16_000;
/// Pictures up to this many pixels are sent as PNG, without loss. Larger ones are sent as JPEG, which is ten times
/// smaller.
const LOSSLESS_PIXELS: u32 = 512 * 512;
/// The quality of JPEG, from 1 to 100.
const QUALITY: u8 = 92;

#[async_trait]
impl MediaBytes for MediaStore {
    async fn picture(&self, item: &Item) -> Result<(Vec<u8>, &'static str), Fault> {
        let pixels = match item {
            Item::Image(file) => self.image(file).await?,
            Item::Frame(moment) => self.frame(moment).await?,
            Item::Text(_) | Item::Sound(_) => {
                return Err(Fault::failed("only images and frames can be sent as pictures".to_owned()));
            }
        };
        let encoded = tokio::task::spawn_blocking(move || encode(&pixels)).await;
        encoded
            .map_err(|error| error.to_string())
            .and_then(|encoded| encoded.map_err(|error| error.to_string()))
            .map_err(|error| Fault::failed(format!("a picture cannot be encoded: {error}")))
    }

    async fn wav(&self, media: &Arc<Media>, start: Time, end: Time) -> Result<Vec<u8>, Fault> {
        Ok(wav(&self.samples(media, start, end, RATE_HZ).await?))
    }
}

fn encode(pixels: &RgbImage) -> image::ImageResult<(Vec<u8>, &'static str)> {
    let mut bytes = Cursor::new(Vec::new());
    if pixels.width().saturating_mul(pixels.height()) <= LOSSLESS_PIXELS {
        pixels.write_to(&mut bytes, ImageFormat::Png)?;
        return Ok((bytes.into_inner(), "image/png"));
    }
    pixels.write_with_encoder(JpegEncoder::new_with_quality(&mut bytes, QUALITY))?;
    Ok((bytes.into_inner(), "image/jpeg"))
}

/// A WAV file of 16-bit PCM, 16 kHz, one channel. Samples outside of -1 to 1 are clipped.
pub fn wav(samples: &[f32]) -> Vec<u8> {
    let bytes = samples.len() as u32 * 2;
    let mut file = Vec::with_capacity(44 + samples.len() * 2);
    file.extend_from_slice(b"RIFF");
    file.extend_from_slice(&(36 + bytes).to_le_bytes());
    file.extend_from_slice(b"WAVEfmt ");
    file.extend_from_slice(&16_u32.to_le_bytes());
    file.extend_from_slice(&1_u16.to_le_bytes()); // PCM
    file.extend_from_slice(&1_u16.to_le_bytes()); // channels
    file.extend_from_slice(&RATE_HZ.to_le_bytes());
    file.extend_from_slice(&(RATE_HZ * 2).to_le_bytes()); // bytes in a second
    file.extend_from_slice(&2_u16.to_le_bytes()); // bytes in a frame
    file.extend_from_slice(&16_u16.to_le_bytes()); // bits in a sample
    file.extend_from_slice(b"data");
    file.extend_from_slice(&bytes.to_le_bytes());
    for sample in samples {
        let scaled = (sample.clamp(-1.0, 1.0) * f32::from(i16::MAX)).round() as i16;
        file.extend_from_slice(&scaled.to_le_bytes());
    }
    file
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_pictures_are_sent_without_loss() {
        let check = |width: u32, height: u32, kind: &str| {
            let (bytes, found) = encode(&RgbImage::new(width, height)).expect("encoded");
            assert_eq!(found, kind);
            let read = image::load_from_memory(&bytes).expect("an image");
            assert_eq!((read.width(), read.height()), (width, height));
        };
        check(64, 48, "image/png");
        check(1024, 576, "image/jpeg");
    }

    #[test]
    fn a_wav_file_holds_its_samples() {
        let file = wav(&[0.0, 1.0, -1.0, 2.0]);
        assert_eq!(file.len(), 44 + 8);
        assert_eq!(&file[44..], [0, 0, 0xff, 0x7f, 0x01, 0x80, 0xff, 0x7f]);
        assert_eq!(&file[4..8], 44_u32.to_le_bytes());
    }
}
