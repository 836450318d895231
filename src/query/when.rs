//! Times as a question names them, before they are resolved: "on Tuesday at 9", "in the first two minutes".

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A time expression: a point, or the span that one or two points limit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct When {
    /// How the answer lies to the point.
    pub relation: TimeRelation,
    /// The point, or the first of two.
    pub point: Point,
    /// The second point of `between`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Point>,
}

/// How the answer lies to a point in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TimeRelation {
    /// At the point, or within the day or the part of a day.
    #[default]
    At,
    /// Near the point.
    Around,
    /// Earlier, on the same day if the point has a day and a time of day.
    Before,
    /// Later, on the same day if the point has a day and a time of day.
    After,
    /// From the point's beginning to now.
    Since,
    /// From the beginning to the point's end.
    Until,
    /// From the first point's beginning to the second point's end (a time of day: its beginning).
    Between,
}

/// A day, a part of the day and a time of day, each as far as the question names it. All that are given hold together.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Point {
    /// One day or several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub day: Option<Day>,
    /// The morning, the evening.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<PartOfDay>,
    /// A time of day, or a time in the medium.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<Mark>,
}

/// A time of day, or a time in a medium.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    /// A time of day.
    Clock {
        /// 0 to 24.
        hour: u8,
        /// 0 to 59.
        minute: u8,
        /// 0 to 59; none if the question names minutes only.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        second: Option<u8>,
        /// True if the hour may be one of the first or of the second half of the day ("at 8").
        #[serde(default)]
        either_half: bool,
        /// True if it may also be a time in the medium: "08:30" is half past eight, or 8 minutes and 30 seconds.
        #[serde(default)]
        or_media: bool,
    },
    /// So many seconds after the medium's start: "after 90 seconds", "at 45:10".
    Into(f64),
    /// The first seconds of the medium: "in the first two minutes".
    Opening(f64),
    /// The last seconds of the medium, or before now: "in the last hour".
    Closing(f64),
    /// The medium's beginning.
    Start,
    /// The medium's middle.
    Middle,
    /// The medium's end.
    End,
    /// So many seconds before now: "an hour ago".
    Ago(f64),
}

/// One day or several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Day {
    /// The day of now.
    Today,
    /// The day after now's.
    Tomorrow,
    /// So many days before now's: 1 is yesterday.
    DaysAgo(u32),
    /// The latest such weekday that is not after today; the one before today for `last` ("last Tuesday").
    Weekday {
        /// Which weekday.
        weekday: Weekday,
        /// True if today does not count.
        #[serde(default)]
        last: bool,
    },
    /// A date. Without a year or a month: the latest such day that is not after today.
    Date {
        /// As written, four digits.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        year: Option<i16>,
        /// The month.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        month: Option<Month>,
        /// 1 to 31.
        day: u8,
    },
    /// A week from Monday to Sunday, so many weeks before this one.
    WeeksAgo(u32),
    /// Saturday and Sunday: the latest that are not after today, or for `last` the latest that are over.
    Weekend {
        /// True if the weekend must be over.
        #[serde(default)]
        last: bool,
    },
    /// A calendar month, so many months before this one.
    MonthsAgo(u32),
    /// The latest such month that is not after this one, or of the year that is given.
    InMonth {
        /// The month.
        month: Month,
        /// As written, four digits.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        year: Option<i16>,
    },
    /// A calendar year, so many years before this one.
    YearsAgo(u32),
    /// A calendar year.
    InYear(i16),
    /// Today and the days before it, so many in all.
    LastDays(u32),
}

/// A part of the day. [`resolve`](super::resolve()) has its hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PartOfDay {
    /// 05:00 to 12:00.
    Morning,
    /// 11:30 to 14:00: "at lunchtime".
    Midday,
    /// 12:00 to 18:00.
    Afternoon,
    /// 17:00 to 23:00.
    Evening,
    /// 21:00 to 05:00 of the next day.
    Night,
    /// 18:00 to 05:00 of the next day: "tonight", "last night".
    EveningOrNight,
}

macro_rules! named {
    ($(#[$doc:meta])* $name:ident { $($(#[$each:meta])* $member:ident $word:literal $short:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $(#[doc = $word] $member),* }

        impl $name {
            /// All, in order.
            pub const ALL: &'static [$name] = &[$($name::$member),*];

            /// The English name.
            pub fn name(self) -> &'static str {
                match self { $($name::$member => $word),* }
            }

            /// The member with this name or its short form, both in lower case.
            pub(super) fn of(word: &str) -> Option<$name> {
                Self::ALL.iter().copied().zip([$($short),*]).find_map(|(member, short)| {
                    (member.name().eq_ignore_ascii_case(word) || short == word).then_some(member)
                })
            }

            /// From 1.
            pub fn number(self) -> i8 {
                self as i8 + 1
            }
        }
    };
}

named! {
    /// A day of the week; the week begins on Monday.
    Weekday {
        Monday "Monday" "mon", Tuesday "Tuesday" "tue", Wednesday "Wednesday" "wed", Thursday "Thursday" "thu",
        Friday "Friday" "fri", Saturday "Saturday" "sat", Sunday "Sunday" "sun",
    }
}

named! {
    /// A month.
    Month {
        January "January" "jan", February "February" "feb", March "March" "mar", April "April" "apr", May "May" "may",
        June "June" "jun", July "July" "jul", August "August" "aug", September "September" "sept",
        October "October" "oct", November "November" "nov", December "December" "dec",
    }
}
