//! The levels of a digest: which lines, and later which summaries, share a prompt. Pure: the replies so far decide what
//! is asked next.

use crate::plan::StepError;
use std::collections::BTreeMap;

/// The maximum number of levels. Each level has at most two thirds of the entries of the level below.
const MAX_LEVELS: usize = 40;
/// A line of fewer characters is not cut into pieces.
const MIN_PIECE: usize = 32;

/// An entry of a level: a line of the list, or a summary of the level below.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// The place of a line in the list.
    Line(usize),
    /// The place of a summary in [`Tree::summaries`].
    Summary(usize),
}

/// A summary with the entries that it rests on.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Summary {
    pub text: String,
    /// 1 for a summary of lines.
    pub level: usize,
    pub parts: Vec<Part>,
}

/// An entry in a prompt: a whole one, or a piece of one that is longer than a prompt.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Piece {
    pub part: Part,
    /// The place of the entry in its level, and of the piece in the entry.
    at: (usize, usize),
    /// The bytes of the entry's text that the piece has; all if absent.
    pub cut: Option<(usize, usize)>,
}

/// The entries of one prompt.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Chunk {
    pub level: usize,
    pub pieces: Vec<Piece>,
    group: usize,
}

/// The reply about a chunk.
#[derive(Debug, Clone)]
pub(super) struct Said {
    pub text: String,
    /// The number of lines at the end of the prompt's list that the agent did not read.
    pub left_out: usize,
    /// The numbers of the lines of the prompt's list that the reply cites, from 1.
    pub cited: Vec<usize>,
}

/// All summaries, level by level.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Tree {
    pub summaries: Vec<Summary>,
    /// The entries of the highest level: one, unless the levels are limited or everything was empty.
    pub top: Vec<Part>,
    /// What the transcript should tell.
    pub notes: Vec<String>,
}

/// What a digest does next.
#[derive(Debug, PartialEq)]
pub(super) enum TreeGrowth {
    /// Ask about these chunks, all at the same time. The tree has the summaries so far.
    Ask(Vec<Chunk>, Tree),
    /// All is summarised.
    Done(Tree),
}

/// The limits of a digest.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// The most entries of a prompt, at least 2.
    pub entries: usize,
    /// The most summaries of a prompt, at least 2.
    pub summaries: usize,
    /// The most levels.
    pub levels: Option<usize>,
}

/// The texts of a digest, as prompts show them.
pub(super) trait Shown {
    /// The text of a line, on one line.
    fn line(&self, line: usize) -> String;
    /// The number of lines that a piece takes in a prompt, at least 1.
    fn height(&self, piece: &Piece, tree: &Tree) -> usize;
}

/// The next action after these replies: a list for each earlier turn. `groups` are the lines that are summarised apart
/// before their summaries are. Fails if the agent cannot read two summaries at once, or not even a
/// few words.
pub(super) fn grow(
    groups: &[Vec<usize>],
    limits: Limits,
    shown: &dyn Shown,
    turns: &[Vec<Said>],
) -> Result<TreeGrowth, StepError> {
    let mut tree = Tree::default();
    let mut turns = turns.iter();
    let mut groups: Vec<Vec<Part>> =
        groups.iter().map(|group| group.iter().map(|line| Part::Line(*line)).collect()).collect();
    for level in 1..=MAX_LEVELS {
        let mut made: BTreeMap<(usize, (usize, usize)), Part> = BTreeMap::new();
        let mut open = Vec::new();
        let most = if level == 1 { limits.entries } else { limits.summaries };
        for (group, parts) in groups.iter().enumerate() {
            let whole = |(place, part): (usize, &Part)| Piece { part: *part, at: (place, 0), cut: None };
            let pieces = parts.iter().enumerate().map(whole).collect();
            chunks(pieces, most, (group, level), &mut open, &mut made);
        }
        while !open.is_empty() {
            let Some(said) = turns.next() else { return Ok(TreeGrowth::Ask(open, tree)) };
            let mut rest = Vec::new();
            for (chunk, said) in open.into_iter().zip(said) {
                tree.take(chunk, said, shown, &mut rest, &mut made)?;
            }
            open = rest;
        }
        let count = groups.len();
        groups = (0..count)
            .map(|group| made.range((group, (0, 0))..(group + 1, (0, 0))).map(|(_, part)| *part).collect())
            .collect();
        if groups.iter().all(|group| group.len() <= 1) {
            groups = vec![groups.concat()];
        }
        let is_last = limits.levels.is_some_and(|levels| level >= levels);
        if is_last || matches!(groups.as_slice(), [all] if all.len() <= 1) {
            tree.top = groups.concat();
            return Ok(TreeGrowth::Done(tree));
        }
    }
    Err(StepError(format!("the digest has more than {MAX_LEVELS} levels: this is a bug")))
}

