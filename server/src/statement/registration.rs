//! The registration of a facility: its name, codes, prefecture and address.

use yomitori_facility::Text;
use yomitori_listing::entry::{ADDRESS_LIMIT, NAME_LIMIT};
use yomitori_proto::code::{InstitutionCode, Prefecture};
use yomitori_proto::event::FacilityRegistered;

use super::code::code;
use super::field::MISSING;
use super::{Field, Input, Moment, NO_WHY, Problem, Statement, Subject};

pub(super) static STATEMENTS: [Statement; 1] = [Statement {
    key: "register",
    command: ["facility", "register"],
    title: Text::fixed("施設の登録・変更", "Register a facility, or change its name, codes or address"),
    note: Some(Text::fixed(
        "最初のコードで施設が決まります。登録済みの施設のコードなら、その施設の名称・都道府県が置き換わり、コードは加わります。",
        "The first code says which facility it is. If a registered facility has it, name and prefecture are replaced, and codes are added.",
    )),
    about: Subject::Registered,
    fields: &[
        Field {
            name: "code",
            label: Text::fixed("医療機関コード", "Institution codes"),
            hint: Some(Text::fixed(
                "10桁。複数ある場合はコンマで区切る",
                "ten digits each; separate several by commas",
            )),
            input: Input::Codes,
        },
        Field { name: "name", label: Text::fixed("名称", "Name"), hint: None, input: Input::Required(NAME_LIMIT) },
        Field {
            name: "prefecture",
            label: Text::fixed("都道府県", "Prefecture"),
            hint: Some(Text::fixed("空欄なら最初のコードから", "such as 13; empty means that of the first code")),
            input: Input::Line(20),
        },
        Field {
            name: "address", label: Text::fixed("住所", "Address"), hint: None, input: Input::Line(ADDRESS_LIMIT)
        },
        Field {
            name: "moved_at",
            label: Text::fixed("この都道府県に移転した日", "When it moved to this prefecture"),
            hint: Some(Text::fixed(
                "移転した場合だけ。それ以前のリストの意味は変わりません",
                "only after a move; earlier lists keep their meaning",
            )),
            input: Input::Minute(Moment::OptionalPast),
        },
        Field {
            name: "correction",
            label: Text::fixed(
                "以前からこの都道府県にある（以前の登録が誤り）",
                "It has always been in this prefecture; the earlier registration was a mistake",
            ),
            hint: None,
            input: Input::Tick,
        },
    ],
    why: NO_WHY,
    telephones: false,
    event: Some(|values| {
        let mut codes: Vec<InstitutionCode> = Vec::new();
        for text in values.word("code").split([',', '、', '，']).filter(|text| !text.trim().is_empty()) {
            let code = code("code", text.trim())?;
            if !codes.contains(&code) {
                codes.push(code);
            }
        }
        let first = codes.first().ok_or(Problem { field: "code", text: MISSING })?;
        let prefecture = match values.line("prefecture") {
            Some(text) => {
                text.parse::<Prefecture>().map_err(|_| Problem { field: "prefecture", text: NO_PREFECTURE })?
            }
            None => first.prefecture(),
        };
        let (moved_at, correction) = (values.instant("moved_at"), values.ticked("correction"));
        if moved_at.is_some() && correction {
            return Err(Problem { field: "correction", text: MOVED_OR_CORRECTED });
        }
        Ok(FacilityRegistered {
            name: values.word("name").to_owned(),
            prefecture: format!("{:02}", prefecture.number()),
            codes: codes.iter().map(ToString::to_string).collect(),
            address: values.line("address"),
            moved_at,
            correction,
        }
        .into())
    }),
}];

const NO_PREFECTURE: Text = Text::fixed(
    "都道府県は01〜47または名称で入力してください。",
    "Not a prefecture: write 01 to 47, or a name such as 東京都 or Tokyo.",
);
const MOVED_OR_CORRECTED: Text = Text::fixed(
    "移転と訂正は同時には記録できません。",
    "It either moved or has always been there: fill in only one of the two.",
);
