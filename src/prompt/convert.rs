//! Converts values for templates and back. Media, moments and candidates keep their identity.

use crate::{
    value::size::Room,
    value::{ImageFile, Media, Moment, Scored, Value},
};
use minijinja::value::{Enumerator, Object, ObjectRepr, Value as Shown, ValueKind};
use std::{
    fmt,
    sync::{Arc, LazyLock},
};

/// The view of `value` in a template.
pub(super) fn shown(value: &Value) -> Shown {
    match value {
        Value::Nothing => NOTHING.clone(),
        Value::Truth(truth) => Shown::from(*truth),
        Value::Number(number) => number_shown(*number),
        Value::Text(text) => Shown::from(text.as_str()),
        Value::Video(media) => Shown::from_object(MediaShown { media: media.clone(), sound: false }),
        Value::Audio(media) => Shown::from_object(MediaShown { media: media.clone(), sound: true }),
        Value::Image(image) => Shown::from_object(ImageShown(image.clone())),
        Value::Moment(moment) => Shown::from_object(MomentShown(moment.clone())),
        Value::Scored(scored) => Shown::from_object(ScoredShown(scored.clone())),
        Value::Vector(vector) => Shown::from_object(VectorShown(vector.clone())),
        Value::List(items) => items.iter().map(shown).collect::<Vec<_>>().into(),
        Value::Record(fields) => Shown::from_pairs(fields.iter().map(|(name, value)| (name.clone(), shown(value)))),
    }
}

/// A number without a decimal point if it is whole.
fn number_shown(number: f64) -> Shown {
    if number.fract() == 0.0 && number.abs() < 9e15 { Shown::from(number as i64) } else { Shown::from(number) }
}

/// The value that a template computed. Its parts may be shared many times, so its size is counted during the
/// conversion.
pub(super) fn from_shown(shown: &Shown, room: &mut Room) -> Result<Value, String> {
    let value = match identity(shown) {
        Some(value) => value,
        None => computed(shown, room)?,
    };
    room.take(&value)?;
    Ok(value)
}

fn computed(shown: &Shown, room: &mut Room) -> Result<Value, String> {
    Ok(match shown.kind() {
        ValueKind::Undefined => return Err("the value is undefined".into()),
        ValueKind::None => Value::Nothing,
        ValueKind::Bool => Value::Truth(shown.is_true()),
        ValueKind::Number => match f64::try_from(shown.clone()).map_err(|e| e.to_string())? {
            number if number.is_finite() => Value::Number(number),
            // JSON cannot represent such a number, so a transcript would be unreadable
            number => return Err(format!("the value is {number}, but numbers must be finite")),
        },
        ValueKind::String => Value::Text(shown.as_str().unwrap_or_default().to_owned()),
        ValueKind::Seq | ValueKind::Iterable => {
            let items = shown.try_iter().map_err(|e| e.to_string())?;
            room.inside(|room| items.map(|item| from_shown(&item, room)).collect::<Result<_, _>>().map(Value::List))?
        }
        ValueKind::Map => {
            let field = |key: Shown, room: &mut Room| {
                let field = shown.get_item(&key).map_err(|e| e.to_string())?;
                Ok::<_, String>((key.to_string(), from_shown(&field, room)?))
            };
            let keys = shown.try_iter().map_err(|e| e.to_string())?;
            room.inside(|room| keys.map(|key| field(key, room)).collect::<Result<_, _>>().map(Value::Record))?
        }
        ValueKind::Plain => Value::Text(shown.to_string()),
        kind => return Err(format!("a template yields {kind}, which a dialogue cannot use: {shown}")),
    })
}

/// The original value, for values that pass through templates unchanged.
fn identity(shown: &Shown) -> Option<Value> {
    shown.as_object()?;
    if let Some(media) = shown.downcast_object_ref::<MediaShown>() {
        let value = if media.sound { Value::Audio } else { Value::Video };
        return Some(value(media.media.clone()));
    }
    if let Some(moment) = shown.downcast_object_ref::<MomentShown>() {
        return Some(Value::Moment(moment.0.clone()));
    }
    if let Some(scored) = shown.downcast_object_ref::<ScoredShown>() {
        return Some(Value::Scored(scored.0.clone()));
    }
    if let Some(image) = shown.downcast_object_ref::<ImageShown>() {
        return Some(Value::Image(image.0.clone()));
    }
    if is_nothing(shown) {
        return Some(Value::Nothing);
    }
    shown.downcast_object_ref::<VectorShown>().map(|vector| Value::Vector(vector.0.clone()))
}

/// Nothing, as templates see it: false, displayed as `none`, and with every field nothing too. Therefore `{{
/// previous.draft or text }}` works in the first round of a loop, and for a skipped step.
#[derive(Debug)]
struct NothingShown;

static NOTHING: LazyLock<Shown> = LazyLock::new(|| Shown::from_object(NothingShown));

impl Object for NothingShown {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }
    fn get_value(self: &Arc<Self>, _: &Shown) -> Option<Shown> {
        Some(NOTHING.clone())
    }
    fn is_true(self: &Arc<Self>) -> bool {
        false
    }
    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("none")
    }
}

/// True for the nothing of a dialogue and for the `none` of a template.
pub(super) fn is_nothing(shown: &Shown) -> bool {
    shown.is_none() || shown.downcast_object_ref::<NothingShown>().is_some()
}

