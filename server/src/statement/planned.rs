//! Spans that people know in advance: maintenance of a facility, closures of clinics and of the call centre.

use yomitori_facility::Text;
use yomitori_proto::event::{ClosureSet, Event, MaintenanceWindowSet};
use yomitori_proto::vocabulary::Closes;

use super::field::JAPAN;
use super::{Field, Input, Moment, NO_WHY, Problem, Statement, Subject, Values};

const FROM: Field =
    Field { name: "from", label: Text::fixed("開始", "From"), hint: Some(JAPAN), input: Input::Minute(Moment::Any) };
const TO: Field = Field {
    name: "to",
    label: Text::fixed("終了", "Until"),
    hint: Some(Text::fixed("日本時間。この時刻は含まない", "Japan time; exclusive")),
    input: Input::Minute(Moment::Any),
};

/// What is closed for all facilities alone, never for one.
pub const CALL_CENTRE: &str = "call_centre";

pub(super) static STATEMENTS: [Statement; 2] = [
    Statement {
        key: "maintenance",
        command: ["maintenance", "set"],
        title: Text::fixed("保守の予定", "Maintenance"),
        note: Some(Text::fixed(
            "この間の端末の途絶やリーダーの取り外しは、要確認になりません。",
            "Silent terminals and missing readers are expected then and raise no flag.",
        )),
        about: Subject::Facility,
        fields: &[FROM, TO],
        why: NO_WHY,
        telephones: false,
        event: Some(|values| span(values, MaintenanceWindowSet { from: values.at("from"), to: values.at("to") })),
    },
    Statement {
        key: "closure",
        command: ["closure", "set"],
        title: Text::fixed("休業", "Closure"),
        note: Some(Text::fixed(
            "診療所の休業中の日は診療日に数えません。コールセンターの休業は、全施設について記録します。",
            "Days on which clinics are closed are no opening days. A closure of the call centre applies to all facilities.",
        )),
        about: Subject::FacilityOrFleet,
        fields: &[
            Field {
                name: "closes",
                label: Text::fixed("休むのは", "What is closed"),
                hint: None,
                input: Input::Radio(&[
                    ("clinics", Text::fixed("医療機関・薬局", "Clinics and pharmacies")),
                    (CALL_CENTRE, Text::fixed("コールセンター", "The call centre")),
                ]),
            },
            FROM,
            TO,
        ],
        why: NO_WHY,
        telephones: false,
        event: Some(|values| {
            let closes = if values.word("closes") == "clinics" { Closes::Clinics } else { Closes::CallCentre };
            span(values, ClosureSet { from: values.at("from"), to: values.at("to"), closes })
        }),
    },
];

fn span(values: &Values, event: impl Into<Event>) -> Result<Event, Problem> {
    if values.at("from") < values.at("to") {
        return Ok(event.into());
    }
    let text = Text::fixed("終了は開始より後の日時にしてください。", "The end must be later than the beginning.");
    Err(Problem { field: "to", text })
}
