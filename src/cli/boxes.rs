//! Draws the boxes that a detector found into a copy of the picture.

use crate::{
    error::Fault,
    exchange::Detection,
    media::{self, Access, MediaStore},
};
use embedded_graphics::{
    mono_font::{MonoTextStyle, iso_8859_1::FONT_7X13},
    pixelcolor::{Rgb888, RgbColor},
    prelude::{DrawTarget, Drawable, OriginDimensions, Pixel, Point, Primitive, Size},
    primitives::{PrimitiveStyle, Rectangle},
    text::{Baseline, Text},
};
use image::{ImageFormat, Rgb, RgbImage};
use std::{convert::Infallible, io::Cursor, path::Path};

/// The colours of labels, in turn: those of Okabe and Ito, which people with any colour vision tell apart.
const COLOURS: [(u8, u8, u8); 7] =
    [(230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66), (0, 114, 178), (213, 94, 0), (204, 121, 167)];
/// A picture whose shorter side has this many pixels is drawn with lines and letters of one pixel; a larger one with thicker ones.
const SIDE: u32 = 480;

/// A picture on which each drawn pixel is a square of `scale` pixels.
struct Canvas {
    picture: RgbImage,
    scale: u32,
}

impl OriginDimensions for Canvas {
    fn size(&self) -> Size {
        Size::new(self.picture.width().div_ceil(self.scale), self.picture.height().div_ceil(self.scale))
    }
}

impl DrawTarget for Canvas {
    type Color = Rgb888;
    type Error = Infallible;

    fn draw_iter<I: IntoIterator<Item = Pixel<Rgb888>>>(&mut self, pixels: I) -> Result<(), Infallible> {
        for Pixel(Point { x, y }, colour) in pixels {
            let (Ok(x), Ok(y)) = (u32::try_from(x), u32::try_from(y)) else { continue };
            for (dx, dy) in (0..self.scale).flat_map(|dx| (0..self.scale).map(move |dy| (dx, dy))) {
                if let Some(pixel) = self.picture.get_pixel_mut_checked(x * self.scale + dx, y * self.scale + dy) {
                    *pixel = Rgb([colour.r(), colour.g(), colour.b()]);
                }
            }
        }
        Ok(())
    }
}

/// The picture with a frame around each box, and its label and score.
fn drawn(picture: RgbImage, found: &[Detection]) -> RgbImage {
    let scale = (picture.width().min(picture.height()) / SIDE).max(1);
    let mut canvas = Canvas { picture, scale };
    let end = canvas.size();
    let mut labels: Vec<&str> = Vec::new();
    // the best is drawn last, above all others
    for Detection { label, score, area } in found.iter().rev() {
        let known = labels.iter().position(|known| known == label).unwrap_or_else(|| {
            labels.push(label);
            labels.len() - 1
        });
        let (red, green, blue) = COLOURS[known % COLOURS.len()];
        let colour = Rgb888::new(red, green, blue);
        let [x0, y0, x1, y1] = area.map(|side| (side / scale as f32) as i32);
        let corners = (Point::new(x0, y0), Point::new(x1.min(end.width as i32 - 1), y1.min(end.height as i32 - 1)));
        let frame = Rectangle::with_corners(corners.0, corners.1).into_styled(PrimitiveStyle::with_stroke(colour, 2));
        let written = format!("{label} {score:.2}");
        // a label that is wider than the picture would hide its score
        let most = (end.width / FONT_7X13.character_size.width).saturating_sub(7) as usize;
        let written = match label.chars().count() > most.max(1) {
            true => format!("{}… {score:.2}", label.chars().take(most.max(1)).collect::<String>()),
            false => written,
        };
        let width = written.chars().count() as i32 * FONT_7X13.character_size.width as i32 + 2;
        let height = FONT_7X13.character_size.height as i32;
        // above the box, or inside if there is no room
        let at = Point::new(x0.min(end.width as i32 - width).max(0), if y0 >= height { y0 - height } else { y0 });
        let ground = Rectangle::new(at, Size::new(width as u32, height as u32));
        let style = MonoTextStyle::new(&FONT_7X13, Rgb888::BLACK);
        let Ok(()) = frame
            .draw(&mut canvas)
            .and_then(|()| ground.into_styled(PrimitiveStyle::with_fill(colour)).draw(&mut canvas))
            .and_then(|()| Text::with_baseline(&written, at + Point::new(1, 0), style, Baseline::Top).draw(&mut canvas))
            .map(drop);
    }
    canvas.picture
}

/// Fails if the drawing could not be written, before a model works for it.
pub(super) fn check(image: &str, to: &Path) -> Result<(), Fault> {
    let refused = |why: &str, hint: &str| Err(Fault::refused(format!("--draw: {} {why}", to.display())).hint(hint));
    if !to.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("png")) {
        return refused("does not end with .png", "the drawing is a PNG file: name it so");
    }
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !folder.is_dir() {
        return refused("is in a folder that does not exist", "make the folder, or name another one");
    }
    let same = |a: &Path, b: &Path| a.canonicalize().ok().is_some_and(|a| b.canonicalize().is_ok_and(|b| a == b));
    match same(Path::new(image), to) {
        true => refused("is the image itself", "name another file"),
        false => Ok(()),
    }
}

/// Writes the picture at `image` with its boxes as PNG. Fails if the picture cannot be read or the file cannot be
/// written.
pub(super) async fn draw(image: &str, found: &[Detection], to: &Path, access: &Access) -> Result<(), Fault> {
    let file = media::image_file(image, access).await?;
    let picture = MediaStore::new(Default::default()).image(&file).await?;
    let mut bytes = Cursor::new(Vec::new());
    let written = drawn((*picture).clone(), found).write_to(&mut bytes, ImageFormat::Png);
    let refused = |why: String| Fault::failed(format!("{} cannot be written: {why}", to.display()));
    written.map_err(|error| refused(error.to_string()))?;
    std::fs::write(to, bytes.into_inner()).map_err(|error| refused(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_box_has_a_frame_in_the_colour_of_its_label() {
        let black = RgbImage::new(100, 80);
        let found = |label: &str, area| Detection { label: label.to_owned(), score: 0.5, area };
        let picture =
            drawn(black.clone(), &[found("cup", [20.0, 30.0, 60.0, 70.0]), found("a key", [0.0, 0.0, 100.0, 80.0])]);
        assert_eq!(picture.dimensions(), (100, 80));
        assert_eq!(picture.get_pixel(20, 50).0, [86, 180, 233], "the second label that was drawn");
        assert_eq!(picture.get_pixel(0, 60).0, [230, 159, 0]);
        assert_eq!(picture.get_pixel(40, 50).0, [0; 3], "inside");
        assert_eq!(drawn(black.clone(), &[]), black);
        // four times the size: four times the line
        let large = drawn(RgbImage::new(4 * 480, 4 * 480), &[found("cup", [400.0, 400.0, 800.0, 800.0])]);
        let line = (390..420).filter(|x| large.get_pixel(*x, 600).0 != [0; 3]).count();
        assert_eq!(line, 8);
    }
}
