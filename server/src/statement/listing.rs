//! Decisions about the ministry's list: a row is a facility's or not, and a quarantined list is right.

use yomitori_facility::Text;

use super::{Field, Input, NO_WHY, Statement, Subject};

/// The row belongs to a facility.
pub static MATCH: Statement = Statement {
    key: "match",
    command: ["listing", "match"],
    title: Text::fixed("この施設の行である", "The row belongs to this facility"),
    note: Some(Text::fixed(
        "行の医療機関コードを、リストの日付からこの施設のコードとして登録し、リストを照合し直します。",
        "The row's code becomes a code of the facility from the date of the list, and the list is compared again.",
    )),
    about: Subject::Other,
    fields: &[CODE, FACILITY],
    why: NO_WHY,
    telephones: false,
    event: None,
};

/// The row belongs to none of our facilities.
pub static DISMISS: Statement = Statement {
    key: "dismiss",
    command: ["listing", "dismiss"],
    title: Text::fixed("自施設の行ではない", "The row belongs to no facility of ours"),
    note: Some(Text::fixed(
        "このコードの行は、後のリストでも候補として示されません。",
        "Rows with this code are not suggested again, including in later lists.",
    )),
    about: Subject::Other,
    fields: &[CODE],
    why: NO_WHY,
    telephones: false,
    event: None,
};

/// A quarantined list is right.
pub static RELEASE: Statement = Statement {
    key: "release",
    command: ["listing", "release"],
    title: Text::fixed("保留中のリストを承認する", "Release the quarantined list"),
    note: Some(Text::fixed(
        "行数が減った理由を確かめてから承認してください。承認すると、載っていない施設は「掲載終了」になります。",
        "First find out why it has fewer rows. After the release, facilities that it does not name count as unlisted.",
    )),
    about: Subject::Other,
    fields: &[],
    why: NO_WHY,
    telephones: false,
    event: None,
};

/// The characters of an identifier with spaces around it.
const FACILITY_LIMIT: usize = 60;

const CODE: Field = Field {
    name: "code",
    label: Text::fixed("行の医療機関コード", "Code in the row"),
    hint: None,
    input: Input::Given("1319999015", |text| !text.is_empty()),
};
const FACILITY: Field = Field {
    name: "facility",
    label: Text::fixed("施設（医療機関コードまたは識別子）", "Facility (a code or its identifier)"),
    hint: None,
    input: Input::Required(FACILITY_LIMIT),
};
