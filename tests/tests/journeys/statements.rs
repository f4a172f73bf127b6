//! Every statement of a person passes one check: the pages and the command line accept and reject the same ones, an
//! accepted statement is in the log with author, time and reason, and a mistaken one can be withdrawn.

mod office;

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use yomitori_proto::event::{Event, Speaker};
use yomitori_server::statement::{self, Input, Subject};
use yomitori_simulation::clock;
use yomitori_tests::world::wait::{self, PATIENCE};

use office::{CODE, LIFE, MISTAKE, ONCE, Office, Verdict, right};

/// Statements about the fleet, or with an entry point that other tests cover.
const ELSEWHERE: [&str; 6] = [
    "terminal_enrolled",
    "rules_adopted",
    "snapshot_imported",
    "snapshot_released",
    "list_row_dismissed",
    "record_skipped",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_valid_statement_is_recorded_by_every_entry_point_with_author_and_reason() -> Result<()> {
    let office = Office::open("statements").await?;
    let mut kinds = Vec::new();
    // The mistake, the entry and the terminal are needed until the end.
    let last = ["withdraw", "entry-withdraw", "retire", "revoke"];
    let (early, late): (Vec<_>, Vec<_>) = statement::all().partition(|statement| !last.contains(&statement.key));
    for statement in early.into_iter().chain(late) {
        let fields = right(statement);
        ensure!(office.both(statement, &fields).await?, "{}: {fields:?}", statement.key);
    }
    let store = office.world.store().await?;
    let query = "SELECT said_why, kind, event::text, said_by FROM analytics.fact WHERE said_by = '鈴木'";
    let mut said: BTreeMap<String, (String, String)> = BTreeMap::new();
    wait::until("everything to be folded", PATIENCE, async || {
        let rows = store.query(query, &[]).await?;
        let count = rows.iter().filter(|row| row.get::<_, String>(0).contains(" via ")).count();
        ensure!(count == 2 * statement::all().count() - ONCE.len(), "{count} facts");
        Ok(())
    })
    .await?;
    for row in store.query(query, &[]).await? {
        said.insert(row.get(0), (row.get(1), row.get(2)));
    }
    for statement in statement::all() {
        let command = said.get(&format!("{} via command", statement.key));
        let page = said.get(&format!("{} via page", statement.key));
        if let Some((kind, event)) = command.or(page) {
            kinds.push(kind.clone());
            // An instant relative to now differs between the entry points.
            ensure!(
                page.is_none_or(|page| page.1 == *event || statement.key == "flag-snoozed"),
                "{}: {page:?} {event}",
                statement.key
            );
        }
    }
    for key in ONCE {
        ensure!(said.contains_key(&format!("{key} via page")), "{key}");
    }
    // Every kind that a person may state is covered.
    for line in yomitori_facility::EXAMPLE.lines() {
        let event: Event = serde_json::from_value(serde_json::from_str::<Value>(line)?["event"].take())?;
        let persons = matches!(event.speaker(), Speaker::Person | Speaker::Anyone);
        let known = kinds.iter().any(|kind| kind == event.kind()) || ELSEWHERE.contains(&event.kind());
        ensure!(!persons || known, "nothing states `{}`", event.kind());
    }
    let explained = office.server.run(&["explain", CODE]).await?;
    ensure!(explained.contains("opt_out_call_made  鈴木（called via command）"), "{explained}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invalid_statement_is_rejected_by_every_entry_point_with_the_same_message() -> Result<()> {
    let office = Office::open("statements-refused").await?;
    let long = "x".repeat(600);
    let wrong = [
        "",
        "nonsense",
        "\u{202e}x",
        &long,
        "2099-01-01T10:00",
        "1999-01-01T10:00",
        "1319999099",
        "00000000000000c1/9",
    ];
    let (mut tried, mut refused) = (0, 0);
    for statement in statement::all() {
        let names = statement.fields.iter().filter(|field| !matches!(field.input, Input::Tick)).map(|field| field.name);
        for name in names.chain(["by", "why", "id", "sure"]) {
            for text in wrong {
                // Most texts are valid as a name or reason, and the mistake can be withdrawn once.
                let plain = ["by", "why"].contains(&name) && !text.is_empty() && text.is_ascii() && text != long;
                if plain || (name == "id" && text.is_empty()) || (statement.key == "withdraw" && name != "statement") {
                    continue;
                }
                let mut fields = right(statement);
                if name == "sure" {
                    if !statement.telephones || !text.is_empty() {
                        continue;
                    }
                    fields.remove("sure");
                    // A Sunday.
                    if let Some(at) = fields.get_mut("at").filter(|_| statement.key == "called") {
                        "2026-03-29T10:30".clone_into(at);
                    }
                } else {
                    fields.insert(name, text.to_owned());
                }
                tried += 1;
                refused += u32::from(!office.both(statement, &fields).await?);
            }
        }
    }
    println!("{tried} wrong inputs, {refused} refused by both doors, the others accepted by both");
    ensure!(refused > 400, "{refused} of {tried}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mistaken_statement_is_withdrawn_and_a_repeated_form_counts_once() -> Result<()> {
    let office = Office::open("statements-withdrawn").await?;
    let id = "018f0000-0000-4000-8000-00000000aa02";
    for _ in 0..2 {
        let said = office.run("read record --os ios --at 2026-04-01T10:30 --id", &[id]).await?;
        ensure!(said.contains("ひとこと医院 1319999015") && said.contains("/ eligible"), "{said}");
    }
    let status = office.status(CODE).await?;
    ensure!(status["evidence"]["count"] == 1 && status["eligible"]["key"] == "eligible", "{status:#}");

    // The page links the entry to its withdrawal.
    let page = reqwest::get(format!("{}/facilities/{CODE}?lang=en", office.server.web)).await?.text().await?;
    let link = format!("/facilities/{CODE}/record/withdraw?statement={id}");
    ensure!(page.contains(&link), "{page}");
    let form = reqwest::get(format!("{}{link}", office.server.web)).await?.text().await?;
    ensure!(form.contains(id), "{form}");
    let withdraw = statement::find("withdraw").context("a statement")?;
    let mut fields = right(withdraw);
    fields.insert("statement", id.to_owned());
    fields.insert("id", "018f0000-0000-4000-8000-00000000aa03".to_owned());
    ensure!(office.on_the_page(withdraw, &fields).await? == Verdict::Accepted);
    wait::until("the read to be gone", PATIENCE, async || {
        let status = office.status(CODE).await?;
        ensure!(status["evidence"]["key"] == "never" && status["eligible"]["key"] == "not_yet", "{status:#}");
        ensure!(status["superseded"][0]["by"] == "withdrawn", "{status:#}");
        Ok(())
    })
    .await?;
    let page = reqwest::get(format!("{}/facilities/{CODE}?lang=en", office.server.web)).await?.text().await?;
    ensure!(page.contains("Withdrawn") && page.contains("Statement withdrawn") && !page.contains(&link), "{page}");
    // The same form may be sent again; the read stays withdrawn, and is withdrawn once.
    ensure!(office.on_the_page(withdraw, &fields).await? == Verdict::Accepted);
    fields.remove("id");
    office.run("read record --os ios --at 2026-04-01T10:30 --id", &[id]).await?;
    ensure!(office.status(CODE).await?["evidence"]["key"] == "never");
    let Verdict::Refused(again) = office.on_the_command_line(withdraw, &fields).await? else {
        anyhow::bail!("it was withdrawn twice");
    };
    ensure!(again.contains("is already withdrawn"), "{again}");
    // A form that is sent again after its statement was withdrawn is not said to be recorded.
    let intent = statement::find("intent").context("a statement")?;
    let mut fields = right(intent);
    let id = "018f0000-0000-4000-8000-00000000aa04";
    fields.insert("id", id.to_owned());
    ensure!(office.on_the_page(intent, &fields).await? == Verdict::Accepted);
    office.run("statement withdraw --why mistake --statement", &[id]).await?;
    let Verdict::Refused(again) = office.on_the_page(intent, &fields).await? else {
        anyhow::bail!("a withdrawn statement is said to be recorded");
    };
    ensure!(again.contains("withdrawn since"), "{again}");
    // The status history no longer contains the read, and has the facility from its first fact on.
    let store = office.world.store().await?;
    wait::until("the status history to be computed", PATIENCE, async || {
        let lag = store.query_one("SELECT facilities FROM analytics.status_as_of_lag", &[]).await?;
        ensure!(lag.get::<_, i64>(0) == 0, "it is being computed");
        Ok(())
    })
    .await?;
    let answer = office.server.run(&["status", "--as-of", "2026-04-01T12:00", "--format", "json"]).await?;
    let answer: Value = serde_json::from_str(&answer)?;
    ensure!(answer[0]["evidence"] == "never" && answer[0]["name"] == "ひとこと医院", "{answer:#}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_identifier_stands_for_one_statement_at_every_door() -> Result<()> {
    let office = Office::open("statements-identifier").await?;
    let id = "018f0000-0000-4000-8000-00000000ad01";
    office.run("intent set --intent undecided --why x --id", &[id]).await?;
    let count = async || -> Result<i64> {
        let query = "SELECT count(*) FROM projection.fact WHERE position($1 in origin) > 0";
        Ok(office.world.store().await?.query_one(query, &[&id]).await?.get(0))
    };
    wait::until("the statement", PATIENCE, async || {
        ensure!(count().await? == 1);
        Ok(())
    })
    .await?;
    // Said again, it is one fact; something else under the same identifier is refused, at both doors.
    let again = office.run("intent set --intent undecided --why x --id", &[id]).await?;
    ensure!(again.contains("recorded already"), "{again}");
    let intent = statement::find("intent").context("a statement")?;
    let mut fields = right(intent);
    fields.insert("id", id.to_owned());
    fields.insert("intent", "do_not_want".to_owned());
    for verdict in [office.on_the_page(intent, &fields).await?, office.on_the_command_line(intent, &fields).await?] {
        let Verdict::Refused(said) = verdict else { anyhow::bail!("it was recorded: {verdict:?}") };
        ensure!(said.contains("under this identifier"), "{said}");
    }
    ensure!(count().await? == 1 && office.status(CODE).await?["intent"]["key"] == "undecided");

    // One facility's code is given to no other by any door.
    let theirs = [
        "facility",
        "register",
        "--code",
        "1319999023",
        "--code",
        CODE,
        "--name",
        "べつの医院",
        "--by",
        "x",
        "--why",
        "y",
    ];
    let output = office.server.try_run(&theirs).await?;
    let said = String::from_utf8(output.stderr)?;
    ensure!(output.status.code() == Some(2) && said.contains("the code of another facility"), "{said}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_the_facility_is_refused_by_every_entry_point() -> Result<()> {
    let office = Office::open("statements-unfit").await?;
    type Unfit<'a> = (&'a str, &'a [(&'static str, &'a str)], &'a str);
    let unfit: [Unfit<'_>; 5] = [
        ("reader-role", &[("reader", "00000000000000ff")], "its readers are: 00000000000000c1"),
        ("retire", &[("terminal", LIFE)], "its terminals are: 018f0000-0000-7000-8000-00000000a001"),
        ("code", &[("new", CODE)], "is a code of this facility already"),
        ("code", &[("new", ""), ("old", CODE)], "last code"),
        ("closure", &[("closes", "call_centre")], "is of no facility"),
    ];
    for (key, changes, sentence) in unfit {
        let statement = statement::find(key).context("a statement")?;
        let mut fields = right(statement);
        fields.extend(changes.iter().map(|(name, text)| (*name, (*text).to_owned())));
        ensure!(!office.both(statement, &fields).await?, "{key}: {fields:?}");
        let Verdict::Refused(said) = office.on_the_page(statement, &fields).await? else {
            anyhow::bail!("{key}: {fields:?} was accepted");
        };
        ensure!(said.contains(sentence), "{key}: {said}");
    }
    // A person may end the last code after all, and close the call centre for everybody.
    let code = statement::find("code").context("a statement")?;
    let mut fields = right(code);
    fields.extend([("new", String::new()), ("old", CODE.to_owned()), ("sure", "yes".to_owned())]);
    ensure!(office.on_the_page(code, &fields).await? == Verdict::Accepted);
    let closure = statement::find("closure").context("a statement")?;
    let mut fields = right(closure);
    fields.insert("closes", "call_centre".to_owned());
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(&fields).finish();
    let form =
        office.browser.post(format!("{}/record/closure", office.server.web)).header("origin", &office.server.web);
    let answer = form.header("content-type", "application/x-www-form-urlencoded").body(body).send().await?;
    ensure!(answer.status() == 303, "{}: {}", answer.status(), answer.text().await?);
    let closures = office.server.run(&["closure", "list"]).await?;
    ensure!(closures.contains("closure via page"), "{closures}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn no_code_is_given_to_two_facilities_at_once() -> Result<()> {
    let office = Office::open("statements-codes").await?;
    let other = ["--name", "となりの医院", "--by", "x", "--why", "y"];
    office.server.run(&[&["facility", "register", "--code", "1319999049"][..], &other].concat()).await?;
    let change = ["code", "record", "--by", "x", "--why", "y", "--facility"];
    let ended = "018f0000-0000-4000-8000-00000000ae01";
    let renamed = ["1319999049", "--old", "1319999049", "--new", "1319999056", "--id", ended];
    office.server.run(&[&change[..], &renamed].concat()).await?;
    let later = (clock::now() + chrono::Duration::days(90)).format("%Y-%m-%d").to_string();
    let later = ["1319999056", "--old", "1319999056", "--new", "1319999064", "--effective", &later];
    office.server.run(&[&change[..], &later].concat()).await?;
    let free = async |code: &str| -> Result<bool> {
        let output = office.server.try_run(&[&change[..], &[CODE, "--new", code]].concat()).await?;
        let said = String::from_utf8(output.stderr)?;
        ensure!(output.status.success() || said.contains("the code of another facility"), "{said}");
        Ok(output.status.success())
    };
    ensure!(!free("1319999056").await? && !free("1319999064").await? && free("1319999049").await?);
    // A former code is named as such, and becomes a code again only once that is confirmed.
    office.server.run(&[&change[..], &[CODE, "--old", "1319999049"]].concat()).await?;
    let output = office.server.try_run(&["status", "--facility", "1319999049"]).await?;
    let said = String::from_utf8(output.stderr)?;
    ensure!(output.status.code() == Some(2) && said.contains("is not a current code of"), "{said}");
    let output = office.server.try_run(&[&change[..], &[CODE, "--new", "1319999049"]].concat()).await?;
    let said = String::from_utf8(output.stderr)?;
    ensure!(output.status.code() == Some(2) && said.contains("is a former code of this facility"), "{said}");
    office.server.run(&[&change[..], &[CODE, "--new", "1319999049", "--sure"]].concat()).await?;
    // Nor does the withdrawal of its end give it back to the first one.
    let withdraw =
        ["statement", "withdraw", "--facility", "1319999056", "--statement", ended, "--by", "x", "--why", "y"];
    let output = office.server.try_run(&withdraw).await?;
    let said = String::from_utf8(output.stderr)?;
    ensure!(output.status.code() == Some(2) && said.contains("the code of another facility"), "{said}");
    // A code with an unusual check digit has to be confirmed at every door.
    let code = statement::find("code").context("a statement")?;
    let mut fields = right(code);
    fields.insert("new", "1319999077".to_owned());
    ensure!(!office.both(code, &fields).await?);
    fields.insert("sure", "yes".to_owned());
    ensure!(office.both(code, &fields).await?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_withdrawn_registration_leaves_a_page_that_can_be_opened() -> Result<()> {
    let office = Office::open("statements-registration").await?;
    let id = "018f0000-0000-4000-8000-00000000af01";
    let register = ["facility", "register", "--code", "1319999080", "--name", "まちがい医院", "--id", id];
    office.server.run(&[&register[..], &["--by", "x", "--why", "y"]].concat()).await?;
    let intent = ["intent", "set", "--intent", "do_not_want", "--facility", "1319999080", "--by", "x", "--why", "y"];
    office.server.run(&intent).await?;
    let withdraw = statement::find("withdraw").context("a statement")?;
    let mut fields = right(withdraw);
    fields.insert("statement", id.to_owned());
    let verdict = office.on_the_page_of("/facilities/1319999080", withdraw, &fields).await?;
    ensure!(verdict == Verdict::Accepted, "{verdict:?}");
    // What was stated of it otherwise stays, under a name that says what it is.
    wait::until("the list", PATIENCE, async || {
        let list = reqwest::get(format!("{}/?lang=en", office.server.web)).await?.error_for_status()?.text().await?;
        ensure!(list.contains("a facility that is not registered") && !list.contains("まちがい医院"), "{list}");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_form_is_linked_from_a_page() -> Result<()> {
    let office = Office::open("statements-linked").await?;
    let get = async |path: &str| -> Result<String> {
        Ok(reqwest::get(format!("{}{path}", office.server.web)).await?.error_for_status()?.text().await?)
    };
    let (facility, all) = (get(&format!("/facilities/{CODE}")).await?, get("/rules").await?);
    for statement in statement::all() {
        let of_facility = facility.contains(&format!("href=\"/facilities/{CODE}/record/{}", statement.key))
            || facility.contains(&format!("href=\"/record/{}?", statement.key));
        // Flags are acknowledged beside each flag, or by these forms. A resumption is offered while the terminal is suspended.
        ensure!(of_facility || statement.key == "resume", "the facility's page links no form for {}", statement.key);
        let of_all = all.contains(&format!("href=\"/record/{}\"", statement.key));
        let expected = statement.about != Subject::Facility && statement.needs_no_link();
        ensure!(of_all == expected, "{} on the page of statements about all facilities", statement.key);
        // A form that is opened without its link asks for what the link would have named.
        if statement.about != Subject::Registered {
            let form = get(&format!("/facilities/{CODE}/record/{}", statement.key)).await?;
            for field in statement.fields {
                ensure!(!form.contains(&format!("type=\"hidden\" name=\"{}\"", field.name)), "{}", statement.key);
            }
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_facility_is_named() -> Result<()> {
    let office = Office::open("statements-unknown").await?;
    let words = ["notice", "record", "--notice", "supported_sticker", "--facility", "1349999019", "--by", "x"];
    let output = office.server.try_run(&words).await?;
    let error = String::from_utf8(output.stderr)?;
    ensure!(output.status.code() == Some(2) && error.contains("No facility has the code"), "{error}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_offers_what_its_facility_can_have_and_shows_what_it_withdraws() -> Result<()> {
    let office = Office::open("statements-offer").await?;
    let get =
        async |path: &str| Ok::<_, anyhow::Error>(reqwest::get(office.server.web.clone() + path).await?.text().await?);
    ensure!(get("/record/closure").await?.contains("value=\"call_centre\""), "for all facilities");
    ensure!(!get(&format!("/facilities/{CODE}/record/closure")).await?.contains("call_centre"), "for one facility");
    for form in [format!("withdraw?statement={MISTAKE}"), format!("entry-withdraw?entry={LIFE}/2")] {
        let page = get(&format!("/facilities/{CODE}/record/{form}")).await?;
        ensure!(page.contains("<li class=\"fact "), "{form} shows what it withdraws: {page}");
    }
    // Nothing is known of an instant that has not come.
    let ahead = office.server.try_run(&["status", "--as-of", "2099-01-01"]).await?;
    let printed = String::from_utf8(ahead.stderr)?;
    ensure!(ahead.status.code() == Some(2) && printed.contains("in the future"), "{printed}");
    let page = get(&format!("/facilities/{CODE}?at=2099-01-01T00:00&lang=en")).await?;
    ensure!(page.contains("in the future"), "{page}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flag_that_is_snoozed_again_under_its_identifier_is_recorded_already() -> Result<()> {
    let office = Office::open("statements-snoozed").await?;
    let id = "018f0000-0000-4000-8000-00000000aa03";
    let snooze = "flag snooze --flag reader_missing --days 7 --why x --id";
    ensure!(office.run(snooze, &[id]).await?.contains("/ recorded"));
    let again = office.run(snooze, &[id]).await?;
    ensure!(again.contains("recorded already"), "{again}");
    office.run(&format!("statement withdraw --why x --statement {id}"), &[]).await?;
    let again = office.run(snooze, &[id]).await?;
    ensure!(again.contains("withdrawn already") && !again.contains("statement withdraw"), "{again}");
    Ok(())
}
