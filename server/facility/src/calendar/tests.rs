//! The call centre's hours as published, and the edges of the holiday table.

use super::*;

fn jst(text: &str) -> DateTime<Utc> {
    format!("{text}+09:00").parse().unwrap()
}

/// The bundled calendar and the holidays of 2028 in the Cabinet Office's format.
fn until_2028() -> Calendar {
    let mut table = include_bytes!("../../data/holidays.csv").to_vec();
    for day in [
        "1/1", "1/10", "2/11", "2/23", "3/20", "4/29", "5/3", "5/4", "5/5", "7/17", "8/11", "9/18", "9/22", "10/9",
        "11/3", "11/23",
    ] {
        table.extend_from_slice(format!("2028/{day},\r\n").as_bytes());
    }
    Calendar::parse(&table).unwrap()
}

#[test]
fn the_call_centre_opens_as_the_notice_says() {
    let calendar = until_2028();
    let table = [
        ("2026-05-01T17:59:59", Opening::Open, "2026-05-01T17:59:59"),
        ("2026-05-01T18:00:00", Opening::Closed, "2026-05-02T08:00:00"),
        ("2026-05-02T15:59:00", Opening::Open, "2026-05-02T15:59:00"),
        ("2026-05-02T16:00:00", Opening::Closed, "2026-05-07T08:00:00"),
        ("2026-09-22T10:00:00", Opening::Closed, "2026-09-24T08:00:00"),
        ("2028-04-29T10:00:00", Opening::Closed, "2028-05-01T08:00:00"),
        ("2026-01-01T00:00:00", Opening::Closed, "2026-01-02T08:00:00"),
        ("2026-11-20T07:59:59.999", Opening::Closed, "2026-11-20T08:00:00"),
        ("2026-11-22T12:00:00", Opening::Closed, "2026-11-24T08:00:00"),
    ];
    for (at, opening, next) in table {
        assert_eq!(calendar.open(jst(at)), opening, "{at}");
        assert_eq!(calendar.next_opening(jst(at)), Some(jst(next)), "{at}");
    }
}

#[test]
fn an_opening_ends_at_the_hour_or_where_a_closure_begins() {
    let mut calendar = Calendar::bundled();
    calendar.close(jst("2026-12-28T12:00:00"), jst("2027-01-04T00:00:00"));
    for (at, until) in [
        ("2026-05-01T17:59:59", Some("2026-05-01T18:00:00")),
        ("2026-05-01T18:00:00", None),
        ("2026-05-02T08:00:00", Some("2026-05-02T16:00:00")),
        ("2026-09-22T10:00:00", None),
        ("2026-12-28T11:00:00", Some("2026-12-28T12:00:00")),
        ("2026-12-28T12:00:00", None),
        ("2031-05-01T10:00:00", None),
    ] {
        assert_eq!(calendar.open_until(jst(at)), until.map(jst), "{at}");
    }
}

#[test]
fn the_holidays_of_the_domain_are_there() {
    let calendar = Calendar::bundled();
    let of = |year: i32| -> Vec<String> {
        let days = calendar.holidays.iter().filter(|date| date.year() == year);
        days.map(|date| format!("{}/{}", date.month(), date.day())).collect()
    };
    assert_eq!(
        of(2026).join(" "),
        "1/1 1/12 2/11 2/23 3/20 4/29 5/3 5/4 5/5 5/6 7/20 8/11 9/21 9/22 9/23 10/12 11/3 11/23"
    );
    assert_eq!(
        of(2027).join(" "),
        "1/1 1/11 2/11 2/23 3/21 3/22 4/29 5/3 5/4 5/5 7/19 8/11 9/20 9/23 10/11 11/3 11/23"
    );
    assert_eq!(of(2025).len(), 19);
}

#[test]
fn past_the_last_year_nothing_is_claimed() {
    let calendar = Calendar::bundled();
    assert_eq!(calendar.last_year(), 2027);
    assert_eq!(calendar.open(jst("2028-01-04T10:00:00")), Opening::Unknown);
    assert_eq!(calendar.open(jst("2028-01-04T20:00:00")), Opening::Closed);
    assert_eq!(calendar.next_opening(jst("2027-12-31T18:00:00")), None);
    assert_eq!(calendar.next_opening(jst("2028-01-04T10:00:00")), None);
    assert_eq!(calendar.open(jst("2024-12-27T10:00:00")), Opening::Unknown);
}

#[test]
fn a_closure_shuts_an_open_day() {
    let mut calendar = Calendar::bundled();
    calendar.close(jst("2025-12-29T00:00:00"), jst("2026-01-04T00:00:00"));
    calendar.close(jst("2026-01-05T08:00:00"), jst("2026-01-05T12:00:00"));
    assert_eq!(calendar.open(jst("2026-01-02T10:00:00")), Opening::Closed);
    assert_eq!(calendar.next_opening(jst("2026-01-01T00:00:00")), Some(jst("2026-01-05T12:00:00")));
    assert_eq!(calendar.next_opening(jst("2025-12-28T00:00:00")), Some(jst("2026-01-05T12:00:00")));
    assert_eq!(calendar.open(jst("2026-01-05T12:00:00")), Opening::Open);
}

