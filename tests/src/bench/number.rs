//! Numbers as the reports print them.

/// Formats a number with its significant digits and with commas between thousands.
#[must_use]
pub fn number(value: f64) -> String {
    let decimals = match value.abs() {
        _ if value.fract() == 0.0 => 0,
        size if size >= 100.0 => 0,
        size if size >= 10.0 => 1,
        size if size >= 0.1 => 2,
        _ => 3,
    };
    let plain = format!("{value:.decimals$}");
    let (whole, rest) = plain.split_at(plain.find('.').unwrap_or(plain.len()));
    let mut grouped = String::new();
    for (index, digit) in whole.char_indices() {
        let left = whole.len() - index;
        if left.is_multiple_of(3) && grouped.ends_with(|c: char| c.is_ascii_digit()) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_its_significant_digits() {
        let cases = [
            (1_234_567.8, "1,234,568"),
            (600.0, "600"),
            (123.4, "123"),
            (12.34, "12.3"),
            (0.512, "0.51"),
            (0.0123, "0.012"),
            (3.0, "3"),
            (-1234.0, "-1,234"),
            (f64::NAN, "NaN"),
        ];
        for (value, expected) in cases {
            assert_eq!(number(value), expected);
        }
    }
}