/// True for a vector, which holds nothing but numbers.
pub(super) fn is_vector(shown: &Shown) -> bool {
    shown.downcast_object_ref::<VectorShown>().is_some()
}

/// True for a medium or a moment. Both have a few known fields.
pub(super) fn is_whole(shown: &Shown) -> bool {
    shown.downcast_object_ref::<MediaShown>().is_some() || shown.downcast_object_ref::<MomentShown>().is_some()
}

/// The value with `none` for each nothing in it, as JSON needs it. The caller has bounded its size.
pub(super) fn with_none(shown: &Shown) -> Result<Shown, minijinja::Error> {
    if is_nothing(shown) {
        return Ok(Shown::from(()));
    }
    Ok(match shown.kind() {
        ValueKind::Seq | ValueKind::Iterable if shown.downcast_object_ref::<VectorShown>().is_none() => {
            shown.try_iter()?.map(|item| with_none(&item)).collect::<Result<Vec<_>, _>>()?.into()
        }
        ValueKind::Map => {
            let field = |key: Shown| Ok::<_, minijinja::Error>((key.clone(), with_none(&shown.get_item(&key)?)?));
            Shown::from_pairs(shown.try_iter()?.map(field).collect::<Result<Vec<_>, _>>()?)
        }
        _ => shown.clone(),
    })
}

#[derive(Debug)]
struct MediaShown {
    media: Arc<Media>,
    sound: bool,
}

/// The fields of a video or audio in templates; `audio` is nothing for a silent video.
pub(super) const MEDIA_ATTRIBUTES: &[&str] = &["path", "start", "end", "duration", "audio", "has_audio", "has_video"];

/// The fields of an audio that a walk visits.
const AUDIO_FIELDS: &[&str] = &["path", "start", "end", "duration", "has_audio", "has_video"];

impl Object for MediaShown {
    fn get_value(self: &Arc<Self>, key: &Shown) -> Option<Shown> {
        let media = &self.media;
        Some(match key.as_str()? {
            "path" => Shown::from(media.path.as_str()),
            "start" => number_shown(media.start.seconds()),
            "end" => number_shown(media.end.seconds()),
            "duration" => number_shown(media.end.seconds() - media.start.seconds()),
            "audio" if media.has_audio => Shown::from_object(MediaShown { media: media.clone(), sound: true }),
            "audio" => NOTHING.clone(),
            "has_audio" => Shown::from(media.has_audio),
            "has_video" => Shown::from(media.has_video),
            _ => return None,
        })
    }
    fn enumerate(self: &Arc<Self>) -> Enumerator {
        // the audio of an audio is itself, so a walk over that field would not end
        Enumerator::Str(if self.sound { AUDIO_FIELDS } else { MEDIA_ATTRIBUTES })
    }
    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.media.path)
    }
}

#[derive(Debug)]
struct ImageShown(ImageFile);

/// The fields of an image in templates.
pub(super) const IMAGE_ATTRIBUTES: &[&str] = &["path"];

impl Object for ImageShown {
    fn get_value(self: &Arc<Self>, key: &Shown) -> Option<Shown> {
        (key.as_str()? == "path").then(|| Shown::from(self.0.path.as_str()))
    }
    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Str(IMAGE_ATTRIBUTES)
    }
    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.path)
    }
}

#[derive(Debug)]
pub(super) struct MomentShown(pub Moment);

/// The fields of a moment in templates. Times are in seconds; `clock` is `HH:MM-HH:MM` of the medium's own clock, or
/// empty.
pub(super) const MOMENT_ATTRIBUTES: &[&str] = &["start", "end", "middle", "duration", "text", "video", "clock"];

impl Object for MomentShown {
    fn get_value(self: &Arc<Self>, key: &Shown) -> Option<Shown> {
        let (start, end) = (self.0.start.seconds(), self.0.end.seconds());
        Some(match key.as_str()? {
            "start" => number_shown(start),
            "end" => number_shown(end),
            "middle" => number_shown((start + end) / 2.0),
            "duration" => number_shown(end - start),
            "text" => Shown::from(self.0.text.as_deref().unwrap_or_default()),
            "video" => Shown::from_object(MediaShown { media: self.0.media.clone(), sound: false }),
            "clock" => Shown::from(self.0.clock().unwrap_or_default()),
            _ => return None,
        })
    }
    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Str(MOMENT_ATTRIBUTES)
    }
    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.text {
            Some(text) => f.write_str(text),
            None => write!(f, "{}-{}", self.0.start, self.0.end),
        }
    }
}

#[derive(Debug)]
struct ScoredShown(Scored);

/// The fields of a scored candidate in templates.
pub(super) const SCORED_ATTRIBUTES: &[&str] = &["text", "score", "probability"];

impl Object for ScoredShown {
    fn get_value(self: &Arc<Self>, key: &Shown) -> Option<Shown> {
        Some(match key.as_str()? {
            "text" => Shown::from(self.0.text.as_str()),
            "score" => Shown::from(f64::from(self.0.score)),
            "probability" => Shown::from(f64::from(self.0.probability)),
            _ => return None,
        })
    }
    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Str(SCORED_ATTRIBUTES)
    }
    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.text)
    }
}

#[derive(Debug)]
struct VectorShown(Vec<f32>);

impl Object for VectorShown {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }
    fn get_value(self: &Arc<Self>, key: &Shown) -> Option<Shown> {
        self.0.get(key.as_usize()?).map(|x| Shown::from(f64::from(*x)))
    }
    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Seq(self.0.len())
    }
}
