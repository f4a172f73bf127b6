//! Reads a submitted form strictly: every mistake is shown beside its field, and no typed text is lost.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::header;
use axum::http::request::Parts;
use chrono::{DateTime, Utc};
use futures_util::TryStreamExt as _;
use yomitori_facility::{Calendar, Text};

use crate::statement::{Problem, SURE, Statement, ValidStatement};
use crate::web::http::error::Failure;

/// The field that names the next page.
pub(super) const BACK: &str = "back";

/// Far more than any form of this server needs.
const BODY_LIMIT: usize = 16 << 10;
/// A larger body is read up to here and discarded, because a client that is cut off while sending never reads the
/// error.
const DISCARD_LIMIT: usize = 8 << 20;

/// A submitted form.
#[derive(Default)]
pub(in crate::web) struct Entered {
    typed: BTreeMap<String, String>,
    mistakes: BTreeMap<&'static str, Text>,
}

/// Reads the body of a form in which only the `known` names are allowed.
pub(in crate::web) async fn read(parts: &Parts, body: Body, known: &[&str]) -> Result<Entered, Failure> {
    let media = parts.headers.get(header::CONTENT_TYPE).and_then(|media| media.to_str().ok()).unwrap_or_default();
    let media = media.split(';').next().unwrap_or_default().trim();
    if !media.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Err(Failure::Media);
    }
    Entered::parse(&hear(body).await?, known)
}

/// Whether the bytes are a form in which only the `known` names occur, each once.
pub(in crate::web) fn is_well_formed(body: &[u8], known: &[&str]) -> bool {
    Entered::parse(body, known).is_ok()
}

async fn hear(body: Body) -> Result<Vec<u8>, Failure> {
    let (mut chunks, mut kept, mut heard) = (body.into_data_stream(), Vec::new(), 0_usize);
    while let Some(chunk) = chunks.try_next().await.map_err(|_| Failure::TooLarge)? {
        heard = heard.saturating_add(chunk.len());
        if heard <= BODY_LIMIT {
            kept.extend_from_slice(&chunk);
        } else if heard > DISCARD_LIMIT {
            break;
        }
    }
    if heard > BODY_LIMIT { Err(Failure::TooLarge) } else { Ok(kept) }
}

impl Entered {
    /// A form with values from the address.
    pub(in crate::web) fn prefilled(typed: BTreeMap<String, String>) -> Self {
        Self { typed, mistakes: BTreeMap::new() }
    }

    fn parse(body: &[u8], known: &[&str]) -> Result<Self, Failure> {
        let mut typed = BTreeMap::new();
        for pair in body.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
            let mut halves = pair.splitn(2, |byte| *byte == b'=');
            let name = decoded(halves.next().unwrap_or_default())?;
            let value = decoded(halves.next().unwrap_or_default())?;
            if !known.contains(&name.as_str()) {
                let shown: String = name.chars().filter(|letter| !letter.is_control()).take(60).collect();
                return Err(Failure::Form(Text::new(
                    format!("この入力欄はありません:「{shown}」。ページを開き直して入力してください。"),
                    format!("unknown field `{shown}`; open the page again and fill in its form."),
                )));
            }
            if typed.insert(name, value.trim().to_owned()).is_some() {
                return Err(Failure::Form(Text::fixed(
                    "同じ入力欄が2度送られました。ページを開き直して入力してください。",
                    "a field was sent twice; open the page again and fill in its form.",
                )));
            }
        }
        Ok(Self { typed, mistakes: BTreeMap::new() })
    }

    pub(in crate::web) fn typed(&self, name: &str) -> Option<&str> {
        self.typed.get(name).map(String::as_str).filter(|text| !text.is_empty())
    }

    /// The fields as they were sent.
    pub(in crate::web) const fn fields(&self) -> &BTreeMap<String, String> {
        &self.typed
    }

    pub(in crate::web) fn mistake(&self, name: &str) -> Option<&Text> {
        self.mistakes.get(name)
    }

    pub(in crate::web) fn mistakes(&self) -> usize {
        self.mistakes.len()
    }

    /// The next page, as a word that the page knows.
    pub(in crate::web) fn back(&self) -> &str {
        self.typed(BACK).unwrap_or_default()
    }

    /// Returns the statement if every field is valid; [`mistake`](Self::mistake) then returns the problems.
    pub(in crate::web) fn checked(
        &mut self,
        statement: &Statement,
        now: DateTime<Utc>,
        calendar: &Calendar,
    ) -> Option<ValidStatement> {
        let checked = statement.check(&self.typed, now, calendar);
        checked.map_err(|problems| problems.into_iter().for_each(|problem| self.refuse(problem))).ok()
    }

    /// Adds a problem with a field.
    pub(in crate::web) fn refuse(&mut self, Problem { field, text }: Problem) {
        self.mistakes.insert(field, text);
    }

    /// The doubt to confirm, if it is the only problem.
    pub(in crate::web) fn doubt(&self) -> Option<&Text> {
        self.mistakes.get(SURE).filter(|_| self.mistakes.len() == 1)
    }
}

/// Percent-decodes a text. Invalid UTF-8 is rejected and never replaced.
fn decoded(bytes: &[u8]) -> Result<String, Failure> {
    let spaced: Vec<u8> = bytes.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    let text = percent_encoding::percent_decode(&spaced).decode_utf8().map(std::borrow::Cow::into_owned);
    text.map_err(|_| {
        Failure::Form(Text::fixed(
            "文字コードがUTF-8ではありません。ページを開き直して入力してください。",
            "invalid UTF-8; open the page again and fill in its form.",
        ))
    })
}

#[cfg(test)]
mod tests;
