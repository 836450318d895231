//! A query in one line for people: "last, where, topic: keys, on Tuesday".

use super::when::{Day, Mark, PartOfDay, Point, TimeRelation, When};
use super::{Asks, Beside, EventRelation, Order, Query};
use std::fmt::{Display, Formatter, Result};

impl Display for Query {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let mut parts: Vec<String> = Vec::new();
        if self.order != Order::None {
            parts.push(self.order.to_string());
        }
        if self.asks != Asks::Other {
            parts.push(self.asks.to_string());
        }
        if !self.topic.is_empty() {
            parts.push(format!("topic: {}", self.topic));
        }
        parts.extend(self.beside.as_ref().map(Beside::to_string));
        parts.extend(self.when.as_ref().map(When::to_string));
        if !self.unknown.is_empty() {
            parts.push(format!("not understood: {}", self.unknown.join(", ")));
        }
        f.write_str(&parts.join(", "))
    }
}

impl Display for Asks {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(match self {
            Asks::Where => "where",
            Asks::When => "when",
            Asks::Who => "who",
            Asks::What => "what",
            Asks::Which => "which",
            Asks::Why => "why",
            Asks::How => "how",
            Asks::HowMany => "how many times",
            Asks::HowManyDays => "how many days",
            Asks::HowManyOf => "how many",
            Asks::HowLong => "how long",
            Asks::YesNo => "yes or no",
            Asks::List => "list",
            Asks::Other => "other",
        })
    }
}

impl Display for Order {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Order::None => f.write_str("any"),
            Order::First => f.write_str("first"),
            Order::Last => f.write_str("last"),
            Order::Next => f.write_str("next"),
            Order::Nth(number) => write!(f, "number {number}"),
            Order::Again => f.write_str("again"),
            Order::Every => f.write_str("every"),
        }
    }
}

impl Display for Beside {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let near = if self.near { "right " } else { "" };
        let relation = match self.relation {
            EventRelation::Before => "before",
            EventRelation::After => "after",
            EventRelation::While => "while",
            EventRelation::Between => "between",
            EventRelation::Since => "since",
            EventRelation::Until => "until",
        };
        let order = if self.order.is_none() { String::new() } else { format!(" the {}", self.order) };
        write!(f, "{near}{relation}{order}: {}", self.event)?;
        self.other.as_ref().map_or(Ok(()), |other| write!(f, " and {other}"))
    }
}

impl Display for When {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let point = self.point.to_string();
        match self.relation {
            TimeRelation::At => {
                let word = match &self.point {
                    Point { day: Some(day), .. } => day.preposition(),
                    Point { part: Some(PartOfDay::Night | PartOfDay::Midday), .. } => "at ",
                    Point { part: Some(_), .. } => "in the ",
                    Point { time: Some(mark), .. } => mark.preposition(),
                    _ => "",
                };
                write!(f, "{word}{point}")
            }
            TimeRelation::Around => write!(f, "around {point}"),
            TimeRelation::Before => write!(f, "before {point}"),
            TimeRelation::After => write!(f, "after {point}"),
            TimeRelation::Since => write!(f, "since {point}"),
            TimeRelation::Until => write!(f, "until {point}"),
            TimeRelation::Between => {
                write!(f, "between {point} and {}", self.to.as_ref().map(Point::to_string).unwrap_or_default())
            }
        }
    }
}

impl Display for Point {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let parts = [
            self.day.map(|day| day.to_string()),
            self.part.map(|part| part.to_string()),
            self.time.map(|time| {
                if self.day.is_some() || self.part.is_some() {
                    format!("{}{time}", time.preposition())
                } else {
                    time.to_string()
                }
            }),
        ];
        f.write_str(&parts.into_iter().flatten().collect::<Vec<_>>().join(" "))
    }
}

impl Display for PartOfDay {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(match self {
            PartOfDay::Morning => "morning",
            PartOfDay::Midday => "midday",
            PartOfDay::Afternoon => "afternoon",
            PartOfDay::Evening => "evening",
            PartOfDay::Night => "night",
            PartOfDay::EveningOrNight => "evening or night",
        })
    }
}

impl Day {
    fn preposition(self) -> &'static str {
        match self {
            Day::Weekday { last: false, .. } | Day::Date { .. } => "on ",
            Day::InMonth { .. } | Day::InYear(_) | Day::LastDays(_) => "in ",
            Day::Weekend { .. } => "at ",
            _ => "",
        }
    }
}

impl Display for Day {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let ago = |f: &mut Formatter<'_>, number: u32, unit: &str| match number {
            0 => write!(f, "this {unit}"),
            1 => write!(f, "last {unit}"),
            number => write!(f, "{number} {unit}s ago"),
        };
        match *self {
            Day::Today => f.write_str("today"),
            Day::Tomorrow => f.write_str("tomorrow"),
            Day::DaysAgo(1) => f.write_str("yesterday"),
            Day::DaysAgo(days) => write!(f, "{days} days ago"),
            Day::Weekday { weekday, last } => write!(f, "{}{}", if last { "last " } else { "" }, weekday.name()),
            Day::Date { year: Some(year), month: Some(month), day } => {
                write!(f, "{year:04}-{:02}-{day:02}", month.number())
            }
            Day::Date { month: Some(month), day, .. } => write!(f, "{day} {}", month.name()),
            Day::Date { day, .. } => write!(f, "day {day}"),
            Day::WeeksAgo(weeks) => ago(f, weeks, "week"),
            Day::Weekend { last } => f.write_str(if last { "last weekend" } else { "the weekend" }),
            Day::MonthsAgo(months) => ago(f, months, "month"),
            Day::InMonth { month, year: Some(year) } => write!(f, "{} {year}", month.name()),
            Day::InMonth { month, year: None } => f.write_str(month.name()),
            Day::YearsAgo(years) => ago(f, years, "year"),
            Day::InYear(year) => write!(f, "{year}"),
            Day::LastDays(days) => write!(f, "the last {days} days"),
        }
    }
}

impl Mark {
    fn preposition(self) -> &'static str {
        match self {
            Mark::Opening(_) | Mark::Closing(_) => "in ",
            Mark::Ago(_) => "",
            _ => "at ",
        }
    }
}

impl Display for Mark {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match *self {
            Mark::Clock { hour, minute, second, either_half, .. } => {
                write!(f, "{hour:02}:{minute:02}")?;
                second.map_or(Ok(()), |second| write!(f, ":{second:02}"))?;
                f.write_str(if either_half { " (a.m. or p.m.)" } else { "" })
            }
            Mark::Into(seconds) => write!(f, "{} into the video", length(seconds)),
            Mark::Opening(seconds) => write!(f, "the first {}", length(seconds)),
            Mark::Closing(seconds) => write!(f, "the last {}", length(seconds)),
            Mark::Start => f.write_str("the beginning"),
            Mark::Middle => f.write_str("the middle"),
            Mark::End => f.write_str("the end"),
            Mark::Ago(seconds) => write!(f, "{} ago", length(seconds)),
        }
    }
}

/// A duration in the largest unit that leaves no rest: "2 minutes".
fn length(seconds: f64) -> String {
    let units = [(3600.0, "hour"), (60.0, "minute"), (1.0, "second")];
    let (unit_s, unit) = units.into_iter().find(|(unit_s, _)| seconds % unit_s == 0.0).unwrap_or((1.0, "second"));
    let number = seconds / unit_s;
    format!("{number} {unit}{}", if number == 1.0 { "" } else { "s" })
}
