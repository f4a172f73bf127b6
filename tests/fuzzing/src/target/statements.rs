//! Forms and addresses of pages.

use chrono::{DateTime, Utc};
use yomitori_facility::Calendar;
use yomitori_server::{statement, web};

use super::ended;

/// The body of a form, for every statement that people can make.
pub(super) fn form(bytes: &[u8]) {
    let now = DateTime::<Utc>::from_timestamp(1_790_000_000, 0).expect("an instant");
    let calendar = Calendar::bundled();
    for statement in statement::all() {
        let names: Vec<&str> = statement.fields.iter().map(|field| field.name).collect();
        ended(web::accepts_form(bytes, &names));
        let typed = form_urlencoded::parse(bytes).into_owned().collect();
        if let Err(problems) = statement.check(&typed, now, &calendar) {
            assert!(!problems.is_empty(), "a refusal has a reason");
        }
    }
}

/// The query string of the dashboard.
pub(super) fn query(bytes: &[u8]) {
    ended(web::accepts_query(&String::from_utf8_lossy(bytes)));
}
