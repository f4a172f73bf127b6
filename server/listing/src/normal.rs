//! Names and addresses as far as they say the same: two spellings of one clinic become one text. For suggestions only.

use unicode_normalization::UnicodeNormalization as _;
use yomitori_proto::code::Prefecture;

/// Words that say what a legal person is, longest first.
const LEGAL: &[&str] = &[
    "医療法人社団",
    "医療法人財団",
    "社会医療法人",
    "特定医療法人",
    "医療法人",
    "一般社団法人",
    "一般財団法人",
    "公益社団法人",
    "公益財団法人",
    "社会福祉法人",
    "学校法人",
    "宗教法人",
    "独立行政法人",
    "地方独立行政法人",
    "国立大学法人",
    "特定非営利活動法人",
    "株式会社",
    "有限会社",
    "合同会社",
    "合資会社",
    "(医社)",
    "(医財)",
    "(医)",
    "(社)",
    "(財)",
    "(株)",
    "(有)",
    "(同)",
    "(福)",
];

/// One way of writing a character that names have in two.
const fn twin(c: char) -> char {
    match c {
        'ヶ' => 'ケ',
        'ヵ' => 'カ',
        '髙' => '高',
        '﨑' => '崎',
        '濵' | '濱' => '浜',
        '邊' | '邉' => '辺',
        '澤' => '沢',
        '齋' => '斎',
        '齊' => '斉',
        '廣' => '広',
        '國' => '国',
        '龍' => '竜',
        '櫻' => '桜',
        '惠' => '恵',
        '榮' => '栄',
        '眞' => '真',
        '嶋' | '嶌' => '島',
        '藪' => '薮',
        '舘' => '館',
        '德' => '徳',
        '增' => '増',
        '瀨' => '瀬',
        other => other,
    }
}

/// Everything that separates and says nothing: hyphens and long vowels of all widths, dots, brackets, spaces.
fn separates(c: char) -> bool {
    c.is_whitespace()
        || matches!(
            c,
            '-' | '‐'
                | '‑'
                | '‒'
                | '–'
                | '—'
                | '―'
                | '−'
                | 'ー'
                | '─'
                | '・'
                | '･'
                | '.'
                | ','
                | '、'
                | '。'
                | '\''
                | '’'
                | '&'
        )
        || matches!(c, '「' | '」' | '『' | '』' | '"')
}

fn unified(text: &str) -> impl Iterator<Item = char> {
    text.nfkc().flat_map(char::to_lowercase).map(twin)
}

/// The name with and without what stands before it: the legal person's kind, and its own name up to `会`.
#[must_use]
pub fn names(name: &str) -> Vec<String> {
    let whole: String = unified(name).filter(|c| !separates(*c)).collect();
    let bare = LEGAL.iter().find_map(|word| whole.strip_prefix(word));
    let Some(bare) = bare else { return vec![whole] };
    let mut names = vec![bare.to_owned()];
    // 医療法人よみ会よみとり医院 is よみとり医院; 会津医院 stays as it is.
    if let Some((before, after)) = bare.split_once('会')
        && !before.is_empty()
        && after.chars().count() > 2
    {
        names.push(after.to_owned());
    }
    names.retain(|name| !name.is_empty());
    names
}

/// The address up to its house number, without prefecture; `None` where there is no number to compare.
#[must_use]
pub fn address(address: &str) -> Option<String> {
    let mut text: String = unified(address).filter(|c| !c.is_whitespace()).collect();
    if let Some(rest) = text.strip_prefix('〒') {
        text = rest.trim_start_matches(|c: char| c.is_ascii_digit() || separates(c)).to_owned();
    }
    for prefecture in Prefecture::all() {
        if let Some(rest) = text.strip_prefix(prefecture.japanese()) {
            text = rest.to_owned();
            break;
        }
    }
    for word in ["丁目", "番地の", "番地", "番", "号"] {
        text = text.replace(word, "-");
    }
    let mut key = String::new();
    let mut numbers = 0;
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        if let Some(digit) = kanji_digit(c).filter(|_| characters.peek() == Some(&'-') || key.ends_with('-')) {
            key.push(digit);
            numbers += 1;
        } else if c.is_ascii_digit() {
            key.push(c);
            numbers += 1;
        } else if separates(c) || (c == 'の' && key.ends_with(|c: char| c.is_ascii_digit())) {
            // One dash after a number, none elsewhere.
            if key.ends_with(|c: char| c.is_ascii_digit()) {
                key.push('-');
            }
        } else if key.contains('-') {
            // Past the house number: the building. (北5条西10 has no dash yet.)
            break;
        } else {
            key.push(c);
        }
    }
    let key = key.trim_end_matches('-');
    (numbers > 0 && key.chars().any(|c| !c.is_ascii_digit() && c != '-')).then(|| key.to_owned())
}

fn kanji_digit(c: char) -> Option<char> {
    "一二三四五六七八九".chars().zip('1'..='9').find(|(kanji, _)| *kanji == c).map(|(_, digit)| digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_name_share_a_form() {
        let same = [
            ("よみとり医院", "よみとり　医院", true),
            ("ヨミトリ・クリニック", "ﾖﾐﾄﾘｸﾘﾆｯｸ", true),
            ("医療法人社団よみ会 よみとり医院", "よみとり医院", true),
            ("医療法人社団　よみ会よみとり医院", "医療法人よみ会よみとり医院", true),
            ("(医)よみとり医院", "㈱よみとり医院", true),
            ("緑ヶ丘医院", "緑ケ丘医院", true),
            ("メンタル－クリニック", "メンタルークリニック", true),
            ("ABC歯科", "ａｂｃ歯科", true),
            ("髙橋医院", "高橋医院", true),
            ("会津医院", "津医院", false),
            ("よみとり医院", "よみかき医院", false),
        ];
        for (one, other, expected) in same {
            let (one_forms, other_forms) = (names(one), names(other));
            let shared = one_forms.iter().any(|form| other_forms.contains(form));
            assert_eq!(shared, expected, "{one} {one_forms:?}, {other} {other_forms:?}");
        }
    }

    #[test]
    fn spellings_of_one_address_share_a_form() {
        let same = [
            ("東京都港区芝１丁目２番３号", "港区芝1-2-3", true),
            ("〒105-0014 東京都港区芝一丁目2－3 よみビル5F", "港区芝1−2−3", true),
            ("港区芝1-2-3よみビル", "港区芝1-2-3", true),
            ("千葉県市川市鬼越1の2の3", "市川市鬼越1-2-3", true),
            ("竜ヶ崎市緑町10番地", "龍ケ崎市緑町10", true),
            ("港区芝1-2-3", "港区芝1-2-30", false),
            ("港区芝1-2-3", "港区芝12-3", false),
            ("札幌市北区北5条西10丁目3番2号 よみビル", "北海道札幌市北区北５条西１０丁目３−２", true),
        ];
        for (one, other, expected) in same {
            assert_eq!(address(one) == address(other), expected, "{:?} {:?}", address(one), address(other));
        }
        assert_eq!(address("港区芝"), None);
        assert_eq!(address("12-3"), None);
    }
}
