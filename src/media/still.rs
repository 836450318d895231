//! Still images: PNG and JPEG files.

use super::{
    Fault, MediaError,
    open::{blocking, digest, regular},
    sniff,
};
use crate::value::ImageFile;
use image::{ImageFormat, ImageReader, Limits, RgbImage};
use std::{
    io::{BufReader, Read},
    path::Path,
};

/// Larger images are refused rather than filling the memory.
const MOST_BYTES: u64 = 1 << 30;

/// Opens the PNG or JPEG file at `path`: it exists, is one of the two, and this is its digest.
pub async fn image_file(path: &str) -> Result<ImageFile, MediaError> {
    let shown = path.to_owned();
    blocking(move || {
        check(&shown)?;
        let digest = digest(Path::new(&shown), &shown)?;
        Ok(ImageFile { path: shown, digest })
    })
    .await
}

/// The format of the image at `path`, if it is one that is read.
fn check(path: &str) -> Result<ImageFormat, MediaError> {
    let mut head = Vec::new();
    let read = regular(Path::new(path), path)?.take(sniff::HEAD as u64).read_to_end(&mut head);
    read.map_err(|e| MediaError::new(Fault::Unreadable, path, format!("cannot be read: {}", e.kind())))?;
    match (image::guess_format(&head), sniff::still_image(&head)) {
        (Ok(format @ (ImageFormat::Png | ImageFormat::Jpeg)), _) => Ok(format),
        (_, Some(what)) => {
            Err(MediaError::new(Fault::NotMedia, path, format!("is a {what} image; PNG and JPEG are read")))
        }
        _ => Err(MediaError::new(Fault::NotMedia, path, "is not an image (PNG and JPEG are read)")),
    }
}

/// The pixels, as Pillow's `Image.open(path).convert("RGB")` gives them: an alpha channel is dropped, not blended, and a
/// camera's orientation tag is not applied.
pub(crate) fn pixels(path: &str) -> Result<RgbImage, MediaError> {
    let format = check(path)?;
    let mut limits = Limits::default();
    limits.max_alloc = Some(MOST_BYTES);
    let mut reader = ImageReader::with_format(BufReader::new(regular(Path::new(path), path)?), format);
    reader.limits(limits);
    let image =
        reader.decode().map_err(|e| MediaError::new(Fault::Damaged, path, format!("cannot be decoded: {e}")))?;
    Ok(image.into_rgb8())
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{DynamicImage, Rgba, RgbaImage};

    async fn kind(path: &Path) -> Option<Fault> {
        image_file(path.to_str().unwrap()).await.err().map(|e| e.kind)
    }

    #[tokio::test]
    async fn what_is_not_an_image_is_said_so() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, bytes: &[u8]| {
            std::fs::write(folder.path().join(name), bytes).unwrap();
            folder.path().join(name)
        };
        assert_eq!(kind(&folder.path().join("none.png")).await, Some(Fault::Missing));
        assert_eq!(kind(folder.path()).await, Some(Fault::NotAFile));
        assert_eq!(kind(&file("empty.png", b"")).await, Some(Fault::Empty));
        assert_eq!(kind(&file("text.png", b"hello")).await, Some(Fault::NotMedia));
        assert_eq!(kind(&file("a.webp", b"RIFF\0\0\0\0WEBPVP8 ")).await, Some(Fault::NotMedia));
        let cut = file("cut.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR");
        assert_eq!(pixels(cut.to_str().unwrap()).unwrap_err().kind, Fault::Damaged);
    }

    #[tokio::test]
    async fn alpha_is_dropped_and_grey_repeated() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.png");
        let shown = path.to_str().unwrap();
        RgbaImage::from_pixel(2, 1, Rgba([10, 20, 30, 0])).save(&path).unwrap();
        assert_eq!(pixels(shown).unwrap().as_raw(), &[10, 20, 30, 10, 20, 30]);
        DynamicImage::new_luma8(1, 1).save(&path).unwrap();
        assert_eq!(pixels(shown).unwrap().as_raw(), &[0, 0, 0]);
        assert_eq!(image_file(shown).await.unwrap().digest, digest(&path, shown).unwrap());
    }
}
