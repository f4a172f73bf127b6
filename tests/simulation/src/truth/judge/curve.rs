//! Other rules, to show their gains and losses.

use anyhow::{Context as _, Result, bail};
use yomitori_facility::Rules;

/// The default variations: one field of the rules each, the others as bundled. Fields that the rules don't have are
/// skipped.
const USUAL: &[&str] = &[
    "correlation_to_s=20,40,60,90,120",
    "false_eligible_percent=1,2,4,6,8,12",
    "read_certainty_percent=70,80,90,95,99",
];

/// Rules with a name for a row.
pub type Variant = (String, Rules);

/// The default variants, or those that `fields` name as `FIELD=VALUE,VALUE`.
///
/// # Errors
/// If the bundled rules have no such field, or the value is invalid.
pub fn variants(fields: &[String]) -> Result<Vec<Variant>> {
    if fields.is_empty() {
        let known = USUAL.iter().filter(|usual| usual.split_once('=').is_some_and(|(field, _)| line(field).is_some()));
        return known.map(|usual| of(usual)).collect::<Result<Vec<_>>>().map(|all| all.concat());
    }
    fields.iter().map(|field| of(field)).collect::<Result<Vec<_>>>().map(|all| all.concat())
}

fn of(text: &str) -> Result<Vec<Variant>> {
    let (field, values) = text.split_once('=').context("write FIELD=VALUE,VALUE")?;
    let line = line(field).with_context(|| format!("the rules have no field `{field}`"))?;
    values
        .split(',')
        .map(|value| {
            let document = Rules::BUNDLED.replace(line, &format!("{field} = {value}"));
            match Rules::parse(&document) {
                Ok(rules) => Ok((format!("{field} = {value}"), rules)),
                Err(mistakes) => bail!("{}", mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")),
            }
        })
        .collect()
}

fn line(field: &str) -> Option<&'static str> {
    Rules::BUNDLED.lines().find(|line| line.split_once('=').is_some_and(|(name, _)| name.trim() == field))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_gives_valid_rules_and_an_unknown_field_is_reported() {
        let all = variants(&["correlation_to_s=20,40".to_owned()]).unwrap();
        assert_eq!(
            all.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(),
            ["correlation_to_s = 20", "correlation_to_s = 40"]
        );
        assert_ne!(all[0].1, all[1].1);
        assert!(!variants(&[]).unwrap().is_empty());
        assert!(variants(&["no_such=1".to_owned()]).unwrap_err().to_string().contains("no_such"));
        assert!(variants(&["correlation_to_s=x".to_owned()]).is_err());
    }
}
