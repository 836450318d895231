//! Types of values: their notation, and which type fits where.

use super::Value;
use std::{fmt, str::FromStr, sync::Arc};

/// Maximum number of parts of a type; a larger type becomes `any`. Without this limit, types of steps that build on
/// each other would grow exponentially (`{ a: "{{ x }}", b: "{{ x }}" }`, repeated).
const MAX_PARTS: usize = 512;
/// Maximum nesting of a type; a deeper type becomes `any`.
const MAX_DEPTH: usize = 24;

/// The names of the types that a dialogue may write, besides `list of …`.
pub const TYPE_NAMES: &[&str] =
    &["any", "video", "audio", "image", "moment", "text", "number", "truth", "scored text", "vector", "record"];

/// The type of an input or of a step's value. `Any` if the check cannot know it before the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Type {
    /// Not known before the run.
    Any,
    /// `video`
    Video,
    /// `audio`
    Audio,
    /// `image`; a moment is accepted where an image is wanted (its frame).
    Image,
    /// `moment`
    Moment,
    /// `text`
    Text,
    /// `number`
    Number,
    /// `truth`
    Truth,
    /// `scored text`
    Scored,
    /// `vector`
    Vector,
    /// `record`; the fields that are known, in order (empty: any fields).
    Record(Arc<[(String, Type)]>),
    /// `list of …`
    List(Box<Type>),
    /// `… or nothing`, for `previous` and its fields, which are nothing in the first round of a loop. No file writes
    /// it.
    Optional(Box<Type>),
}

impl Type {
    /// The type `list of` this type.
    pub fn list(self) -> Type {
        Type::List(Box::new(self))
    }

    /// The type `TYPE or nothing` of this type. `any` includes nothing already.
    pub fn or_nothing(self) -> Type {
        match self {
            Type::Any | Type::Optional(_) => self,
            ty => Type::Optional(Box::new(ty)),
        }
    }

    /// The type of the value if it is not nothing.
    pub fn required(&self) -> &Type {
        if let Type::Optional(ty) = self { ty } else { self }
    }

    /// This type, or `any` if it has too many parts or levels.
    pub fn bounded(self) -> Type {
        let mut room = MAX_PARTS;
        if self.fits(&mut room, MAX_DEPTH) { self } else { Type::Any }
    }

    /// Takes this type's parts from `room`; false if they do not fit.
    fn fits(&self, room: &mut usize, depth: usize) -> bool {
        if *room == 0 || depth == 0 {
            return false;
        }
        *room -= 1;
        match self {
            Type::List(item) | Type::Optional(item) => item.fits(room, depth - 1),
            Type::Record(fields) => fields.iter().all(|(_, ty)| ty.fits(room, depth - 1)),
            _ => true,
        }
    }

    /// A record of these fields.
    pub fn record(fields: impl IntoIterator<Item = (String, Type)>) -> Type {
        Type::Record(fields.into_iter().collect())
    }

    /// True if a value of type `found` is accepted where this type is expected. `any` always fits. A moment gives its
    /// frame or its sound, a video gives its sound, and numbers, truths and candidates become text.
    pub fn accepts(&self, found: &Type) -> bool {
        match (self, found) {
            (Type::Any, _) | (_, Type::Any) => true,
            (Type::Optional(wanted), found) => wanted.accepts(found.required()),
            (Type::List(wanted), Type::List(found)) => wanted.accepts(found),
            (Type::List(wanted), Type::Vector) => wanted.accepts(&Type::Number),
            (Type::Record(wanted), Type::Record(found)) => {
                let has = |(name, ty): &(String, Type)| found.iter().any(|(n, f)| n == name && ty.accepts(f));
                found.is_empty() || wanted.iter().all(has)
            }
            (Type::Text, Type::Number | Type::Scored | Type::Truth) => true,
            (Type::Image, Type::Moment) | (Type::Audio, Type::Video | Type::Moment) => true,
            (wanted, found) => wanted == found,
        }
    }
}

impl Value {
    /// The value's type, as narrow as possible.
    pub fn ty(&self) -> Type {
        match self {
            Value::Nothing => Type::Any,
            Value::Truth(_) => Type::Truth,
            Value::Number(_) => Type::Number,
            Value::Text(_) => Type::Text,
            Value::Video(_) => Type::Video,
            Value::Audio(_) => Type::Audio,
            Value::Image(_) => Type::Image,
            Value::Moment(_) => Type::Moment,
            Value::Scored(_) => Type::Scored,
            Value::Vector(_) => Type::Vector,
            Value::List(items) => {
                let item = items.iter().map(Value::ty).reduce(|a, b| if a == b { a } else { Type::Any });
                item.unwrap_or(Type::Any).list()
            }
            Value::Record(fields) => Type::Record(fields.iter().map(|(name, v)| (name.clone(), v.ty())).collect()),
        }
    }
}

/// The notation of dialogues: `list of moment`.
impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Type::Any => "any",
            Type::Video => "video",
            Type::Audio => "audio",
            Type::Image => "image",
            Type::Moment => "moment",
            Type::Text => "text",
            Type::Number => "number",
            Type::Truth => "truth",
            Type::Scored => "scored text",
            Type::Vector => "vector",
            Type::Record(_) => "record",
            Type::List(item) => return write!(f, "list of {item}"),
            Type::Optional(ty) => return write!(f, "{ty} or nothing"),
        })
    }
}

impl FromStr for Type {
    type Err = String;
    fn from_str(text: &str) -> Result<Type, String> {
        if let Some(item) = text.trim().strip_prefix("list of ") {
            // a limit, because each prefix recurses and a hostile name can have many
            if item.matches("list of").count() > 8 {
                return Err("found more than eight nested lists".into());
            }
            return Ok(item.parse::<Type>()?.list());
        }
        Ok(match text.trim() {
            "any" => Type::Any,
            "video" => Type::Video,
            "audio" => Type::Audio,
            "image" => Type::Image,
            "moment" => Type::Moment,
            "text" => Type::Text,
            "number" => Type::Number,
            "truth" => Type::Truth,
            "scored text" | "scored" => Type::Scored,
            "vector" => Type::Vector,
            "record" => Type::Record(Default::default()),
            "list" => Type::Any.list(),
            other => return Err(format!("found type `{other}`, expected {} or `list of …`", TYPE_NAMES.join(", "))),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_read_as_they_are_written() {
        for text in TYPE_NAMES.iter().map(|name| (*name).to_owned()).chain(["list of list of text".to_owned()]) {
            assert_eq!(text.parse::<Type>().map(|ty| ty.to_string()), Ok(text));
        }
        assert!("txt".parse::<Type>().is_err());
    }

    #[test]
    fn moments_videos_and_candidates_fit_other_types() {
        let check = |wanted: &str, found: &str| {
            wanted.parse::<Type>().expect("a type").accepts(&found.parse::<Type>().expect("a type"))
        };
        assert!(check("image", "moment"));
        assert!(check("audio", "video"));
        assert!(check("text", "scored text"));
        assert!(check("list of text", "list of any"));
        assert!(!check("list of text", "text"));
        assert!(!check("moment", "image"));
        let (image, moment) = (Type::Image, Type::Moment);
        assert!(!image.accepts(&moment.clone().or_nothing()));
        assert!(image.or_nothing().accepts(&moment.clone().or_nothing()));
        assert_eq!(moment.list().or_nothing().or_nothing().to_string(), "list of moment or nothing");
        assert_eq!(Type::Any.or_nothing(), Type::Any);
    }
}
