//! Still images: PNG and JPEG files.

use super::{
    Access, MediaError, MediaFault, jpeg,
    open::{blocking, digest, regular},
    sniff,
};
use crate::{files, value::ImageFile};
use image::{DynamicImage, ImageBuffer, ImageFormat, ImageReader, Limits, Pixel, Rgb, RgbImage};
use std::io::{BufReader, Read};

/// Maximum size of an image file and of its decoded pixels, in bytes. Larger images would fill the memory.
const MAX_BYTES: u64 = 1 << 30;

/// Opens the PNG or JPEG file at `path`: checks its format and computes its digest.
pub async fn image_file(path: &str, access: &Access) -> Result<ImageFile, MediaError> {
    let (shown, digests) = (path.to_owned(), access.digests.clone());
    blocking(move || {
        check(&shown)?;
        let digest = digest(&files::path(&shown), &shown, &digests)?;
        Ok(ImageFile { path: shown, digest })
    })
    .await
}

/// The format of the image at `path`. Fails for anything but PNG and JPEG.
fn check(path: &str) -> Result<ImageFormat, MediaError> {
    let mut head = Vec::new();
    let read = regular(&files::path(path), path)?.take(sniff::HEAD as u64).read_to_end(&mut head);
    read.map_err(|e| MediaError::new(MediaFault::Unreadable, path, format!("cannot be read: {}", e.kind())))?;
    let what = match (image::guess_format(&head), sniff::picture(&head)) {
        (Ok(format @ (ImageFormat::Png | ImageFormat::Jpeg)), _) => return Ok(format),
        (_, Some(what)) => format!("is an image of the format {what}; PNG and JPEG are read"),
        _ if sniff::is_video(&head) => "is a video or sound, not an image".to_owned(),
        _ => "is not an image (PNG and JPEG are read)".to_owned(),
    };
    Err(MediaError::new(MediaFault::NotMedia, path, what))
}

/// The pixels, equal to Pillow's `Image.open(path).convert("RGB")`. An alpha channel is dropped, not blended. The
/// orientation tag of a camera is not applied.
pub(crate) fn pixels(path: &str) -> Result<RgbImage, MediaError> {
    let format = check(path)?;
    if format == ImageFormat::Jpeg {
        let mut bytes = Vec::new();
        let read = regular(&files::path(path), path)?.take(MAX_BYTES).read_to_end(&mut bytes);
        read.map_err(|e| MediaError::new(MediaFault::Unreadable, path, format!("cannot be read: {}", e.kind())))?;
        if let Some(pixels) = jpeg::decode(&bytes) {
            return Ok(pixels);
        }
        if !jpeg::has_end(&bytes) {
            return Err(MediaError::new(MediaFault::Damaged, path, "is truncated: the end of the picture is missing"));
        }
    }
    let mut limits = Limits::default();
    limits.max_alloc = Some(MAX_BYTES);
    let mut reader = ImageReader::with_format(BufReader::new(regular(&files::path(path), path)?), format);
    reader.limits(limits);
    let image =
        reader.decode().map_err(|e| MediaError::new(MediaFault::Damaged, path, format!("cannot be decoded: {e}")))?;
    Ok(rgb(image, format == ImageFormat::Png && keyed(path)?))
}

/// True for a PNG of a colour type without an alpha channel. If it decodes with one, the file declares a transparent
/// colour.
fn keyed(path: &str) -> Result<bool, MediaError> {
    let mut head = Vec::new();
    let read = regular(&files::path(path), path)?.take(26).read_to_end(&mut head);
    read.map_err(|e| MediaError::new(MediaFault::Unreadable, path, format!("cannot be read: {}", e.kind())))?;
    Ok(head.get(25).is_some_and(|colour_type| colour_type & 4 == 0))
}

