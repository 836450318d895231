//! YAML as a tree in which every key and value has its position. Limits refuse hostile input (alias bombs, depth,
//! megabytes). Duplicate keys stay in the tree, and the reader of the mapping reports them.

use super::{Reading, slips};
use crate::problem::Pos;
use granit_parser::{Event, Parser, ScalarStyle, Span};
use std::collections::HashMap;

/// Maximum size of a file, in bytes.
pub const MAX_BYTES: usize = 1 << 20;
/// Maximum nesting of lists and mappings.
pub const MAX_DEPTH: usize = 48;
/// Maximum number of values in one file, with aliases expanded.
pub const MAX_NODES: usize = 100_000;
/// Maximum text in one file, in bytes, with aliases expanded. A file without aliases always stays below it.
pub(super) const MAX_TEXT: usize = 2 * MAX_BYTES;

/// The style of a text. It determines the file position of a place inside the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TextStyle {
    /// Without quotes.
    #[default]
    Plain,
    /// In quotes.
    Quoted,
    /// A literal block (`|`), with this many columns of indentation.
    Literal(usize),
    /// A folded block (`>`), whose lines are joined.
    Folded,
}

/// A value with its position.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// The start of the value.
    pub pos: Pos,
    /// The value.
    pub data: Data,
}

/// A YAML value.
#[derive(Debug, Clone, PartialEq)]
pub enum Data {
    /// `null`, `~` or an empty value.
    Null,
    /// `true`, `false`.
    Bool(bool),
    /// A number.
    Number(f64),
    /// Text and its style.
    Text(String, TextStyle),
    /// A list.
    List(Vec<Node>),
    /// A mapping, in order; keys may repeat.
    Map(Vec<(YamlKey, Node)>),
}

/// A key with its position.
#[derive(Debug, Clone, PartialEq)]
pub struct YamlKey {
    /// The start of the key.
    pub pos: Pos,
    /// The key.
    pub name: String,
}

impl Node {
    /// The value in a few words, for messages.
    pub fn describe(&self) -> String {
        let brief = |text: &str| {
            let short: String = text.chars().take(40).collect();
            if short.len() < text.len() { format!("`{short}…`") } else { format!("`{short}`") }
        };
        match &self.data {
            Data::Null => "nothing".into(),
            Data::Bool(truth) => format!("`{truth}`"),
            Data::Number(number) => format!("number {number}"),
            Data::Text(text, _) => format!("text {}", brief(text)),
            Data::List(_) => "a list".into(),
            Data::Map(_) => "a mapping".into(),
        }
    }

    /// Finds the file positions of byte offsets inside this text.
    pub fn places(&self) -> TextPositions<'_> {
        TextPositions { node: self, read: 0, line: 0, column: 0 }
    }
}

/// Finds file positions inside a text; folded texts and continued lines give the start of the text. Each search
/// continues from the previous one, so that growing offsets cost one pass over the text.
#[derive(Debug)]
pub struct TextPositions<'n> {
    node: &'n Node,
    /// The bytes read so far.
    read: usize,
    /// The line breaks in them, and the characters after the last line break.
    line: usize,
    column: usize,
}

impl TextPositions<'_> {
    /// The file position of a byte offset.
    pub fn at(&mut self, offset: usize) -> Pos {
        let node = self.node;
        let Data::Text(text, style) = &node.data else { return node.pos };
        let end = text.floor_char_boundary(offset);
        if end < self.read {
            (self.read, self.line, self.column) = (0, 0, 0);
        }
        for c in text[self.read..end].chars() {
            (self.line, self.column) = if c == '\n' { (self.line + 1, 0) } else { (self.line, self.column + 1) };
        }
        self.read = end;
        let (line, column) = (self.line, self.column);
        match style {
            TextStyle::Plain if line == 0 => Pos { column: node.pos.column + column, ..node.pos },
            TextStyle::Quoted if line == 0 => Pos { column: node.pos.column + 1 + column, ..node.pos },
            TextStyle::Literal(indent) => Pos { line: node.pos.line + 1 + line, column: indent + column + 1 },
            _ => node.pos,
        }
    }
}

