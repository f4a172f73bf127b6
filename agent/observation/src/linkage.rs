//! Classifies a file in a linkage folder (連携フォルダ) by its name alone.
//!
//! Names contain institution codes and may contain patient identifiers. Only the kind of a name is kept, and for a
//! result of the face reader also the instant in it, if it is recent: a date of birth is not.

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use yomitori_proto::event::LinkageResultObserved;
use yomitori_proto::time::JAPAN;
use yomitori_proto::vocabulary::{LinkageFolder, LinkageKind, ReadOutcome};

/// What may be reported about a file that appeared in `folder` under `name` and was seen for `seen_for_ms`.
#[must_use]
pub fn observe(folder: LinkageFolder, name: &str, seen_for_ms: u32, now: DateTime<Utc>) -> LinkageResultObserved {
    let name = name.to_ascii_lowercase();
    let kind = kind(&name);
    let file_at = if kind == LinkageKind::FaceResult { instant(&name, now) } else { None };
    let (outcome, error_code) = (ReadOutcome::NotRead, None);
    LinkageResultObserved { folder, kind, file_at, seen_for_ms, outcome, error_code, name_tag: None }
}

/// Whether a file of this kind has a header with the outcome.
#[must_use]
pub const fn has_header(kind: LinkageKind) -> bool {
    matches!(kind, LinkageKind::FaceResult | LinkageKind::SingleResult)
}

fn kind(name: &str) -> LinkageKind {
    let Some(stem) = name.strip_suffix(".xml") else { return LinkageKind::Other };
    if stem.starts_with("oqssiquc01res_face_") {
        LinkageKind::FaceResult
    } else if stem.starts_with("oqssiquc01res_") {
        LinkageKind::SingleResult
    } else if stem.starts_with("oqsmuquc01res_") || stem.starts_with("oqsmuquc02res_") {
        LinkageKind::BatchResult
    } else {
        LinkageKind::Other
    }
}

/// The `yyyyMMddHHmmss` at the end of a face result's name. Names with 13 digits exist; they contain no instant.
fn instant(name: &str, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let (_, digits) = name.strip_suffix(".xml")?.rsplit_once('_')?;
    if digits.len() != 14 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let local = NaiveDateTime::parse_from_str(digits, "%Y%m%d%H%M%S").ok()?;
    let at = local.and_local_timezone(JAPAN).single()?.with_timezone(&Utc);
    (now - TimeDelta::days(31)..now + TimeDelta::days(1)).contains(&at).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn now() -> DateTime<Utc> {
        "2026-04-01T00:30:10Z".parse().unwrap()
    }

    fn see(name: &str) -> (LinkageKind, Option<String>) {
        let seen = observe(LinkageFolder::Face, name, 0, now());
        (seen.kind, seen.file_at.map(|at| at.to_rfc3339()))
    }

    #[test]
    fn names_are_reduced_to_kind_and_time() {
        let time = Some("2026-04-01T00:30:05+00:00".to_owned());
        for (name, kind, file_at) in [
            ("OQSsiquc01res_face_1319999015000001_20260401093005.xml", LinkageKind::FaceResult, time.clone()),
            ("oqssiquc01res_face_1319999015000001_20260401093005.XML", LinkageKind::FaceResult, time.clone()),
            // A part in hexadecimal digits after the code, also one that looks like another time.
            (
                "OQSsiquc01res_face_13199990150a1b2c3d4e5f60718293_20260401093005.xml",
                LinkageKind::FaceResult,
                time.clone(),
            ),
            ("OQSsiquc01res_face_13199990150a1b2c20260331080000_20260401093005.xml", LinkageKind::FaceResult, time),
            ("OQSsiquc01res_face_1319999015000001_2026040193005.xml", LinkageKind::FaceResult, None),
            ("OQSsiquc01res_face_1319999015000001_20261332256199.xml", LinkageKind::FaceResult, None),
            ("OQSsiquc01res_face_1319999015000001_19530401093005.xml", LinkageKind::FaceResult, None),
            ("OQSsiquc01res_face_x.xml", LinkageKind::FaceResult, None),
            ("OQSsiquc01res_face_1_20260401093005.xml.tmp", LinkageKind::Other, None),
            ("OQSsiquc01res_20260401093005.xml", LinkageKind::SingleResult, None),
            ("OQSmuquc02res_20260401093005.xml", LinkageKind::BatchResult, None),
            ("OQSsiquc01req_20260401093005.xml", LinkageKind::Other, None),
            ("TKKsiquc01req_01202604010930P0000123.xml", LinkageKind::Other, None),
            ("del0001.txt", LinkageKind::Other, None),
            ("", LinkageKind::Other, None),
            ("顔.xml", LinkageKind::Other, None),
        ] {
            assert_eq!(see(name), (kind, file_at), "{name}");
        }
    }

    proptest! {
        #[test]
        fn any_name_has_a_kind(name in any::<String>()) {
            let _ = observe(LinkageFolder::Res, &name, 0, now());
        }
    }
}