#[test]
fn a_closure_without_length_shuts_nothing() {
    let mut calendar = Calendar::bundled();
    let (ten, eleven) = (jst("2026-04-01T10:00:00"), jst("2026-04-01T11:00:00"));
    calendar.close(ten, ten);
    calendar.close(eleven, ten);
    assert_eq!(calendar, Calendar::bundled());
}

#[test]
fn other_hours_are_data() {
    let hours = Hours::parse("telephone = \"1\"\n[open]\nsunday = [\"09:00\", \"10:00\"]").unwrap();
    let calendar = Calendar::bundled().with_hours(hours);
    assert_eq!(calendar.hours().telephone(), "1");
    assert_eq!(calendar.open(jst("2026-04-05T09:30:00")), Opening::Open);
    assert_eq!(calendar.next_opening(jst("2026-04-01T10:00:00")), Some(jst("2026-04-05T09:00:00")));
}

#[test]
fn the_file_of_the_cabinet_office_is_read_in_its_own_encoding() {
    // The header and a name in CP932.
    let mut bytes = b"\x8d\x91\x96\xaf\x82\xcc\x8f\x6a\x93\xfa,\x96\xbc\x8f\xcc\r\n".to_vec();
    for day in 1..=28 {
        bytes.extend_from_slice(format!("2026/2/{day},").as_bytes());
        bytes.extend_from_slice(b"\x8b\x78\x93\xfa\r\n");
    }
    let calendar = Calendar::parse(&bytes).unwrap();
    assert_eq!(calendar.open(jst("2026-02-10T10:00:00")), Opening::Closed);
    assert_eq!(calendar.open(jst("2026-03-10T10:00:00")), Opening::Open);
}

#[test]
fn an_invalid_table_is_rejected_and_a_truncated_year_is_not_covered() {
    assert_eq!(Calendar::parse(b"header\n2026/1/1,\nnonsense,\n"), Err(CalendarError::Row { line: 3 }));
    assert_eq!(Calendar::parse(b"header\n2026/13/1,\n"), Err(CalendarError::Row { line: 2 }));
    assert_eq!(Calendar::parse(b""), Err(CalendarError::Empty));
    let mut table = include_bytes!("../../data/holidays.csv").to_vec();
    table.extend_from_slice(b"2028/1/1,\n");
    assert_eq!(Calendar::parse(&table).unwrap().last_year(), 2027);
}

#[test]
fn opening_days_skip_sundays_and_holidays() {
    let calendar = Calendar::bundled();
    let table = [
        ("2026-04-30T18:00:00", 1, "2026-05-01T18:00:00"),
        ("2026-05-01T18:00:00", 2, "2026-05-07T18:00:00"),
        ("2026-11-21T09:00:00", 1, "2026-11-24T09:00:00"),
        ("2026-11-21T09:00:00", 0, "2026-11-21T09:00:00"),
        // Without known holidays only Sundays are skipped.
        ("2029-12-31T09:00:00", 300, "2030-12-16T09:00:00"),
    ];
    for (at, days, expected) in table {
        assert_eq!(calendar.after_opening_days(jst(at), days, &Statements::default()), jst(expected), "{at} + {days}");
    }
}

#[test]
fn closures_of_clinics_are_no_opening_days_and_are_proposed_never_assumed() {
    let mut calendar = Calendar::bundled();
    let heard = jst("2026-12-28T18:00:00");
    let none = Statements::default();
    assert_eq!(calendar.after_opening_days(heard, 2, &none), jst("2026-12-30T18:00:00"));
    let mut own = Statements::default();
    own.state(jst("2026-12-29T00:00:00"), jst("2027-01-04T00:00:00"), None, 8);
    assert_eq!(calendar.after_opening_days(heard, 2, &own), jst("2027-01-05T18:00:00"));
    let proposed = Calendar::usual_closures(jst("2026-11-29T10:00:00"));
    assert_eq!(
        proposed.iter().map(|(from, _, _)| *from).collect::<Vec<_>>(),
        [jst("2026-12-29T00:00:00"), jst("2027-08-13T00:00:00")]
    );
    let (from, to, _) = proposed[0];
    calendar.close_clinics(from, to);
    assert_eq!(calendar.after_opening_days(heard, 2, &none), jst("2027-01-05T18:00:00"));
    assert_eq!(calendar.open(jst("2026-12-28T10:00:00")), Opening::Open, "clinics are not the call centre");
}

#[test]
fn at_the_turn_of_the_year_nothing_is_confirmed() {
    let calendar = Calendar::bundled();
    let table = [
        ("2026-12-28T10:00:00", Opening::Open),
        ("2026-12-29T10:00:00", Opening::Unconfirmed),
        ("2026-12-31T17:59:00", Opening::Unconfirmed),
        ("2026-12-31T18:00:00", Opening::Closed),
        ("2027-01-01T10:00:00", Opening::Closed),
        ("2027-01-02T10:00:00", Opening::Unconfirmed),
        ("2027-01-03T10:00:00", Opening::Closed),
        ("2027-01-04T10:00:00", Opening::Open),
    ];
    for (at, expected) in table {
        assert_eq!(calendar.open(jst(at)), expected, "{at}");
    }
    assert_eq!(calendar.open_until(jst("2026-12-29T10:00:00")), Some(jst("2026-12-29T18:00:00")));
}