/// Reads one document. Reports the problem and returns `None` if the text is not readable YAML.
pub(super) fn read(source: &str, reading: &mut Reading) -> Option<Node> {
    if source.len() > MAX_BYTES {
        let message = format!("found {} bytes, expected at most {MAX_BYTES}", source.len());
        reading.problem("too-large", Pos { line: 1, column: 1 }, message, None);
        return None;
    }
    let ends = source.match_indices('\n').map(|(end, _)| end + 1);
    let line_starts = std::iter::once(0).chain(ends).collect();
    let mut builder =
        Builder { source, line_starts, open: Vec::new(), anchors: HashMap::new(), size: Size::default(), root: None };
    for next in Parser::new_from_str(source) {
        let stop = match next {
            Ok((event, span)) => builder.event(event, span),
            Err(error) => {
                let pos = Pos { line: error.marker().line().max(1), column: error.marker().col() + 1 };
                let (message, hint) = slips::syntax(&error.info(), builder.line(pos.line));
                Err(Refusal { hint, ..Refusal::new("yaml-syntax", pos, message) })
            }
        };
        if let Err(refusal) = stop {
            let hint = refusal.hint.or_else(|| slips::unquoted(builder.line(refusal.pos.line)));
            reading.problem(refusal.code, refusal.pos, refusal.message, hint);
            return None;
        }
    }
    if builder.root.is_none() {
        reading.problem(
            "yaml-syntax",
            Pos { line: 1, column: 1 },
            "found an empty file, expected a mapping".into(),
            None,
        );
    }
    builder.root
}

struct Refusal {
    code: &'static str,
    pos: Pos,
    message: String,
    hint: Option<String>,
}

impl Refusal {
    fn new(code: &'static str, pos: Pos, message: String) -> Refusal {
        Refusal { code, pos, message, hint: None }
    }
}

/// A list or mapping whose end has not been read yet.
struct Open {
    pos: Pos,
    anchor: usize,
    data: Data,
    key: Option<YamlKey>,
}

struct Builder<'s> {
    source: &'s str,
    /// The byte offset of each line.
    line_starts: Vec<usize>,
    open: Vec<Open>,
    anchors: HashMap<usize, (Node, Size)>,
    /// The size of everything kept so far.
    size: Size,
    root: Option<Node>,
}

/// The size of a value with all its content.
#[derive(Debug, Clone, Copy, Default)]
struct Size {
    values: usize,
    /// Bytes of text, including keys.
    text: usize,
}

impl Size {
    fn of(node: &Node) -> Size {
        let one = |text: usize| Size { values: 1, text };
        match &node.data {
            Data::Text(text, _) => one(text.len()),
            Data::List(items) => items.iter().map(Size::of).fold(one(0), Size::and),
            Data::Map(entries) => entries.iter().fold(one(0), |size, (key, value)| {
                size.and(Size { values: 0, text: key.name.len() }).and(Size::of(value))
            }),
            _ => one(0),
        }
    }

    fn and(self, more: Size) -> Size {
        Size { values: self.values + more.values, text: self.text + more.text }
    }

    fn refused(self, pos: Pos) -> Result<(), Refusal> {
        let message = if self.values > MAX_NODES {
            format!("found more than {MAX_NODES} values (aliases count each time they are used)")
        } else if self.text > MAX_TEXT {
            format!("found more than {MAX_TEXT} bytes of text (aliases count each time they are used)")
        } else {
            return Ok(());
        };
        Err(Refusal::new("too-large", pos, message))
    }
}

