//! Folders and files that only the user may read: facts about a video are private.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::Path,
    time::Duration,
};

/// Creates a folder and its parents, with access for the user only. An existing folder loses all other access.
pub fn private_folder(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)?;
    close_to_others(path);
    Ok(())
}

/// Opens a file for reading and writing, with access for the user only. Creates it if it is missing.
pub fn private_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path)?;
    close_to_others(path);
    Ok(file)
}

/// Writes a file that only the user may read.
pub fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = private_file(path)?;
    file.set_len(0)?;
    file.write_all(bytes)
}

/// Removes all rights of the group and of others. A failure is not reported: the file may belong to another user.
#[cfg(unix)]
pub fn close_to_others(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let Ok(meta) = fs::metadata(path) else { return };
    let mode = meta.permissions().mode();
    if mode & 0o077 != 0 {
        let _ = fs::set_permissions(path, fs::Permissions::from_mode(mode & 0o7700));
    }
}

/// Removes all rights of the group and of others, on systems with such rights.
#[cfg(not(unix))]
pub fn close_to_others(_: &Path) {}

/// Removes partial files (`*.part`) that were last written at least `still` ago: their process has ended.
pub fn sweep_parts(folder: &Path, still: Duration) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let is_part = entry.path().extension().is_some_and(|ending| ending == "part");
        let age = entry.metadata().and_then(|meta| meta.modified()).ok().and_then(|time| time.elapsed().ok());
        if is_part && age.is_some_and(|age| age >= still) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn only_the_user_may_enter_and_read() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("temp");
        let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
        let (inner, file) = (folder.path().join("a/b"), folder.path().join("a/b/c"));
        private_folder(&inner).expect("made");
        write_private(&file, b"long text").expect("written");
        write_private(&file, b"text").expect("written");
        assert_eq!((mode(&folder.path().join("a")), mode(&inner), mode(&file)), (0o700, 0o700, 0o600));
        assert_eq!(fs::read(&file).expect("read"), b"text");

        // made by an earlier version
        fs::set_permissions(&inner, fs::Permissions::from_mode(0o755)).expect("opened");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).expect("opened");
        private_folder(&inner).expect("there");
        write_private(&file, b"text").expect("written");
        assert_eq!((mode(&inner), mode(&file)), (0o700, 0o600));
    }

    #[test]
    fn old_partial_files_are_removed() {
        let folder = tempfile::tempdir().expect("temp");
        let names = || {
            let mut names: Vec<_> =
                fs::read_dir(folder.path()).expect("listed").flatten().map(|e| e.file_name()).collect();
            names.sort();
            names
        };
        for name in ["a.1.part", "b.2.part", "whole"] {
            fs::write(folder.path().join(name), "x").expect("written");
        }
        let old = std::time::SystemTime::now() - Duration::from_secs(100);
        let file = OpenOptions::new().write(true).open(folder.path().join("a.1.part")).expect("there");
        file.set_modified(old).expect("set");
        sweep_parts(folder.path(), Duration::from_secs(60));
        assert_eq!(names(), ["b.2.part", "whole"]);
        sweep_parts(folder.path(), Duration::ZERO);
        assert_eq!(names(), ["whole"]);
    }
}
