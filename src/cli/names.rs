//! Short names of media that are listed together: the end of each path that no other one has.

use crate::{files, value::Media};
use std::collections::{BTreeMap, BTreeSet};

/// The names of some media.
#[derive(Debug, Default)]
pub(super) struct Names(BTreeMap<(String, String), String>);

impl Names {
    /// Names for these media. Files of one name are told apart by their folders, and contents of one file by their digests.
    pub(super) fn of<'a>(media: impl Iterator<Item = &'a Media>) -> Names {
        let all: BTreeSet<(String, String)> = media.map(|media| (media.path.clone(), media.digest.clone())).collect();
        let paths: BTreeSet<&str> = all.iter().map(|(path, _)| path.as_str()).collect();
        let parts: BTreeMap<&str, Vec<String>> = paths.iter().map(|path| (*path, parts(path))).collect();
        let name = |path: &str| {
            let own = &parts[path];
            let clashes = |count: usize| {
                parts.iter().any(|(other, parts)| *other != path && tail(parts, count) == tail(own, count))
            };
            let count = (1..own.len()).find(|count| !clashes(*count)).unwrap_or(own.len());
            tail(own, count).join("/")
        };
        let named = all.iter().map(|(path, digest)| {
            let contents = all.iter().filter(|(other, _)| other == path).count();
            let digest_part =
                if contents > 1 { format!(" {}", digest.get(..8).unwrap_or(digest)) } else { String::new() };
            ((path.clone(), digest.clone()), name(path) + &digest_part)
        });
        Names(named.collect())
    }

    /// The name of a medium; that of its file if it is not among them.
    pub(super) fn name(&self, media: &Media) -> String {
        let known = self.0.get(&(media.path.clone(), media.digest.clone())).cloned();
        known.unwrap_or_else(|| parts(&media.path).pop().unwrap_or_default())
    }
}

/// The parts of a path, as they are printed.
fn parts(path: &str) -> Vec<String> {
    let path = files::path(path);
    path.components().map(|part| files::name(part.as_os_str())).filter(|part| part != "/").collect()
}

fn tail(parts: &[String], count: usize) -> &[String] {
    &parts[parts.len().saturating_sub(count)..]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Time;

    #[test]
    fn names_are_as_short_as_they_can_be() {
        let media = |path: &str, digest: &str| {
            Media::new(path.to_owned(), digest.to_owned(), Time::from_seconds(0.0), Time::from_seconds(1.0))
        };
        let all = [
            media("/days/monday/walk.mp4", "0123456789"),
            media("/days/tuesday/walk.mp4", "1123456789"),
            media("/days/tuesday/cook.mp4", "2123456789"),
            media("/days/tuesday/cook.mp4", "3123456789"),
            media("/walk.mp4", "4123456789"),
            media("/a/b/x.mp4", "5"),
        ];
        let names = Names::of(all.iter());
        let found: Vec<String> = all.iter().map(|media| names.name(media)).collect();
        let expected =
            ["monday/walk.mp4", "tuesday/walk.mp4", "cook.mp4 21234567", "cook.mp4 31234567", "walk.mp4", "x.mp4"];
        assert_eq!(found, expected);
        assert_eq!(Names::default().name(&all[0]), "walk.mp4");
    }
}
