//! Clips and pictures of the lines of the journal.

use super::{
    out::Out,
    session::{block_on, unless},
    settings::Settings,
};
use crate::{
    error::Fault,
    media::{self, MediaLimits, MediaStore},
    store::journal::{Journal, StoredLine},
};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// The most files that one command writes.
const MAX_FILES: usize = 10_000;

/// What to write for each line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CutKind {
    /// A part of the video.
    Clip,
    /// A picture.
    Thumbnail,
}

/// Writes a file for each line into a folder. Forgetting a video removes them.
pub(super) fn write(
    lines: &[StoredLine],
    kind: CutKind,
    folder: &Path,
    journal: &Journal,
    settings: &Settings,
    out: &Out,
) -> Result<(), Fault> {
    if lines.len() > MAX_FILES {
        let fault = Fault::refused(format!("{} lines would give more than {MAX_FILES} files", lines.len()));
        return Err(fault.hint("choose fewer lines with --of, --sense or --span"));
    }
    fs::create_dir_all(folder)
        .map_err(|error| Fault::refused(format!("{} cannot be created: {error}", folder.display())))?;
    let store = MediaStore::new(MediaLimits::default()).with_fetched(settings.folders.media());
    let written = block_on(|cancel| async move {
        let mut count = 0;
        for stored in lines {
            let moment = &stored.line.moment;
            if kind == CutKind::Thumbnail && !moment.media.has_video {
                continue;
            }
            let file = name(stored, kind, folder);
            let cutting = async {
                let written = match kind {
                    CutKind::Clip => media::clip(moment, &file).await,
                    CutKind::Thumbnail => media::thumbnail(moment, &store, file.clone()).await,
                };
                written.map_err(Fault::from)
            };
            // noted first, so that forgetting reaches a file that was written in part
            journal.note_file(&file.display().to_string(), std::slice::from_ref(&moment.media.digest))?;
            unless(&cancel, cutting).await?;
            count += 1;
        }
        Ok(count)
    });
    let count: usize = written?;
    let what = if kind == CutKind::Clip { "clips" } else { "pictures" };
    match out.json {
        true => out.value(&serde_json::json!({ "folder": folder, "files": count })),
        false => out.text(format_args!("{count} {what} in {}", folder.display())),
    }
}

/// The name of a file: the number of its line, and its time.
fn name(stored: &StoredLine, kind: CutKind, folder: &Path) -> PathBuf {
    let moment = &stored.line.moment;
    let original = crate::files::path(&moment.media.path);
    let ending = match kind {
        CutKind::Thumbnail => "jpg".to_owned(),
        CutKind::Clip => {
            original.extension().map_or_else(|| "mp4".to_owned(), |ending| ending.to_string_lossy().into_owned())
        }
    };
    let time = moment.start.to_string().replace(':', "-");
    folder.join(format!("{:06}_{time}_{}.{ending}", stored.id, stored.line.sense))
}
