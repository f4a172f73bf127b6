//! Whether a terminal may send: suspended, resumed, retired, revoked.

use yomitori_facility::Text;
use yomitori_proto::event::{Event, TerminalResumed, TerminalRetired, TerminalRevoked, TerminalSuspended};
use yomitori_proto::id::TerminalId;

use super::field::MISSING;
use super::{Field, Input, NO_WHY, Problem, Statement, Subject, Values};

pub(super) const TERMINAL: Field = Field {
    name: "terminal",
    label: Text::fixed("端末", "Terminal"),
    hint: None,
    input: Input::Given("018f0000-0000-7000-8000-00000000a001", |text| text.parse::<TerminalId>().is_ok()),
};

static TERMINAL_ALONE: [Field; 1] = [TERMINAL];

pub(super) static STATEMENTS: [Statement; 4] = [
    statement(
        "suspend",
        Text::fixed("端末を一時停止する", "Suspend a terminal"),
        Some(Text::fixed(
            "再開するまで、この端末からは何も受け付けません。記録は端末に残り、再開後に届きます。",
            "Nothing is accepted from the terminal until it is resumed. It keeps what it observes, and sends it then.",
        )),
        |values| Ok(TerminalSuspended { terminal: terminal(values)? }.into()),
    ),
    statement(
        "resume",
        Text::fixed("端末の一時停止を解除する", "Resume a suspended terminal"),
        None,
        |values| Ok(TerminalResumed { terminal: terminal(values)? }.into()),
    ),
    statement(
        "retire",
        Text::fixed("端末の使用を終了した", "A terminal is no longer used"),
        Some(Text::fixed(
            "以後、この端末からは何も受け付けません。応答がなくても要確認になりません。",
            "Nothing is accepted from the terminal any more, and its silence raises no flag.",
        )),
        |values| Ok(TerminalRetired { terminal: terminal(values)? }.into()),
    ),
    statement(
        "revoke",
        Text::fixed("端末の証明書を失効させる", "Revoke a terminal's certificate"),
        Some(Text::fixed(
            "盗難などで鍵が他人の手に渡った端末に。取り消せません。使い続けるには新しいトークンで登録し直します。",
            "For a terminal whose key may be known to somebody else, as after a theft. It cannot be withdrawn: to use the \
             terminal further, enrol it with a new token.",
        )),
        |values| Ok(TerminalRevoked { terminal: terminal(values)? }.into()),
    ),
];

/// A statement about one terminal of a facility; the key is also its verb on the command line.
const fn statement(
    key: &'static str,
    title: Text,
    note: Option<Text>,
    event: fn(&Values) -> Result<Event, Problem>,
) -> Statement {
    Statement {
        key,
        command: ["terminal", key],
        title,
        note,
        about: Subject::Facility,
        fields: &TERMINAL_ALONE,
        why: NO_WHY,
        telephones: false,
        event: Some(event),
    }
}

fn terminal(values: &Values) -> Result<TerminalId, Problem> {
    values.word("terminal").parse().map_err(|_| Problem { field: "terminal", text: MISSING })
}