impl Builder<'_> {
    /// The line with this number, counted from 1.
    fn line(&self, line: usize) -> &str {
        let start = self.line_starts.get(line.saturating_sub(1)).copied().unwrap_or(self.source.len());
        self.source[start..].lines().next().unwrap_or_default()
    }

    fn event(&mut self, event: Event<'_>, span: Span) -> Result<(), Refusal> {
        let mut pos = Pos { line: span.start.line().max(1), column: span.start.col() + 1 };
        if let Event::Scalar(_, ScalarStyle::Literal, ..) = &event {
            // the parser may point at the text below the `|`; positions inside the text count from the line of the `|`
            let start = self.line_starts.get(pos.line - 1).copied().unwrap_or(0);
            let line = self.source[start..].lines().next().unwrap_or_default();
            if !line.chars().skip(pos.column - 1).any(|c| c == '|') && pos.line > 1 {
                pos.line -= 1;
            }
        }
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let forced_text = tag.is_some_and(|tag| tag.is_yaml_core_schema_tag("str"));
                let data = self.scalar(&text, style, forced_text, pos);
                let node = Node { pos, data };
                let size = Size::of(&node);
                self.finish(node, anchor, size)
            }
            Event::SequenceStart(_, anchor, _) => self.start(Data::List(Vec::new()), pos, anchor),
            Event::MappingStart(_, anchor, _) => self.start(Data::Map(Vec::new()), pos, anchor),
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                // the content was counted when it was read
                Some(open) => {
                    self.finish(Node { pos: open.pos, data: open.data }, open.anchor, Size { values: 1, text: 0 })
                }
                None => Ok(()),
            },
            Event::Alias(id) => match self.anchors.get(&id) {
                Some((node, _)) if depth(node) + self.open.len() > MAX_DEPTH => Err(too_deep(pos)),
                Some((node, size)) => {
                    // the check comes before the copy
                    self.size.and(*size).refused(pos)?;
                    let (node, size) = (Node { pos, data: node.data.clone() }, *size);
                    self.finish(node, 0, size)
                }
                None => Err(Refusal::new("yaml-syntax", pos, "found an alias to a value that contains it".into())),
            },
            Event::DocumentStart(..) if self.root.is_some() => {
                let message = "found a second document, expected one in a file".into();
                Err(Refusal::new("yaml-syntax", pos, message))
            }
            _ => Ok(()),
        }
    }

    fn start(&mut self, data: Data, pos: Pos, anchor: usize) -> Result<(), Refusal> {
        if self.open.len() >= MAX_DEPTH {
            return Err(too_deep(pos));
        }
        self.open.push(Open { pos, anchor, data, key: None });
        Ok(())
    }

    /// Puts a finished value into its parent; `size` is the part that was not counted before.
    fn finish(&mut self, node: Node, anchor: usize, size: Size) -> Result<(), Refusal> {
        self.size = self.size.and(size);
        self.size.refused(node.pos)?;
        if anchor > 0 {
            let whole = Size::of(&node);
            // the copy that the anchor keeps counts too
            self.size = self.size.and(whole);
            self.size.refused(node.pos)?;
            self.anchors.insert(anchor, (node.clone(), whole));
        }
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        match (&mut open.data, open.key.take()) {
            (Data::Map(entries), Some(key)) => entries.push((key, node)),
            (Data::Map(_), None) => {
                let name = match node.data {
                    Data::Text(name, _) => name,
                    Data::Bool(truth) => truth.to_string(),
                    Data::Number(number) => number.to_string(),
                    Data::Null => "null".into(),
                    Data::List(_) | Data::Map(_) => {
                        let message = format!("found {} as a key, expected text", node.describe());
                        return Err(Refusal::new("wrong-type", node.pos, message));
                    }
                };
                open.key = Some(YamlKey { pos: node.pos, name });
            }
            (Data::List(items), _) => items.push(node),
            _ => {}
        }
        Ok(())
    }

    fn scalar(&self, text: &str, style: ScalarStyle, forced_text: bool, pos: Pos) -> Data {
        let style = match style {
            ScalarStyle::Plain if forced_text => TextStyle::Plain,
            ScalarStyle::Plain => return plain(text),
            ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => TextStyle::Quoted,
            ScalarStyle::Literal => TextStyle::Literal(self.indent_below(pos.line)),
            ScalarStyle::Folded => TextStyle::Folded,
        };
        Data::Text(text.to_owned(), style)
    }

    /// The indentation of the first line with text below `line`.
    fn indent_below(&self, line: usize) -> usize {
        let start = self.line_starts.get(line).copied().unwrap_or(self.source.len());
        let below = self.source[start..].lines().find(|line| !line.trim().is_empty());
        below.map_or(0, |line| line.len() - line.trim_start_matches(' ').len())
    }
}

fn too_deep(pos: Pos) -> Refusal {
    let message = format!("found more than {MAX_DEPTH} nested lists and mappings");
    Refusal::new("too-large", pos, message)
}

fn depth(node: &Node) -> usize {
    match &node.data {
        Data::List(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Data::Map(entries) => 1 + entries.iter().map(|(_, value)| depth(value)).max().unwrap_or(0),
        _ => 0,
    }
}

/// A text without quotes, interpreted by the YAML 1.2 core schema.
fn plain(text: &str) -> Data {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Data::Null,
        "true" | "True" | "TRUE" => return Data::Bool(true),
        "false" | "False" | "FALSE" => return Data::Bool(false),
        _ => {}
    }
    let numeric = text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c))
        && text.chars().all(|c| c.is_ascii_digit() || "+-.eE".contains(c));
    match text.parse::<f64>() {
        // a number beyond f64 would display as `inf`, so it stays text
        Ok(number) if numeric && number.is_finite() => Data::Number(number),
        _ => Data::Text(text.to_owned(), TextStyle::Plain),
    }
}