/// Divides pieces evenly into chunks of at most `most`. A single summary needs no summary.
fn chunks(
    pieces: Vec<Piece>,
    most: usize,
    (group, level): (usize, usize),
    open: &mut Vec<Chunk>,
    made: &mut BTreeMap<(usize, (usize, usize)), Part>,
) {
    let count = pieces.len().div_ceil(most.max(1));
    let mut pieces = pieces.into_iter();
    for left in (1..=count).rev() {
        let size = pieces.len().div_ceil(left);
        let own: Vec<Piece> = pieces.by_ref().take(size).collect();
        match own.as_slice() {
            [Piece { part: Part::Summary(only), at, cut: None }] => {
                made.insert((group, *at), Part::Summary(*only));
            }
            _ => open.push(Chunk { level, pieces: own, group }),
        }
    }
}

impl Tree {
    /// Keeps the summary of a chunk. What the agent did not read becomes new chunks in `rest`.
    fn take(
        &mut self,
        chunk: Chunk,
        said: &Said,
        shown: &dyn Shown,
        rest: &mut Vec<Chunk>,
        made: &mut BTreeMap<(usize, (usize, usize)), Part>,
    ) -> Result<(), StepError> {
        let Chunk { level, mut pieces, group } = chunk;
        // the place after the last line of each piece in the prompt's list
        let ends: Vec<usize> = pieces
            .iter()
            .scan(0, |end, piece| {
                *end += shown.height(piece, self);
                Some(*end)
            })
            .collect();
        let seen = ends.last().copied().unwrap_or_default().saturating_sub(said.left_out);
        let read = ends.iter().take_while(|end| **end <= seen).count();
        let unread = pieces.split_off(read);
        if level > 1 && read < 2 && !unread.is_empty() {
            return Err(StepError(
                "two summaries are too long for one prompt: lower `max_tokens` or `words`, or use a model that reads more".into(),
            ));
        }
        if read == 0 {
            // not even the first entry fits
            let mut unread = unread.into_iter();
            if let Some(first) = unread.next() {
                let halves = self.halves(&first, shown)?;
                rest.extend(halves.into_iter().map(|half| Chunk { level, pieces: vec![half], group }));
            }
            let others: Vec<Piece> = unread.collect();
            let most = others.len();
            chunks(others, most, (group, level), rest, made);
            return Ok(());
        }
        let at = pieces[0].at;
        let cited: Vec<Part> = said
            .cited
            .iter()
            .filter_map(|number| pieces.get(ends.partition_point(|end| end < number)))
            .map(|piece| piece.part)
            .collect();
        let mut parts = if cited.is_empty() { pieces.iter().map(|piece| piece.part).collect() } else { cited };
        parts.dedup();
        if said.text.is_empty() {
            self.notes.push(format!("the agent wrote nothing about {} entries of level {}", pieces.len(), level - 1));
        } else {
            made.insert((group, at), Part::Summary(self.summaries.len()));
            self.summaries.push(Summary { text: said.text.clone(), level, parts });
        }
        chunks(unread, read, (group, level), rest, made);
        Ok(())
    }

