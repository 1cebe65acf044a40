//! When a limit ends, as the CLIs say it to people: "try again at 3:37 AM", "resets 2am (UTC)", "retry in 34.1s".

use std::sync::LazyLock;

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan as _, Zoned};
use regex::{Captures, Regex};

/// After these words comes a time, or how long it takes.
static SPAN: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?i)(?:try again|retry|resets?) (?:in|after) ((?:\d+(?:\.\d+)? ?[a-z]+(?:, | and | )?)+)")
        .ok()
});
/// A part of a span.
static PART: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"(\d+(?:\.\d+)?) ?([A-Za-z]+)").ok());
static CLOCK: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r"(?ix)(?:try\ again\ at|resets?(?:\ at|\ on)?)\ +
            (?:(?<month>[a-z]{3})[a-z]*\.?\ (?<day>\d{1,2})(?:st|nd|rd|th)?(?:,\ (?<year>\d{4}))?(?:,|\ at)?\ +)?
            (?<hour>\d{1,2})(?::(?<minute>\d{2}))?\ ?(?<half>[ap])m\b(?:\ \((?<zone>[^)]+)\))?",
    )
    .ok()
});

/// The time at which a limit ends, by the words of a CLI at the time `now`, which has the time zone of this machine: codex
/// tells the time of day in it.
pub(crate) fn of_text(text: &str, now: &Zoned) -> Option<Timestamp> {
    let text = domain::head(text, 20_000);
    if let Some(found) = SPAN.as_ref()?.captures(&text) {
        return now.timestamp().checked_add(span(found.get(1)?.as_str())?).ok();
    }
    at_clock(&CLOCK.as_ref()?.captures(&text)?, now)
}

fn span(text: &str) -> Option<SignedDuration> {
    let mut whole = SignedDuration::ZERO;
    for part in PART.as_ref()?.captures_iter(text) {
        let unit = match part.get(2)?.as_str().to_ascii_lowercase().as_str() {
            "d" | "day" | "days" => 86_400.0,
            "h" | "hr" | "hrs" | "hour" | "hours" => 3_600.0,
            "m" | "min" | "mins" | "minute" | "minutes" => 60.0,
            "s" | "sec" | "secs" | "second" | "seconds" => 1.0,
            _ => break,
        };
        let number: f64 = part.get(1)?.as_str().parse().ok()?;
        whole = whole.checked_add(SignedDuration::try_from_secs_f64(number * unit).ok()?)?;
    }
    (!whole.is_zero()).then_some(whole)
}

/// Seconds are left out in what the CLIs say, so the end of that minute is meant, and of a time without a date the next one.
fn at_clock(found: &Captures<'_>, now: &Zoned) -> Option<Timestamp> {
    let number = |name: &str| found.name(name)?.as_str().parse::<i8>().ok();
    let half = if found.name("half")?.as_str().eq_ignore_ascii_case("p") { 12 } else { 0 };
    let hour = number("hour").filter(|hour| (1..=12).contains(hour))? % 12 + half;
    let time = Time::new(hour, number("minute").unwrap_or(0), 0, 0).ok()?;
    let zone = match found.name("zone").map(|zone| zone.as_str()) {
        None => now.time_zone().clone(),
        Some(name) if name.eq_ignore_ascii_case("UTC") => TimeZone::UTC,
        // Another zone than this machine's would need the time zones of the world: better no time than a wrong one.
        Some(name) if now.time_zone().iana_name() == Some(name) => now.time_zone().clone(),
        Some(_) => return None,
    };
    let here = now.with_time_zone(zone.clone());
    let at = |day: Date| {
        let at = day.to_datetime(time).to_zoned(zone.clone()).ok()?;
        at.checked_add(1.minute()).ok()
    };
    let Some(month) = found.name("month") else {
        let today = at(here.date())?;
        let next = if today < here { at(here.date().tomorrow().ok()?)? } else { today };
        return Some(next.timestamp());
    };
    let names = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    let month = names.iter().position(|name| month.as_str().eq_ignore_ascii_case(name))?;
    let month = i8::try_from(month + 1).ok()?;
    let year = found.name("year").and_then(|year| year.as_str().parse().ok()).unwrap_or(here.year());
    let day = Date::new(year, month, number("day")?).ok()?;
    Some(at(day)?.timestamp())
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn the_words_of_the_clis_are_understood() {
        let zone = TimeZone::fixed(jiff::tz::offset(2));
        let now = date(2026, 11, 21).at(3, 30, 20, 0).to_zoned(zone).unwrap();
        let check = |text: &str, wanted: Option<&str>| {
            let wanted = wanted.map(|at| at.parse::<Timestamp>().unwrap());
            assert_eq!(of_text(text, &now), wanted, "{text}");
        };
        // codex: the time of day here, without seconds; since some version with the date when it is not today.
        check("You’ve hit your usage limit. … or try again at 3:37 AM.", Some("2026-11-21T01:38:00Z"));
        check("try again at 3:30 AM.", Some("2026-11-21T01:31:00Z"));
        check("try again at 3:29 AM.", Some("2026-11-22T01:30:00Z"));
        check("try again at 12:05 PM.", Some("2026-11-21T10:06:00Z"));
        check("try again at 12:05 AM.", Some("2026-11-21T22:06:00Z"));
        check("try again at Nov 24th, 2026 9:00 PM.", Some("2026-11-24T19:01:00Z"));
        check("try again in 2 days 3 hours 5 minutes.", Some("2026-11-23T04:35:20Z"));
        check("Please try again in 2s. Visit https://platform.openai.com", Some("2026-11-21T01:30:22Z"));
        check("Please try again in 1m30.5s.", Some("2026-11-21T01:31:50.5Z"));
        // claude: with its zone.
        check("You've hit your 5-hour limit · resets 3:28am (UTC)", Some("2026-11-21T03:29:00Z"));
        check("You've hit your weekly limit · resets Nov 24, 2am (UTC)", Some("2026-11-24T02:01:00Z"));
        check("You've hit your limit · resets 2am (Mars/Olympus)", None);
        // gemini: how long.
        check(
            "You exceeded your current quota. Please retry in 34.074824224s.",
            Some("2026-11-21T01:30:54.074824224Z"),
        );
        check("Your quota will reset after 2h13m5s.", Some("2026-11-21T03:43:25Z"));
        check("Suggested retry after 3600s.", Some("2026-11-21T02:30:20Z"));
        for nothing in [
            "",
            "try again",
            "try again at 25:00 AM",
            "retry in a moment",
            "retry in 3 moments",
            "resets 13am",
            "try again at Foo 1, 2am",
        ] {
            check(nothing, None);
        }
    }
}
