//! Fictitious codes of an unassigned district.

use super::{CodeError, InstitutionCode, Prefecture, Table};

const VALID: &[(&str, u8, Table)] = &[
    ("0119999019", 1, Table::Medical),
    ("0119999027", 1, Table::Medical),
    ("1319999015", 13, Table::Medical),
    ("1319999023", 13, Table::Medical),
    ("2619999010", 26, Table::Medical),
    ("2719999019", 27, Table::Medical),
    ("4719999015", 47, Table::Medical),
    ("1339999011", 13, Table::Dental),
    ("1339999029", 13, Table::Dental),
    ("1349999019", 13, Table::Pharmacy),
    ("1349999027", 13, Table::Pharmacy),
    ("1369999014", 13, Table::HomeNursing),
    ("1369999022", 13, Table::HomeNursing),
    ("2610099018", 26, Table::Medical),
];

#[test]
fn a_code_tells_prefecture_and_table_and_its_check_digit_holds() {
    for (text, prefecture, table) in VALID {
        let code = InstitutionCode::parse(text).unwrap();
        assert_eq!(code.to_string(), *text);
        assert_eq!(code.prefecture().number(), *prefecture);
        assert_eq!(code.table(), *table);
        assert!(code.check_digit_holds(), "{text}");
        assert_eq!(serde_json::from_str::<InstitutionCode>(&serde_json::to_string(&code).unwrap()).unwrap(), code);
    }
}

#[test]
fn each_prefecture_has_an_alternate_number() {
    for one in Prefecture::all() {
        let usual = InstitutionCode::parse(&format!("{one}19999015")).unwrap();
        let alternate = InstitutionCode::parse(&format!("{}19999015", one.number() + 50)).unwrap();
        assert_eq!((usual.prefecture(), alternate.prefecture()), (one, one));
        assert_eq!((usual.has_alternate_prefecture(), alternate.has_alternate_prefecture()), (false, true));
        assert_eq!((usual.twin(), alternate.twin()), (alternate, usual));
    }
}

#[test]
fn every_way_of_writing_a_code_is_the_same_code() {
    let code = InstitutionCode::parse("1319999015").unwrap();
    for text in [
        "13-1-99-9901-5",
        "１３１９９９９０１５",
        "13 1 99 9901 5",
        "　1319999015 ",
        "13－1－99ー9901‐5",
        "131-9999015",
    ] {
        assert_eq!(InstitutionCode::parse(text), Ok(code), "{text}");
    }
}

#[test]
fn a_wrong_check_digit_is_told_and_not_refused() {
    for text in ["1312345678", "0110012345", "1319999016"] {
        assert!(!InstitutionCode::parse(text).unwrap().check_digit_holds(), "{text}");
    }
}

#[test]
fn lost_leading_zeros_are_put_back() {
    let kyoto: Prefecture = "京都".parse().unwrap();
    let whole = InstitutionCode::parse("2610099018").unwrap();
    for cell in ["99018", "099018", "0099018", "０099018"] {
        assert_eq!(InstitutionCode::parse_with(kyoto, Table::Medical, cell), Ok(whole), "{cell}");
    }
    let tokyo: Prefecture = "Tokyo".parse().unwrap();
    let pharmacy = InstitutionCode::parse_with(tokyo, Table::Pharmacy, "99-9901-9").unwrap();
    assert_eq!(pharmacy.as_str(), "1349999019");
}

#[test]
fn what_is_no_code_is_refused_with_what_to_do() {
    let tokyo = Prefecture::from_number(13).unwrap();
    let refused = |text| InstitutionCode::parse(text).unwrap_err();
    assert_eq!(refused(""), CodeError::Digits { digits: 0 });
    assert_eq!(refused("131999901"), CodeError::Digits { digits: 9 });
    assert_eq!(refused("13199990150"), CodeError::Digits { digits: 11 });
    assert_eq!(refused("131999901O"), CodeError::Character { character: 'O' });
    for number in [48, 49, 50, 98, 99] {
        let code = format!("{number}19999015");
        assert_eq!(InstitutionCode::parse(&code), Err(CodeError::Prefecture { number }));
    }
    assert_eq!(refused("0019999015"), CodeError::Prefecture { number: 0 });
    assert_eq!(InstitutionCode::parse_with(tokyo, Table::Medical, "9901"), Err(CodeError::SevenDigits { digits: 4 }));
    assert_eq!(
        InstitutionCode::parse_with(tokyo, Table::Medical, "19999015"),
        Err(CodeError::SevenDigits { digits: 8 })
    );
    assert!(refused("131999901").to_string().contains("13-1-99-9901-5"));
}

#[test]
fn a_prefecture_is_known_by_number_and_by_name() {
    assert_eq!(Prefecture::all().count(), 47);
    for one in Prefecture::all() {
        let short = one.japanese().strip_suffix(['都', '府', '県']).unwrap_or(one.japanese());
        let upper = one.english().to_uppercase();
        for text in [one.to_string(), one.japanese().into(), short.into(), one.english().into(), upper] {
            assert_eq!(text.parse(), Ok(one), "{text}");
        }
    }
    let tokyo = Prefecture::from_number(13).unwrap();
    assert_eq!((tokyo.japanese(), tokyo.english(), tokyo.to_string().as_str()), ("東京都", "Tokyo", "13"));
    assert_eq!("１".parse(), Ok(Prefecture::from_number(1).unwrap()));
    for text in ["", "0", "48", "013", "東", "Edo", "-1", "+1"] {
        assert!(text.parse::<Prefecture>().is_err(), "{text}");
    }
}