    /// The two halves of a piece of a line, cut between words.
    fn halves(&self, piece: &Piece, shown: &dyn Shown) -> Result<[Piece; 2], StepError> {
        let text = match piece.part {
            Part::Line(line) => shown.line(line),
            Part::Summary(summary) => self.summaries[summary].text.clone(),
        };
        let (start, end) = piece.cut.unwrap_or((0, text.len()));
        let own = text.get(start..end).unwrap_or_default();
        if own.chars().count() < MIN_PIECE {
            return Err(StepError(
                "the prompt leaves no room for even a few words of a line: shorten it, lower `max_tokens`, or use a model that reads more"
                    .into(),
            ));
        }
        let middle = own.len() / 2;
        let before = |at: &usize| *at <= middle;
        let words = own.char_indices().filter(|(_, c)| c.is_whitespace()).map(|(at, _)| at);
        let letters = own.char_indices().map(|(at, _)| at);
        let cut = words.take_while(before).last().filter(|cut| *cut > own.len() / 4);
        let cut = cut.or_else(|| letters.take_while(before).last()).unwrap_or_default();
        let half = |from: usize, to: usize| Piece { part: piece.part, at: (piece.at.0, from), cut: Some((from, to)) };
        Ok([half(start, start + cut), half(start + cut, end)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An agent that reads at most `fits` characters of a prompt, and names what it read.
    struct Reader {
        fits: usize,
        asked: usize,
    }

    impl Reader {
        fn read(&mut self, chunk: &Chunk, lines: &Vec<String>) -> Said {
            self.asked += 1;
            let length = |piece: &Piece| match (piece.cut, piece.part) {
                (Some((from, to)), _) => to - from,
                (None, Part::Line(line)) => lines[line].len(),
                (None, Part::Summary(_)) => 10,
            };
            let mut room = self.fits;
            let read = chunk.pieces.iter().take_while(|piece| {
                let fits = length(piece) <= room;
                room = room.saturating_sub(length(piece));
                fits
            });
            let read = read.count();
            let unread = &chunk.pieces[read..];
            let left_out = unread.iter().map(|piece| lines.height(piece, &Tree::default())).sum();
            Said { text: format!("summary {}", self.asked), left_out, cited: Vec::new() }
        }
    }

    /// Grows a digest to its end, and gives its tree and the number of exchanges.
    fn check(lines: &Vec<String>, groups: &[Vec<usize>], limits: Limits, fits: usize) -> Result<(Tree, usize), String> {
        let mut reader = Reader { fits, asked: 0 };
        let mut turns: Vec<Vec<Said>> = Vec::new();
        for _ in 0..1000 {
            match grow(groups, limits, lines, &turns).map_err(|error| error.0)? {
                TreeGrowth::Done(tree) => return Ok((tree, reader.asked)),
                TreeGrowth::Ask(chunks, _) => {
                    assert!(chunks.iter().all(|chunk| (1..=limits.entries).contains(&chunk.pieces.len())));
                    let said = chunks.iter().map(|chunk| reader.read(chunk, lines)).collect();
                    turns.push(said);
                }
            }
        }
        panic!("the digest does not end");
    }

    /// The lines that a part rests on.
    fn leaves(part: Part, tree: &Tree) -> Vec<usize> {
        match part {
            Part::Line(line) => vec![line],
            Part::Summary(n) => tree.summaries[n].parts.iter().flat_map(|part| leaves(*part, tree)).collect(),
        }
    }

    fn lines(count: usize, length: usize) -> Vec<String> {
        (0..count).map(|n| format!("{n} ").repeat(length)).map(|line| line[..length].to_owned()).collect()
    }

    impl Shown for Vec<String> {
        fn line(&self, line: usize) -> String {
            self[line].clone()
        }
        fn height(&self, piece: &Piece, _: &Tree) -> usize {
            // a summary with a level of its own takes two lines here
            if matches!(piece.part, Part::Line(_)) { 1 } else { 2 }
        }
    }

    const LIMITS: Limits = Limits { entries: 8, summaries: 8, levels: None };

    #[test]
    fn every_line_is_summarised_once_in_order() {
        for count in [1, 2, 8, 9, 64, 65, 1000] {
            let all: Vec<usize> = (0..count).collect();
            let (tree, asked) = check(&lines(count, 40), std::slice::from_ref(&all), LIMITS, 10_000).expect("a digest");
            let [top] = tree.top.as_slice() else { panic!("{count}: {:?}", tree.top) };
            assert_eq!(leaves(*top, &tree), all);
            assert!(asked <= count.div_ceil(7) + 2, "{count} lines, {asked} exchanges");
            let Part::Summary(top) = top else { panic!("a summary") };
            let expected = (count as f64).log(8.0).ceil().max(1.0) as usize;
            assert_eq!(tree.summaries[*top].level, expected, "{count}");
        }
        let (tree, asked) = check(&Vec::new(), &[vec![]], LIMITS, 100).expect("a digest");
        assert_eq!((tree, asked), (Tree::default(), 0));
    }

    #[test]
    fn what_does_not_fit_is_read_in_another_prompt() {
        // two lines fit, although eight are allowed
        let all: Vec<usize> = (0..20).collect();
        let (tree, _) = check(&lines(20, 40), std::slice::from_ref(&all), LIMITS, 90).expect("a digest");
        assert_eq!(leaves(tree.top[0], &tree), all);
        let firsts = tree.summaries.iter().filter(|summary| summary.level == 1);
        assert!(firsts.clone().all(|summary| summary.parts.len() <= 2) && firsts.count() >= 10);
    }

    #[test]
    fn a_line_longer_than_a_prompt_is_read_in_pieces() {
        let mut all = lines(3, 40);
        all[1] = "word ".repeat(200);
        let (tree, _) = check(&all, &[vec![0, 1, 2]], LIMITS, 100).expect("a digest");
        assert_eq!(tree.top.len(), 1);
        let mut read = leaves(tree.top[0], &tree);
        assert!(read.iter().filter(|line| **line == 1).count() >= 10, "{read:?}");
        read.dedup();
        assert_eq!(read, [0, 1, 2]);
        let error = check(&all, &[vec![0, 1, 2]], LIMITS, 8).expect_err("no room");
        assert!(error.starts_with("the prompt leaves no room"), "{error}");
        let error = check(&lines(30, 12), &[(0..30).collect()], LIMITS, 15).expect_err("no room");
        assert!(error.starts_with("two summaries are too long"), "{error}");
    }

    #[test]
    fn groups_are_summarised_apart_first() {
        let groups = [(0..3).collect(), (3..20).collect(), vec![20]];
        let (tree, _) = check(&lines(21, 40), &groups, LIMITS, 10_000).expect("a digest");
        let Part::Summary(top) = tree.top[0] else { panic!("a summary") };
        let below = &tree.summaries[top].parts;
        assert_eq!(below.iter().map(|part| leaves(*part, &tree)).collect::<Vec<_>>(), groups);
        // limited levels leave several entries at the top
        let (tree, _) = check(&lines(21, 40), &groups, Limits { levels: Some(1), ..LIMITS }, 10_000).expect("a digest");
        assert_eq!(tree.top.len(), 5);
    }

    #[test]
    fn citations_narrow_what_a_summary_rests_on() {
        let said = |cited: &[usize]| vec![vec![Said { text: "s".into(), left_out: 0, cited: cited.to_vec() }]];
        let parts = |cited: &[usize]| match grow(&[vec![4, 5, 6]], LIMITS, &lines(7, 9), &said(cited)) {
            Ok(TreeGrowth::Done(tree)) => leaves(tree.top[0], &tree),
            other => panic!("{other:?}"),
        };
        assert_eq!(parts(&[]), [4, 5, 6]);
        assert_eq!(parts(&[2, 3, 9]), [5, 6]);
    }
}