/// Converts a picture to 8 bits and three channels like Pillow and the reference processor together. 16-bit colours
/// keep their upper eight bits, and 16-bit grey values are clamped to 255. A declared transparent colour becomes white.
fn rgb(image: DynamicImage, keyed: bool) -> RgbImage {
    let upper = |value: u16| (value >> 8) as u8;
    match image {
        DynamicImage::ImageLuma16(grey) => map(&grey, |p| [p.0[0].min(255) as u8; 3]),
        DynamicImage::ImageLumaA16(grey) => map(&grey, |p| [upper(p.0[0]); 3]),
        DynamicImage::ImageRgb16(image) => map(&image, |p| p.0.map(upper)),
        DynamicImage::ImageRgba16(image) => map(&image, |p| [upper(p.0[0]), upper(p.0[1]), upper(p.0[2])]),
        image if keyed && image.color().has_alpha() => {
            let image = image.into_rgba8();
            let wholly = image.pixels().all(|p| matches!(p.0[3], 0 | 255));
            map(&image, |p| match p.0 {
                [_, _, _, 0] if wholly => [255; 3],
                [r, g, b, _] => [r, g, b],
            })
        }
        other => other.into_rgb8(),
    }
}

fn map<P: Pixel>(image: &ImageBuffer<P, Vec<P::Subpixel>>, colour: impl Fn(&P) -> [u8; 3]) -> RgbImage {
    RgbImage::from_fn(image.width(), image.height(), |x, y| Rgb(colour(image.get_pixel(x, y))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{Luma, Rgba, RgbaImage};
    use std::path::Path;

    async fn kind(path: &Path) -> Option<MediaFault> {
        image_file(path.to_str().unwrap(), &Access::default()).await.err().map(|e| e.kind)
    }

    #[tokio::test]
    async fn files_that_are_not_images_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, bytes: &[u8]| {
            std::fs::write(folder.path().join(name), bytes).unwrap();
            folder.path().join(name)
        };
        assert_eq!(kind(&folder.path().join("none.png")).await, Some(MediaFault::Missing));
        assert_eq!(kind(folder.path()).await, Some(MediaFault::NotAFile));
        assert_eq!(kind(&file("empty.png", b"")).await, Some(MediaFault::Empty));
        assert_eq!(kind(&file("text.png", b"hello")).await, Some(MediaFault::NotMedia));
        assert_eq!(kind(&file("a.webp", b"RIFF\0\0\0\0WEBPVP8 ")).await, Some(MediaFault::NotMedia));
        let cut = file("cut.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR");
        assert_eq!(pixels(cut.to_str().unwrap()).unwrap_err().kind, MediaFault::Damaged);
    }

    #[test]
    fn jpeg_pixels_equal_those_of_pillow() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/parity/fixtures/jpeg");
        let mut count = 0;
        for file in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if file.extension().is_some_and(|e| e == "jpg") {
                let ours = jpeg::decode(&std::fs::read(&file).unwrap()).expect("decoded here");
                let theirs = pixels(file.with_extension("png").to_str().unwrap()).unwrap();
                assert_eq!(ours, theirs, "{}", file.display());
                // a truncated file or a flipped bit must not panic or hang
                let bytes = std::fs::read(&file).unwrap();
                for at in (0..bytes.len()).step_by(7) {
                    jpeg::decode(&bytes[..at]);
                    let mut flipped = bytes.clone();
                    flipped[at] ^= 1 << (at % 8);
                    jpeg::decode(&flipped);
                }
                count += 1;
            }
        }
        assert_eq!(count, 6);
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
        let grey: ImageBuffer<Luma<u16>, _> = ImageBuffer::from_vec(3, 1, vec![7, 255, 40_000]).unwrap();
        grey.save(&path).unwrap();
        assert_eq!(pixels(shown).unwrap().as_raw(), &[7, 7, 7, 255, 255, 255, 255, 255, 255]);
        let deep: ImageBuffer<Rgb<u16>, _> = ImageBuffer::from_vec(1, 1, vec![0x0102, 0x03ff, 0xffff]).unwrap();
        deep.save(&path).unwrap();
        assert_eq!(pixels(shown).unwrap().as_raw(), &[1, 3, 255]);
        let access = Access::default();
        let whole = digest(&path, shown, &access.digests).unwrap();
        assert_eq!(image_file(shown, &access).await.unwrap().digest, whole);
    }
}
