//! The free space of a disk.

use std::path::Path;

/// Bytes that this user may still write to the disk of `path`, which need not exist yet. `None` if the system does not
/// tell.
#[cfg(unix)]
pub fn free(path: &Path) -> Option<u64> {
    let there = std::path::absolute(path).ok()?;
    let there = there.ancestors().find(|folder| folder.exists())?;
    let disk = rustix::fs::statvfs(there).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// Unknown on this system.
#[cfg(not(unix))]
pub fn free(_: &Path) -> Option<u64> {
    None
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_is_not_there_yet_has_the_space_of_its_parent() {
        let folder = tempfile::tempdir().expect("temp");
        let free = free(&folder.path().join("a/b")).expect("known");
        assert!(free > 0 && free < 1 << 60, "{free}");
    }
}
