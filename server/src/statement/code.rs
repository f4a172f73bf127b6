//! Changes of a facility's institution codes: one begins, ends, or is replaced.

use yomitori_facility::Text;
use yomitori_proto::code::InstitutionCode;
use yomitori_proto::event::FacilityCodeChanged;

use super::{Field, Input, Moment, NO_WHY, Problem, Statement, Subject};

pub(super) static STATEMENTS: [Statement; 1] = [Statement {
    key: "code",
    command: ["code", "record"],
    title: Text::fixed("医療機関コードの変更", "A change of institution codes"),
    note: Some(Text::fixed(
        "追加は新しいコードだけ、廃止は古いコードだけ、移転や開設者の変更では両方を入力します。",
        "For a further code, fill in only the new one; for one that ended, only the old one. After a relocation or a \
         change of founder, fill in both.",
    )),
    about: Subject::Facility,
    fields: &[
        Field {
            name: "old",
            label: Text::fixed("古いコード", "Code that ends"),
            hint: Some(Text::fixed("10桁", "ten digits")),
            input: Input::Line(20),
        },
        Field {
            name: "new",
            label: Text::fixed("新しいコード", "Code that begins"),
            hint: Some(Text::fixed("10桁", "ten digits")),
            input: Input::Line(20),
        },
        Field {
            name: "effective",
            label: Text::fixed("いつから", "Effective from"),
            hint: Some(Text::fixed("空欄なら今から（日本時間）", "empty means from now on; Japan time")),
            input: Input::Minute(Moment::Optional),
        },
    ],
    why: NO_WHY,
    telephones: false,
    event: Some(|values| {
        let code = |field: &'static str| {
            let read = |text: String| code(field, &text).map(|code| code.to_string());
            values.line(field).map(read).transpose()
        };
        let (old, new) = (code("old")?, code("new")?);
        if old.is_none() && new.is_none() {
            let text = Text::fixed("どちらかのコードを入力してください。", "Fill in one of the two codes.");
            return Err(Problem { field: "new", text });
        }
        Ok(FacilityCodeChanged { old, new, effective_at: values.at("effective") }.into())
    }),
}];

/// Parses a code as people write it.
///
/// # Errors
/// Says in both languages why it is none.
pub(crate) fn code(field: &'static str, text: &str) -> Result<InstitutionCode, Problem> {
    InstitutionCode::parse(text).map_err(|error| {
        // The error has the same meaning in English and in Japanese.
        let message = error.to_string();
        let (en, ja) = message.rsplit_once(" / ").unwrap_or((&message, &message));
        let ja = format!("医療機関コードではありません（{ja}）: {text}");
        Problem { field, text: Text::new(ja, format!("Invalid institution code: {en}: {text}")) }
    })
}
