//! Withdrawals of a mistaken statement of a person, or of an entry of a terminal's desk page.

use yomitori_facility::Text;
use yomitori_proto::event::{EntryWithdrawn, StatementWithdrawn};
use yomitori_proto::id::{Life, Seq, StatementId};

use super::field::MISSING;
use super::{Field, Input, NO_WHY, Problem, Statement, Subject};

pub(super) static STATEMENTS: [Statement; 2] = [
    Statement {
        key: "withdraw",
        command: ["statement", "withdraw"],
        title: Text::fixed("記録を取り消す", "Withdraw a statement"),
        note: Some(Text::fixed(
            "取り消すと、はじめから記録しなかったのと同じになります。元の記録と取り消しは経過に残ります。",
            "The statement no longer has any effect. The timeline still shows both the statement and its withdrawal.",
        )),
        about: Subject::FacilityOrFleet,
        fields: &[Field {
            name: "statement",
            label: Text::fixed("取り消す記録", "The statement"),
            hint: None,
            input: Input::Given("018f0000-0000-4000-8000-00000000aa01", |text| text.parse::<StatementId>().is_ok()),
        }],
        why: NO_WHY,
        telephones: false,
        event: Some(|values| {
            let statement = values.word("statement").parse();
            let statement = statement.map_err(|_| Problem { field: "statement", text: MISSING })?;
            Ok(StatementWithdrawn { statement }.into())
        }),
    },
    Statement {
        key: "entry-withdraw",
        command: ["entry", "withdraw"],
        title: Text::fixed("受付画面の入力を取り消す", "Withdraw an entry of the desk page"),
        note: None,
        about: Subject::Facility,
        fields: &[Field {
            name: "entry",
            label: Text::fixed("取り消す入力", "The entry"),
            hint: None,
            input: Input::Given("018f0000-0000-4000-8000-00000000b001/7", |text| entry(text).is_some()),
        }],
        why: NO_WHY,
        telephones: false,
        event: Some(|values| {
            let (life, seq) = entry(values.word("entry")).ok_or(Problem { field: "entry", text: MISSING })?;
            Ok(EntryWithdrawn { life, seq }.into())
        }),
    },
];

/// Parses an entry as `explain CODE` prints it: LIFE/NUMBER.
pub(crate) fn entry(text: &str) -> Option<(Life, Seq)> {
    let (life, seq) = text.split_once('/')?;
    Some((life.parse().ok()?, Seq(seq.parse().ok().filter(|seq| *seq > 0)?)))
}
