//! All assumptions about desks and phones in one place, so that they can be printed and varied.

use std::fmt;

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A duration with a lognormal distribution.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogNormal {
    pub median_s: f64,
    pub sigma: f64,
}

/// Shares are between 0 and 1; pairs are the ends of a range from which a site or an act is drawn.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Assumptions {
    /// Shares of quiet clinics, busy clinics, hospitals, pharmacies.
    pub kinds: [f64; 4],
    /// Phones per day; a site's own mean is drawn from this range, small ones more often.
    pub phones_a_day: (f64, f64),
    /// Share of the phones that fail, by site.
    pub fails: (f64, f64),
    /// Share of the sites where no phone is ever read: the pairing was never set.
    pub never_works: f64,
    /// From the tap to the file of a phone that was read.
    pub phone_result: LogNormal,
    /// From the last tap of a phone that was not read to the file of the card that was used instead.
    pub card_result: LogNormal,
    /// The earliest time of a card's file.
    pub card_not_before_s: f64,
    /// Share of the patients who use the card after their phone was not read.
    pub card_after_failure: f64,
    /// Share of the patients who try again after their phone was not read, and the range of the pause in seconds.
    pub retries: f64,
    pub retry_after_s: (f64, f64),
    /// Share of the retries that succeed, if phones work.
    pub retry_succeeds: f64,
    /// Duration of a phone's tap.
    pub present_ms: (u32, u32),
    /// Share of the taps to which the official software is seen to react, if the pairing is set.
    pub in_use: f64,
    /// Share of the sites where PC/SC never shows the reaction.
    pub in_use_hidden: f64,
    /// Whether one face reader serves one patient at a time. If not, unrelated files are independent of the phones.
    pub one_at_a_time: bool,
    /// If so, the share of the phones during which another patient is served nevertheless.
    pub two_at_once: f64,
    /// Share of a day's checks in the morning.
    pub morning: f64,
    /// Share of the sites with brief accidental touches of the reader, and their number per day.
    pub noisy: f64,
    pub noise_a_day: (f64, f64),
    pub noise_ms: (u32, u32),
    /// Share of the sites where patients lay their card on the phone reader first, and the number per day.
    pub cards_on_reader: f64,
    pub cards_on_reader_a_day: (f64, f64),
    /// Shares of the sites where the desk enters none, half or all of the observations.
    pub records: [f64; 3],
    pub off_at_night: f64,
    /// Share of the sites with a loose cable, and of the days on which it comes off.
    pub loose_cable: f64,
    pub loose_days: f64,
    /// Share of the sites with a failing line, and of the days on which it fails.
    pub bad_line: f64,
    pub bad_line_days: f64,
    pub outage_hours: (f64, f64),
    /// Share of the terminals with a wrong clock, and the range of the error in seconds.
    pub wrong_clock: f64,
    pub wrong_clock_s: (f64, f64),
}

impl Default for Assumptions {
    fn default() -> Self {
        Self {
            kinds: [0.4, 0.25, 0.1, 0.25],
            phones_a_day: (0.05, 8.0),
            fails: (0.1, 0.4),
            never_works: 0.25,
            phone_result: LogNormal { median_s: 12.0, sigma: 0.5 },
            card_result: LogNormal { median_s: 50.0, sigma: 0.5 },
            card_not_before_s: 15.0,
            card_after_failure: 0.8,
            retries: 0.4,
            retry_after_s: (5.0, 20.0),
            retry_succeeds: 0.3,
            present_ms: (700, 3000),
            in_use: 0.9,
            in_use_hidden: 0.0,
            one_at_a_time: false,
            two_at_once: 0.15,
            morning: 0.65,
            noisy: 0.3,
            noise_a_day: (1.0, 6.0),
            noise_ms: (30, 250),
            cards_on_reader: 0.2,
            cards_on_reader_a_day: (0.2, 3.0),
            records: [0.5, 0.3, 0.2],
            off_at_night: 0.5,
            loose_cable: 0.1,
            loose_days: 0.3,
            bad_line: 0.1,
            bad_line_days: 0.1,
            outage_hours: (0.5, 20.0),
            wrong_clock: 0.1,
            wrong_clock_s: (-3000.0, 3000.0),
        }
    }
}

impl Assumptions {
    /// The same assumptions, with phones and cards that take `times` as long.
    #[must_use]
    pub fn slower(&self, times: f64) -> Self {
        let slower = |was: LogNormal| LogNormal { median_s: was.median_s * times, ..was };
        Self {
            phone_result: slower(self.phone_result),
            card_result: slower(self.card_result),
            card_not_before_s: self.card_not_before_s * times,
            ..self.clone()
        }
    }

    /// The same assumptions with the change in `text`, such as `never_works=0.5`; the value is JSON.
    ///
    /// # Errors
    /// If there is no such assumption, or the value is invalid.
    pub fn with(&self, text: &str) -> Result<Self> {
        let (name, value) = text.split_once('=').context("write NAME=VALUE")?;
        let mut all = serde_json::to_value(self)?;
        let Some(place) = all.get_mut(name) else {
            bail!("there is no assumption `{name}`; there are:\n{self}");
        };
        *place = serde_json::from_str(value).with_context(|| format!("`{value}` is no value"))?;
        serde_json::from_value(all).with_context(|| format!("`{value}` is no value for `{name}`"))
    }
}

impl fmt::Display for Assumptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Ok(Value::Object(all)) = serde_json::to_value(self) else { return Err(fmt::Error) };
        let mut column = 0;
        for (name, value) in all {
            let one = format!("{name}={value}");
            if column > 0 && column + one.len() > 110 {
                writeln!(f)?;
                column = 0;
            }
            write!(f, "  {one}")?;
            column += one.len() + 2;
        }
        Ok(())
    }
}
