//! Formats an error as one line.

use std::error::Error;
use std::fmt::Write as _;

/// An error with its causes, outermost first. A cause that the text already ends with is not repeated.
#[must_use]
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            write!(text, ": {cause_text}").expect("a string takes all");
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Layer(&'static str, Option<Box<Self>>);

    impl std::fmt::Display for Layer {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str(self.0)
        }
    }

    impl Error for Layer {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            self.1.as_deref().map(|cause| cause as _)
        }
    }

    #[test]
    fn causes_follow_and_repetitions_do_not() {
        let cause = Layer("connect: refused", Some(Box::new(Layer("refused", None))));
        assert_eq!(chain(&Layer("failed to send", Some(Box::new(cause)))), "failed to send: connect: refused");
    }
}
