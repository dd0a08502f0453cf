//! Times as the interface writes them: RFC 3339, UTC, with milliseconds.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, UtcOffset};

/// A moment. Written as `2026-01-31T12:34:56.789Z`; any RFC 3339 time is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(OffsetDateTime);

impl Time {
    /// The Unix epoch: what stands where a record lacks a time it should have.
    pub const EPOCH: Self = Self(OffsetDateTime::UNIX_EPOCH);

    /// Returns the moment `seconds` and `nanos` after the Unix epoch, or `None` where no calendar date has it.
    pub fn from_unix(seconds: i64, nanos: i32) -> Option<Self> {
        let moment = i128::from(seconds) * 1_000_000_000 + i128::from(nanos);
        OffsetDateTime::from_unix_timestamp_nanos(moment).ok().map(Self)
    }

    /// Returns the moment now.
    pub fn now() -> Self {
        Self(OffsetDateTime::now_utc())
    }

    /// Returns how many whole seconds passed from `earlier` to this moment; negative when it is later.
    pub fn seconds_since(self, earlier: Self) -> i64 {
        (self.0 - earlier.0).whole_seconds()
    }
}

impl From<std::time::SystemTime> for Time {
    fn from(moment: std::time::SystemTime) -> Self {
        Self(moment.into())
    }
}

/// The date of a day that is counted from 1970-01-01, as `2026-01-31`.
pub fn date(day: u32) -> String {
    let date = Time::from_unix(i64::from(day) * 86_400, 0).unwrap_or(Time::EPOCH).0.date();
    format!("{:04}-{:02}-{:02}", date.year(), u8::from(date.month()), date.day())
}

impl fmt::Display for Time {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let moment = self.0.to_offset(UtcOffset::UTC);
        let (hour, minute, second, milli) = moment.time().as_hms_milli();
        let (year, month, day) = moment.to_calendar_date();
        let month = u8::from(month);
        write!(
            formatter,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z"
        )
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        OffsetDateTime::parse(&text, &Rfc3339).map(Self).map_err(D::Error::custom)
    }
}

impl JsonSchema for Time {
    fn schema_name() -> Cow<'static, str> {
        "Time".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "format": "date-time",
            "description": "A moment in UTC with milliseconds, as RFC 3339 writes it.",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_with_milliseconds_and_read_in_any_zone() {
        let cases = [
            (0, 0, "1970-01-01T00:00:00.000Z"),
            (1_769_862_896, 789_999_999, "2026-01-31T12:34:56.789Z"),
            (-1, 0, "1969-12-31T23:59:59.000Z"),
        ];
        for (seconds, nanos, text) in cases {
            assert_eq!(Time::from_unix(seconds, nanos).unwrap().to_string(), text);
        }
        let zoned: Time = serde_json::from_str("\"2026-01-31T14:34:56+02:00\"").unwrap();
        assert_eq!(serde_json::to_string(&zoned).unwrap(), "\"2026-01-31T12:34:56.000Z\"");
        assert!(serde_json::from_str::<Time>("\"yesterday\"").is_err());
        assert_eq!(Time::from_unix(i64::MAX, 0), None);
    }
}
