//! Limits of what terminals may collect.

use yomitori_facility::Text;
use yomitori_proto::event::CollectionLimited;
use yomitori_proto::vocabulary::CollectionLevel;

use super::{Field, Input, Statement, Subject};

pub(super) static STATEMENTS: [Statement; 1] = [Statement {
    key: "collection",
    command: ["collection", "set"],
    title: Text::fixed("収集する範囲", "How much is collected"),
    note: Some(Text::fixed(
        "端末の設定より広げることはできません。つながっている端末には数秒で、ほかの端末には次の接続時に届きます。",
        "It can only reduce what a terminal's own configuration allows. Terminals receive it within seconds, or when \
         they next connect.",
    )),
    about: Subject::Facility,
    fields: &[Field {
        name: "most",
        label: Text::fixed("ここまで", "No more than"),
        hint: None,
        input: Input::Radio(&[
            ("readers", Text::fixed("リーダーとタップだけ", "Readers and taps only")),
            ("names", Text::fixed("結果ファイルの名前まで", "Also the names of result files")),
            ("headers", Text::fixed("端末の設定のとおり", "As each terminal is configured")),
        ]),
    }],
    why: Text::fixed("施設の希望", "requested by the facility"),
    telephones: false,
    event: Some(|values| {
        let most = match values.word("most") {
            "headers" => CollectionLevel::Headers,
            "names" => CollectionLevel::Names,
            _ => CollectionLevel::Readers,
        };
        Ok(CollectionLimited { most }.into())
    }),
}];
