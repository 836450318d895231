//! Parts of a medium as files of their own: a clip without encoding again, and a picture.

use super::{MediaError, MediaFault, MediaStore, ffmpeg, open::blocking};
use crate::{files, value::Moment};
use image::codecs::jpeg::JpegEncoder;
use std::{
    ffi::OsString,
    fs::File,
    io::BufWriter,
    path::{Path, PathBuf},
    time::Duration,
};

/// Maximum time for a clip.
const CLIP_LIMIT: Duration = Duration::from_secs(600);
/// The quality of a picture, 1 to 100.
const QUALITY: u8 = 85;

/// Copies a moment into the file `to`. The packets are not encoded again, so the clip begins at the keyframe at or before the start. Fails if
/// the medium cannot be read or the file cannot be written.
pub async fn clip(moment: &Moment, to: &Path) -> Result<(), MediaError> {
    let media = &moment.media;
    // ffmpeg counts from the start of the file
    let (from, length) =
        (moment.start.seconds() - media.start.seconds(), moment.end.seconds() - moment.start.seconds());
    let mut arguments: Vec<OsString> = ["-v", "error", "-nostdin", "-y", "-ss"].map(OsString::from).into();
    arguments.push(format!("{:.6}", from.max(0.0)).into());
    arguments.extend(ffmpeg::input(&files::path(&media.path)));
    arguments.push("-t".into());
    arguments.push(format!("{length:.6}").into());
    arguments.extend(["-c", "copy", "-avoid_negative_ts", "make_zero"].map(OsString::from));
    let mut target = OsString::from("file:");
    target.push(std::path::absolute(to).unwrap_or_else(|_| to.to_owned()));
    arguments.push(target);
    match ffmpeg::run("ffmpeg", arguments, CLIP_LIMIT).await {
        Ok(_) => Ok(()),
        Err(ffmpeg::ChildError::Failed(why)) => Err(MediaError::new(
            MediaFault::Unreadable,
            &media.path,
            format!("gives no clip at {}: {why}", moment.start),
        )),
        Err(trouble) => Err(trouble.about(&media.path)),
    }
}

/// Writes the frame at the middle of a moment as a JPEG file. Fails if the medium cannot be read or the file cannot be written.
pub async fn thumbnail(moment: &Moment, store: &MediaStore, to: PathBuf) -> Result<(), MediaError> {
    let middle = (moment.start.seconds() + moment.end.seconds()) / 2.0;
    let at = Moment { start: crate::value::Time::from_seconds(middle), ..moment.clone() };
    let picture = store.frame(&at).await?;
    let shown = to.display().to_string();
    let write = move || {
        let file = File::create(&to).map_err(|error| error.to_string())?;
        let encoder = JpegEncoder::new_with_quality(BufWriter::new(file), QUALITY);
        picture.write_with_encoder(encoder).map_err(|error| error.to_string())
    };
    let written = blocking(write).await;
    written.map_err(|why| MediaError::new(MediaFault::Unreadable, &shown, format!("cannot be written: {why}")))
}
